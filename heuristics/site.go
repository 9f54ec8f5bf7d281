package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// site is one call over which the bad value travelled, seen from both sides.
type site struct {
	call   *provenance.Call  // nil when the calling code could not be analysed
	callee provenance.Callee // Known is false when the called code could not be analysed
	ext    *profile.Extern   // nil when the callee is no runtime function
	arg    int               // which argument was bad, from 0; -1 not known
	from   int               // frame of the caller
	to     int               // frame of the callee
	symbol string            // of the callee
}

// argRegs are the integer argument registers in order (System V psABI x86-64, section 3.2.3).
var argRegs = [6]string{"rdi", "rsi", "rdx", "rcx", "r8", "r9"}

// longestInsn bounds how far before a return address its call can start.
const longestInsn = 15

// activeCall is the call in a caller's frame that has not returned yet.
func (c *Case) activeCall(st stack, frame int) *provenance.Call {
	if frame < 0 || frame >= len(st.frames) {
		return nil
	}
	ret := st.frames[frame].Code.Addr
	for i := range c.Calls {
		k := &c.Calls[i]
		if k.Frame == frame && k.Site < ret && ret-k.Site <= longestInsn {
			return k
		}
	}
	return nil
}

// callAt is the analysed call instruction at an address.
func (c *Case) callAt(addr uint64) *provenance.Call {
	for i := range c.Calls {
		if addr != 0 && c.Calls[i].Site == addr {
			return &c.Calls[i]
		}
	}
	return nil
}

// calleeOf is what the machine code of a call's target says, by the call, by an address or by the name.
func (c *Case) calleeOf(call *provenance.Call, addr uint64, symbol string) provenance.Callee {
	for _, a := range []uint64{addr, target(call)} {
		if f, ok := c.Callees[a]; ok && a != 0 {
			return f
		}
	}
	for _, f := range c.Callees {
		if symbol != "" && f.Symbol == symbol {
			return f
		}
	}
	return provenance.Callee{}
}

func target(call *provenance.Call) uint64 {
	if call == nil {
		return 0
	}
	return call.Target
}

// ownFrame reports whether a frame is the program's own code.
func (c *Case) ownFrame(st stack, i int) bool {
	k := st.kind(i)
	return k == profile.KindProgram || k == profile.KindOther && c.Profile == nil
}

// findSites lists the calls into, out of and inside the program's own code that the chain crossed. Without a chain it is the call out of the suspect's frame, and the
// argument is the one that was prepared with the bad value.
func (c *Case) findSites(v *view) []site {
	var out []site
	if c.Chain != nil {
		for i := range c.Chain.Steps {
			s := &c.Chain.Steps[i]
			if s.Kind != provenance.StepArg || s.Frame < 0 || s.Frame+1 >= len(v.stack.frames) {
				continue
			}
			// A crossing inside the runtime or a library is not between two sides that were built apart.
			if k := c.siteAt(v.stack, s.Frame+1, s.Frame, s.Arg); c.ownFrame(v.stack, k.from) || c.ownFrame(v.stack, k.to) {
				out = append(out, k)
			}
		}
	}
	if len(out) == 0 && v.bad != nil && v.suspect > 0 {
		if s := c.siteAt(v.stack, v.suspect, v.stack.boundary(v.suspect), -1); s.to >= 0 {
			s.arg = s.preparedWith(v.bad)
			out = append(out, s)
		}
	}
	return out
}

func (c *Case) siteAt(st stack, from, to, arg int) site {
	s := site{from: from, to: to, arg: arg, call: c.activeCall(st, from), symbol: st.symbol(to)}
	start := uint64(0)
	if to >= 0 && to < len(st.frames) {
		s.ext, start = st.infos[to].Extern, st.frames[to].Symbol.Start
	}
	if c.jumpedOn(s.call, start, s.symbol) {
		s.call = nil // it was entered by a jump: the call in the caller's frame was of another function
	}
	s.callee = c.calleeOf(s.call, start, s.symbol)
	return s
}

// jumpedOn reports whether the function that a call went to is not the one that runs: it has jumped on (a tail call) and
// its frame is gone.
func (c *Case) jumpedOn(call *provenance.Call, start uint64, symbol string) bool {
	if call == nil || call.Callee == "" || symbol == "" || strings.TrimSuffix(call.Callee, "@plt") == symbol {
		return false
	}
	return start != 0 && call.Target != 0 && call.Target != start && call.CalleeLo != start
}

