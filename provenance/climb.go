package provenance

import (
	"fmt"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// climb continues a value that was there when the function was entered: in the caller.
func (t *trace) climb(v *view, use int, p place, want value, depth int) *path {
	s := t.entryStep(v, p, want)
	if s.Kind == StepUninit {
		return end(StepUninit, "it was never written in this call", Likely).then(s)
	}
	if v.frame < 0 {
		return end(s.Kind, "an argument of "+v.fn.name, Certain).then(s)
	}
	if _, ok := v.fn.at(v.fn.lo); !ok {
		return end(StepUnknown, "the function's entry is not known", Possible).then(s)
	}
	if t.isStart(v) {
		return end(s.Kind, "what the program was started with", Certain).then(s)
	}
	caller, stop := t.caller(v)
	if stop != "" {
		return end(s.Kind, stop, Certain).then(s)
	}
	call := caller.anchor
	target, _ := t.callTarget(caller, call)
	if target != 0 && target != v.fn.lo {
		return t.throughTailCall(v, caller, target, p, want, s, depth)
	}
	if target == 0 { // an indirect call: where it went is known only from the frame that it made
		s.Tier = weaker(s.Tier, Likely)
		s.Assumed = append(s.Assumed, fmt.Sprintf("the indirect call at %s went to %s, and not by way of another function", t.a.nameAt(caller.fn.nodes[call].addr), orUnnamed(v.fn.name)))
	}
	next, ok := t.inCaller(v, caller, p)
	if !ok {
		return end(s.Kind, "where the caller keeps it is not known", Possible).then(s)
	}
	if s.Kind == StepArg {
		s.Text += fmt.Sprintf(" (called at %s)", t.a.nameAt(caller.fn.nodes[call].addr))
	}
	return t.follow(caller, call, next, want, depth+1).then(s)
}

// entryStep says what the place is at the function's entry: an argument, a register kept for the caller, or nothing yet.
func (t *trace) entryStep(v *view, p place, want value) Step {
	entry, _ := v.fn.at(v.fn.lo)
	s := t.step(v, min(entry, len(v.fn.nodes)-1), StepCopy, p, want)
	s.Insn = ""
	switch {
	case p.kind == placeSlot && p.off >= 0:
		s.Kind, s.Arg = StepArg, 6+int(p.off/8)
		s.Text = fmt.Sprintf("it is stack argument %d of %s", s.Arg, orUnnamed(v.fn.name))
	case p.kind == placeSlot && p.off < -8:
		s.Kind, s.Tier = StepUninit, Likely
		s.Text = fmt.Sprintf("the stack slot %s was never written in this call: it holds what an earlier one left", s.Reg)
	case p.kind == placeSlot:
		s.Text = "it is the return address"
	case p.kind == placeMem:
		s.Kind, s.Mem, s.MemOK = StepCopy, p.addr, true
		s.Text = fmt.Sprintf("it stood there when %s was called", orUnnamed(v.fn.name))
	case argIndex(p.reg) >= 0:
		s.Kind, s.Arg = StepArg, argIndex(p.reg)
		s.Text = fmt.Sprintf("%s is argument %d of %s", s.Reg, s.Arg+1, orUnnamed(v.fn.name))
	case p.reg.Vector():
		s.Kind = StepArg
		s.Text = fmt.Sprintf("%s is a floating-point argument of %s", s.Reg, orUnnamed(v.fn.name))
	case calleeSaved(p.reg):
		s.Text = fmt.Sprintf("%s was kept for the caller of %s", s.Reg, orUnnamed(v.fn.name))
	default:
		s.Kind, s.Tier = StepUninit, Possible
		s.Text = fmt.Sprintf("%s was never set in %s", s.Reg, orUnnamed(v.fn.name))
	}
	return s
}

func orUnnamed(name string) string {
	if name == "" {
		return "this function"
	}
	return name
}

// isStart: the caller is libc's start-up code, so that the arguments are those of the process or of a thread.
func (t *trace) isStart(v *view) bool {
	if t.st == nil || v.frame+1 >= len(t.st.Frames) {
		return false
	}
	switch t.st.Frames[v.frame+1].Symbol.Name {
	case "__libc_start_call_main", "__libc_start_main", "__libc_start_main_impl", "start_thread", "_start":
		return true
	}
	return false
}

// caller is the view of the frame that called v, or the reason why there is none.
func (t *trace) caller(v *view) (*view, string) {
	k := v.frame
	if t.st == nil || k+1 >= len(t.st.Frames) {
		return nil, "the outermost known frame was reached"
	}
	next := &t.st.Frames[k+1]
	switch {
	case next.Switch != "":
		return nil, fmt.Sprintf("the stack begins here (%s)", next.Switch)
	case gap(t.st, k+1):
		return nil, "the frames between were not kept"
	case next.Signal || !next.Code.IsReturn:
		return nil, "the kernel called it to handle a signal"
	case next.Trust == symbols.TrustScan:
		return nil, "the next frame was only found by scanning the stack: it may not be the caller"
	}
	c, why := t.frame(k + 1)
	if c == nil {
		return nil, why
	}
	return c, ""
}

// sureCaller is the view of the caller of v if the call there is known to have gone to v's function.
func (t *trace) sureCaller(v *view) *view {
	c, stop := t.caller(v)
	if stop != "" {
		return nil
	}
	if target, _ := t.callTarget(c, c.anchor); target != v.fn.lo {
		return nil
	}
	return c
}

// gap reports whether frames are missing just inside frame k, so that it is not the caller of frame k-1.
func gap(st *symbols.Stack, k int) bool { return st.Elided > 0 && k == st.ElidedAt }

// inCaller is the place at the call in the caller that is p at the entry of the callee.
func (t *trace) inCaller(v, caller *view, p place) (place, bool) {
	switch p.kind {
	case placeReg:
		return p, true
	case placeMem:
		return t.a.addressPlace(caller, p.addr, p.n), true
	}
	if v.cfaOK && caller.cfaOK {
		return slotPlace(p.off+int64(v.cfa-caller.cfa), p.n), true
	}
	h := t.a.height(caller.fn, caller.anchor)
	if h.rsp == noHeight || h.rsp == unseen {
		return place{}, false
	}
	return slotPlace(p.off-int64(h.rsp), p.n), true
}

// throughTailCall: the caller called another function, which must have jumped on to this one. That function has no frame
// of its own any more; if the jump is found in it, the trace goes through it.
func (t *trace) throughTailCall(v, caller *view, entry uint64, p place, want value, s Step, depth int) *path {
	middle := t.a.function(entry)
	missing := fmt.Sprintf("it was entered by a jump, not by the call at %s: a frame is missing", t.a.nameAt(caller.fn.nodes[caller.anchor].addr))
	if middle == nil || middle.lo != entry || p.kind == placeSlot {
		return end(s.Kind, missing, Possible).then(s)
	}
	jump := -1
	for i := range middle.nodes {
		n := &middle.nodes[i]
		if middle.reach[i] && n.flow == insn.FlowJump && n.target != 0 && t.a.resolve(n.target) == v.fn.lo {
			if jump >= 0 {
				return end(s.Kind, missing, Possible).then(s)
			}
			jump = i
		}
	}
	if jump < 0 {
		return end(s.Kind, missing, Possible).then(s)
	}
	s.Text += fmt.Sprintf(", entered by a jump from %s: that frame is missing", t.a.nameAt(middle.nodes[jump].addr))
	s.Tier = weaker(s.Tier, Likely)
	m := codeView(middle, jump, &t.budget)
	m.frame, m.cfa, m.cfaOK, m.thread, m.trust = v.frame, v.cfa, v.cfaOK, v.thread, v.trust
	m.regs[crash.RSP] = v.regs[crash.RSP]
	return t.follow(m, jump, p, want, depth+1).then(s)
}
