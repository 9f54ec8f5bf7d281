package startup

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// codeMap is what the entry function's code says of the start-up.
type codeMap struct {
	entry string    // symbol of the entry function; "" not found
	steps []printed // messages in the order of the code
	sites []site    // print calls of these messages, by function
	why   string    // why there are no steps; "" there are
}

// printed is one message that the code prints.
type printed struct {
	texts    [][]string // constant pieces, by variant (two branches may say the same thing in other words)
	load     uint64     // instruction that loads the message
	function string
	before   []string // functions called since the message before
	calls    []string // functions called until the next message
	optional bool     // not on every path
}

// text is the message as one string, with an ellipsis where something is filled in.
func (p *printed) text() string { return strings.Join(p.texts[0], "...") }

// site is where a function prints a message or calls another function that does, to place a return address between
// messages.
type site struct {
	lo, hi uint64 // the function
	end    uint64 // end of the call instruction
	before int    // last step printed before the function began, -1 none
	step   int    // last step that has been printed when the call returned
}

const (
	maxDepth     = 3         // functions below the entry function that are followed
	maxFunctions = 64        // functions that are read at all
	maxCode      = 128 << 10 // bytes that are read of all of them
	maxSteps     = 256
	maxCalls     = 32 // called functions kept between two messages
)

// reader reads functions and follows calls.
type reader struct {
	c     *crash.Crash
	code  Code
	p     *profile.Profile
	print map[string]bool
	made  map[string]profile.StringNew
	names map[uint64]string
	read  map[uint64]bool // functions being read or done
	left  uint64          // bytes of code that may still be read
}

// readBinary decodes the profile's entry function and what it calls, and lists the messages that they print.
func readBinary(c *crash.Crash, code Code, p *profile.Profile) *codeMap {
	b := &codeMap{}
	if code == nil || len(p.Entry.Functions) == 0 || len(p.Entry.Print) == 0 {
		b.why = "the profile names no entry function or no printing function"
		return b
	}
	r := &reader{c: c, code: code, p: p, print: map[string]bool{}, made: map[string]profile.StringNew{},
		names: map[uint64]string{}, read: map[uint64]bool{}, left: maxCode}
	for _, s := range p.Entry.Print {
		r.print[s] = true
	}
	for _, s := range p.Entry.Strings {
		r.made[s.Symbol] = s
	}
	var sym symbols.Symbol
	for _, name := range p.Entry.Functions {
		if s, m, ok := code.Find(name); ok && m != nil && !s.IsData {
			sym, b.entry = s, name
			break
		}
	}
	if b.entry == "" {
		b.why = "the entry function was not found in the binary"
		return b
	}
	f, err := r.function(sym.Start, sym.Name, 0)
	if err != nil {
		b.why = fmt.Sprintf("%s could not be read: %v", b.entry, err)
		return b
	}
	b.flatten(f)
	if len(b.steps) == 0 {
		b.why = "no message constants were found in " + b.entry
	}
	return b
}

// function reads the function at addr and lists what it prints, with the functions it calls in their places.
func (r *reader) function(addr uint64, name string, depth int) (*function, error) {
	r.read[addr] = true
	lo, hi, _, ok := r.code.FuncRange(addr)
	if !ok || hi <= lo {
		return nil, fmt.Errorf("its bounds are not known")
	}
	n := min(hi-lo, r.left)
	code, _, err := r.code.Code(lo, int(n))
	r.left -= n
	if len(code) == 0 {
		if err == nil {
			err = fmt.Errorf("its code is not readable")
		}
		return nil, err
	}
	f := &function{lo: lo, hi: hi, name: name}
	f.walk(code, r)
	for i := range f.events {
		e := &f.events[i]
		if e.target == 0 || depth >= maxDepth || r.read[e.target] || len(r.read) >= maxFunctions || r.left == 0 || !r.follows(e.target) {
			continue
		}
		if sub, err := r.function(e.target, e.callee, depth+1); err == nil && sub.prints() {
			e.inside = sub
		}
	}
	f.keepMainPath(r.p)
	return f, nil
}

// follows reports whether a called function is the program's own: a runtime's or library's messages are not start-up
// messages of the program.
func (r *reader) follows(target uint64) bool {
	sym, m, ok := r.code.Lookup(crash.PC(target))
	if !ok || m == nil || !m.Main || sym.Start != target {
		return false
	}
	switch r.p.Classify(sym.Name, "", m.Path, m.Main).Kind {
	case profile.KindProgram, profile.KindOther:
		return true
	}
	return false
}

// endsProgram reports whether a function never returns: exit and whatever gives up.
func (r *reader) endsProgram(name string) bool {
	switch r.p.Classify(name, "", "", true).Part {
	case profile.PartPanic, profile.PartAbort, profile.PartEnd:
		return name != ""
	}
	return false
}

// callee names the function at a call target, without "@plt"; "" unknown.
func (r *reader) callee(target uint64) string {
	if name, ok := r.names[target]; ok {
		return name
	}
	name, ok := r.code.PLTName(target)
	if !ok {
		if sym, _, found := r.code.Lookup(crash.PC(target)); found && sym.Start == target {
			name = sym.Name
		}
	}
	name, _, _ = strings.Cut(name, "@")
	r.names[target] = name
	return name
}

// flatten lists the messages of f and of the functions in it, in order.
func (b *codeMap) flatten(f *function) {
	var pending []string
	var visit func(f *function)
	visit = func(f *function) {
		before := len(b.steps) - 1
		for i := range f.events {
			e := &f.events[i]
			switch {
			case e.dropped || len(b.steps) >= maxSteps:
			case e.texts != nil:
				if n := len(b.steps); n > 0 {
					b.steps[n-1].calls = pending
				}
				b.steps = append(b.steps, printed{texts: e.texts, load: e.load, function: f.name, before: pending, optional: e.optional})
				pending = nil
			case e.inside != nil:
				visit(e.inside)
			case e.callee != "" && len(pending) < maxCalls && (len(pending) == 0 || pending[len(pending)-1] != e.callee):
				pending = append(pending, e.callee)
			}
			if !e.dropped && (e.texts != nil || e.inside != nil) {
				b.sites = append(b.sites, site{lo: f.lo, hi: f.hi, end: e.end, before: before, step: len(b.steps) - 1})
			}
		}
	}
	visit(f)
	if n := len(b.steps); n > 0 {
		b.steps[n-1].calls = pending
	}
}