// findHidden is the function of the program whose frame is missing just above the innermost frames that are not the
// program's: it made a tail call into the runtime. "" when there is none. What it called is then the operation.
func (c *Case) findHidden(v *view) string {
	if f := c.Fault; f != nil && f.BranchBad && f.TailCall {
		if call := c.activeCall(v.stack, 1); call != nil && c.isProgram(call.Callee) {
			return call.Callee
		}
	}
	for i := 0; i+1 < len(v.stack.frames) && (v.suspect < 0 || i < v.suspect); i++ {
		call := c.activeCall(v.stack, i+1)
		if c.jumpedOn(call, v.stack.frames[i].Symbol.Start, v.stack.symbol(i)) && c.isProgram(call.Callee) {
			v.operation = v.stack.operation(i + 1) // what the function asked for whose frame is gone
			return call.Callee
		}
	}
	return ""
}

// misalignedReach is how far behind a pointer a field may lie that a debug build refused as misaligned.
const misalignedReach = 64

// preparedWith is the one argument that the caller set to the bad value; -1 when none or several are.
func (s *site) preparedWith(b *badValue) int {
	if s.call == nil || !b.known {
		return -1
	}
	found := -1
	for i, p := range s.call.Prepared {
		near := p.Value == b.value || b.inRust && b.value != 0 && p.Value != 0 && b.value-p.Value < misalignedReach
		if !p.Set || !p.ValueOK || !near {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// prepared is what the caller put in the bad argument, ok false when that is not known.
func (s *site) prepared() (provenance.ArgUse, bool) {
	if s.call == nil || s.arg < 0 || s.arg >= len(s.call.Prepared) {
		return provenance.ArgUse{}, false
	}
	return s.call.Prepared[s.arg], true
}

// use is how the callee uses the bad argument.
func (s *site) use() provenance.ParamUse {
	if !s.callee.Known || s.arg < 0 || s.arg >= len(s.callee.Reads) {
		return provenance.ParamUse{}
	}
	return s.callee.Reads[s.arg]
}

// defined is the class that the runtime gives the bad argument, "" unknown. Classes are counted over integer registers:
// a double takes none.
func (s *site) defined() profile.Class {
	if s.ext == nil {
		return ""
	}
	return classAt(s.ext.Params, s.arg)
}

// declared is the class that the compiler declares for the bad argument.
func (s *site) declared() profile.Class {
	if s.ext == nil || !s.ext.Declared {
		return ""
	}
	return classAt(s.ext.DeclParams, s.arg)
}

func classAt(params []profile.Class, reg int) profile.Class {
	for _, p := range params {
		if p == "double" {
			continue
		}
		if reg == 0 {
			return p
		}
		reg--
	}
	return ""
}

// number reports whether a value of that class is a number and never an address.
func number(k profile.Class) bool {
	switch k {
	case "i64", "i32", "i8", "i1":
		return true
	}
	return false
}

// registers counts the integer registers that a parameter list takes.
func registers(params []profile.Class) int {
	n := 0
	for _, p := range params {
		if p != "double" {
			n++
		}
	}
	return n
}

// preparedCount is how many argument registers the caller sets, from rdi on without a gap.
func preparedCount(call *provenance.Call) int {
	n := 0
	for _, p := range call.Prepared {
		if !p.Set {
			break
		}
		n++
	}
	return n
}

// readCount is one more than the last argument register that the callee reads.
func readCount(f *provenance.Callee) int {
	n := 0
	for i, r := range f.Reads {
		if r.Read {
			n = i + 1
		}
	}
	return n
}

// last is the outermost call that the bad value crossed: its caller is where the chain ends.
func (v *view) last() *site {
	if len(v.sites) == 0 {
		return nil
	}
	return &v.sites[len(v.sites)-1]
}

// entry is the crossing from the program's code into the runtime or a library; nil when there is none.
func (v *view) entry() *site {
	for i := range v.sites {
		if v.sites[i].from == v.suspect {
			return &v.sites[i]
		}
	}
	return nil
}

// argument names an argument for people: "argument 2 (rsi)".
func argument(i int) string {
	if i < 0 || i >= len(argRegs) {
		return "an argument"
	}
	return fmt.Sprintf("argument %d (%s)", i+1, argRegs[i])
}

func hex(v uint64) string { return fmt.Sprintf("%#x", v) }

// frameOf is the index of a step's frame when it is a trusted one, else -1.
func (v *view) frameOf(s *provenance.Step) int {
	if s == nil || s.Frame < 0 || s.Frame >= len(v.stack.frames) {
		return -1
	}
	return s.Frame
}
