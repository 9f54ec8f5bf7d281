package heuristics

import (
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/provenance"
)

// view is what the heuristics have in common: the case seen from the question "which value was bad, and who handed it
// to whom". It states nothing that is not in the case.
type view struct {
	signal *crash.Signal // of the focus thread, else the one the process died of; nil none
	stack  stack         // trusted frames of the focus thread

	suspect, operation, context int    // indexes in stack; -1 none
	hidden                      string // function of the program below the suspect whose frame is gone (a tail call); "" none

	panic  *PanicSite // the panic that ended the process; nil when none did
	bad    *badValue  // the value that was used as an address; nil when no address was bad
	sites  []site     // calls over which the bad value travelled, from the fault outwards
	origin *provenance.Step
	result *provenance.Step // the call whose result the bad value was, when the chain ends in or passes one
}

// badValue is a value that was used as an address and is none.
type badValue struct {
	value  uint64
	known  bool
	class  provenance.Class
	looks  provenance.ValueKind
	text   string // the value in words
	inRust bool   // a debug build's own check refused it before the processor could
	index  bool   // it is an index that led away from a good base: no address itself
}

// facts computes the view once.
func (c *Case) facts() *view {
	if c.view != nil {
		return c.view
	}
	v := &view{suspect: -1, operation: -1, context: -1}
	c.view = v
	if c.Crash == nil {
		c.Crash = &crash.Crash{Focus: -1, Memory: crash.NoMemory{}}
	}
	v.signal = c.fatalSignal()
	v.panic = c.fatalPanic()
	v.stack = c.trusted()
	if v.panic != nil && v.stack.program() < 0 && len(v.panic.Frames) > 0 && len(v.panic.Infos) == len(v.panic.Frames) {
		v.stack = stack{v.panic.Frames, v.panic.Infos, c.Profile != nil} // it unwound: only the first sight still has the frames
	}
	v.suspect = v.stack.program()
	v.operation = v.stack.operation(v.suspect)
	v.context = v.stack.context(v.suspect)
	v.hidden = c.findHidden(v)
	v.bad = c.findBad(v)
	v.sites = c.findSites(v)
	if c.Chain != nil && len(c.Chain.Steps) > 1 {
		v.origin = &c.Chain.Steps[len(c.Chain.Steps)-1]
		if len(c.Chain.Alternatives) == 0 {
			v.result = c.findResult() // else the dump allows another origin just as well, and no call is said to have given it
		}
	}
	return v
}

// Changed makes the next question look at the case anew. Call it after changing which thread or stack a case is about.
func (c *Case) Changed() { c.view = nil }

// findResult is the call whose result the bad value was. A chain may climb down into what a call did: the call that the
// program itself made is the one that it can refuse; among several of those the one nearest to the origin.
func (c *Case) findResult() *provenance.Step {
	var first, own *provenance.Step
	for i := range c.Chain.Steps {
		s := &c.Chain.Steps[i]
		if s.Kind != provenance.StepReturn && s.Kind != provenance.StepOut {
			continue
		}
		if first == nil {
			first = s
		}
		if c.isProgram(s.Symbol) {
			own = s
		}
	}
	if own != nil {
		return own
	}
	return first
}

func (c *Case) fatalSignal() *crash.Signal {
	if t := c.Crash.FocusThread(); t != nil && t.Signal != nil {
		return t.Signal
	}
	return c.Crash.Outcome.Signal
}

// fatalPanic is the first panic that nobody caught: a later one is its consequence or happened on the way out.
func (c *Case) fatalPanic() *PanicSite {
	for i := range c.Panics {
		if p := &c.Panics[i]; !p.Caught && !p.Consequence {
			return p
		}
	}
	return nil
}

// is reports whether the signal is one of numbers.
func (v *view) is(numbers ...unix.Signal) bool {
	if v.signal == nil {
		return false
	}
	for _, n := range numbers {
		if v.signal.Number == int(n) {
			return true
		}
	}
	return false
}

// findBad is the bad address of the fault, or the one that a debug build's check refused: the same bug is a SIGSEGV in a
// release build and a panic in a debug build, and must be told alike.
func (c *Case) findBad(v *view) *badValue {
	if f := c.Fault; f != nil && memoryClass(f.Class) {
		b := &badValue{value: f.Value, known: f.ValueOK, class: f.Class, looks: f.Looks, text: f.Describe,
			index: f.BaseOK || f.IndexOnly}
		if b.text == "" {
			b.text = c.words(b.value, b.known)
		}
		return b
	}
	if v.panic == nil {
		return nil
	}
	value, known, ok := refusedPointer(v.panic.Message)
	if !ok {
		return nil
	}
	b := &badValue{value: value, known: known, inRust: true, class: provenance.ClassUnknown}
	if known {
		b.looks, b.class = c.classify(value)
	}
	b.text = c.words(value, known)
	return b
}

// memoryClass reports whether a fault of that class is about an address.
func memoryClass(k provenance.Class) bool {
	switch k {
	case provenance.ClassArithmetic, provenance.ClassIllegal, provenance.ClassUnknown, provenance.ClassPastFile:
		return false
	}
	return true
}

// refusedPointer reads the panics of Rust's debug checks (library/core/src/panicking.rs): the pointer that was refused,
// and whether its value is told.
func refusedPointer(message string) (value uint64, known, ok bool) {
	switch {
	case strings.Contains(message, "null pointer dereference occurred"):
		return 0, true, true
	case strings.Contains(message, "misaligned pointer dereference: address must be a multiple of"):
		_, hex, found := strings.Cut(message, " but is 0x")
		value, read := parseHex(hex)
		return value, found && read, true
	case strings.Contains(message, "unsafe precondition(s) violated") && strings.Contains(message, "non-null"):
		return 0, false, true
	}
	return 0, false, false
}

// parseHex reads the hexadecimal digits at the start of s.
func parseHex(s string) (value uint64, ok bool) {
	for i := 0; i < len(s) && i < 16; i++ {
		d := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if d < 0 {
			return value, i > 0
		}
		value = value<<4 | uint64(d)
	}
	return value, s != ""
}

// nearNullLimit is below what no Linux process maps by default (vm.mmap_min_addr is 64 KiB).
const nearNullLimit = 64 << 10

// classify gives a value that no instruction faulted on the same names that a fault's value has.
func (c *Case) classify(value uint64) (provenance.ValueKind, provenance.Class) {
	switch {
	case value == 0:
		return provenance.LooksNull, provenance.ClassNull
	case value < nearNullLimit:
		return provenance.LooksSmallInt, provenance.ClassNearNull
	}
	if c.Reader == nil {
		return "", provenance.ClassMisaligned
	}
	return c.Reader.Classify(value).Kind, provenance.ClassMisaligned
}

func (c *Case) words(value uint64, known bool) string {
	switch {
	case !known:
		return "a value that is not known"
	case value == 0:
		return "NULL"
	case c.Reader != nil:
		if t := c.Reader.Classify(value).Text; t != "" {
			return t
		}
	}
	return hex(value)
}
