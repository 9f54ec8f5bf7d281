package provenance

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// chain makes the public form of a path.
func (p *path) chain() *Chain {
	c := &Chain{Steps: p.steps, Origin: p.origin, Tier: p.tier, Stop: p.stop, Alternatives: p.others,
		Unchecked: !p.checked, Base: p.base, Returned: p.inside}
	if p.wrong != "" {
		c.Tier = Possible
		c.Stop = p.wrong
	}
	if len(c.Alternatives) > 8 {
		c.Alternatives = c.Alternatives[:8]
	}
	for _, s := range c.Steps {
		c.Tier = weaker(c.Tier, s.Tier)
	}
	return c
}

// Slice traces the bad value of f backwards, through the faulting function and as many callers as it takes, to where it
// was made. It returns nil when there is no bad value to trace: a stack overflow, a trap, an address without a register.
//
// The slice may show that a small address is NULL plus an offset that was added by an instruction of its own, as
// unoptimised code does for array elements. f is then corrected: its class becomes null.
func (a *Analyzer) Slice(f *Fault, st *symbols.Stack) *Chain {
	if f == nil || st == nil || len(st.Frames) == 0 || !f.AddressOK && !f.ValueOK && f.Operand == "" {
		return nil
	}
	t := a.newTrace(st)
	first := Step{Kind: StepFault, Addr: f.PC, Insn: f.Insn, Symbol: st.Frames[0].Symbol.Name, Arg: -1,
		Reg: f.Register, Value: f.Value, ValueOK: f.ValueOK, Text: f.sentence(), Tier: Certain}
	p := t.fromFault(f)
	if p == nil {
		return nil
	}
	c := p.then(first).chain()
	if r, ok := regByName(f.Base); ok && f.BaseOK {
		c.Object = a.Trace(0, crash.RegNum(r), st)
	}
	c.correct(f)
	return c
}

// offsetSteps is how close to the fault, in steps, an addition must be to count as the offset of a field or element.
const offsetSteps = 3

// correct makes a near-null fault a null one if the value is 0 before the faulting function added a constant to it.
func (c *Chain) correct(f *Fault) {
	if f.Class != ClassNearNull || !f.ValueOK {
		return
	}
	for i, s := range c.Steps {
		if i > offsetSteps || s.Frame != 0 || s.Tier == Possible {
			return
		}
		if s.Kind == StepArith && s.ValueOK && s.Value == 0 {
			f.becomesNull()
			return
		}
	}
}

// CorrectReturned does the same for a constant that any function on the way added to what a call had returned as a whole
// word. Only where programs compute with pointers is that NULL; elsewhere it is a number, and 0 was one too.
func (c *Chain) CorrectReturned(f *Fault) {
	if f.Class != ClassNearNull || !f.ValueOK || c.Origin != StepReturn || c.Tier == Possible {
		return
	}
	added := -1
	for i, s := range c.Steps {
		if s.Kind != StepArith {
			continue
		}
		if added >= 0 || !s.ValueOK || s.Value != 0 || !wholeWord(s.Insn) {
			return
		}
		added = i
	}
	if added < 0 {
		return
	}
	last := &c.Steps[len(c.Steps)-1]
	last.Tier = weaker(last.Tier, Likely) // it may have been a number all the same
	c.Tier = weaker(c.Tier, Likely)
	f.becomesNull()
}

// becomesNull: the small address was NULL with an offset added.
func (f *Fault) becomesNull() {
	f.Class, f.Looks = ClassNull, LooksNull
	f.Describe = "NULL" + plusText(int64(f.Address))
	f.Offset = int64(f.Address)
}

// wholeWord reports whether an instruction writes a 64-bit register, as pointer arithmetic does.
func wholeWord(text string) bool {
	_, operands, _ := strings.Cut(text, " ")
	dst, _, _ := strings.Cut(operands, ",")
	_, ok := regByName(dst)
	return ok
}

// sentence states the fault for the head of a chain.
func (f *Fault) sentence() string {
	what := string(f.Access)
	if what == "" {
		what = "fault"
	}
	switch {
	case f.BranchBad && f.BadRet:
		return fmt.Sprintf("a return went to %#x", f.Value)
	case f.BranchBad:
		return fmt.Sprintf("a call went to %#x", f.Value)
	case f.Class == ClassArithmetic:
		return fmt.Sprintf("%s: %s", f.Operand, f.Describe)
	case f.Register != "" && f.AddressOK:
		return fmt.Sprintf("%s of %#x through %s = %#x", what, f.Address, f.Register, f.Value)
	}
	return fmt.Sprintf("%s of %#x", what, f.Address)
}

func (t *trace) fromFault(f *Fault) *path {
	switch {
	case f.Class == ClassGuardPage && (f.Register == "rsp" || f.Register == "rbp" || f.Implicit):
		return nil
	case f.BranchBad && f.BadRet:
		return t.badReturn(f)
	case f.BranchBad && f.Branch != f.PC:
		return t.badCall(f)
	case f.Class == ClassIllegal:
		return nil
	}
	v, why := t.frame(0)
	if v == nil {
		return end(StepUnknown, why, Possible)
	}
	r, ok := regByName(f.Register)
	if ok {
		n := uint8(8)
		if f.Class == ClassArithmetic && f.Size > 0 {
			n = uint8(f.Size)
		}
		return t.follow(v, v.anchor, regPlace(r, 0, n), value{v: f.Value, ok: f.ValueOK}, 0)
	}
	if f.Class == ClassArithmetic && f.AddressOK {
		eff := v.fn.eff(v.anchor)
		src := eff.Writes[0].Src[len(eff.Writes[0].Src)-1]
		return t.fromMemory(v, v.anchor, src, regPlace(insn.Other, 0, src.Len), 0, value{v: f.Value, ok: f.ValueOK}, 0)
	}
	if f.ValueOK && f.Class == ClassNull {
		s := t.step(v, v.anchor, StepConst, regPlace(insn.Other, 0, 8), known(0))
		s.Text = "the address is written in the instruction itself"
		return end(StepConst, "a constant in the code", Certain).then(s)
	}
	return nil
}

func regByName(name string) (insn.Reg, bool) {
	for r := insn.Reg(0); r < 16; r++ {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// badReturn: the return address itself was overwritten; what overwrote it is not in this function's code.
func (t *trace) badReturn(f *Fault) *path {
	if f.Branch == f.PC { // stopped on the ret itself
		return end(StepLoad, "the return address on the stack was overwritten", Certain)
	}
	rsp := t.st.Frames[0].Regs[crash.RSP]
	s := Step{Kind: StepLoad, Insn: "ret", Arg: -1, Reg: "[rsp-0x8]", Value: f.Value, ValueOK: true, Tier: Certain,
		Text: "a ret took it from the stack, where the return address should have been"}
	if rsp.Known {
		s.Mem, s.MemOK = rsp.Value-8, true
	}
	return end(StepLoad, "the return address on the stack was overwritten", Certain).then(s)
}

// badCall continues in the frame that made the call. The callee has not run, so all registers are still the caller's.
func (t *trace) badCall(f *Fault) *path {
	k := -1
	for i := range t.st.Frames {
		fr := &t.st.Frames[i]
		if fr.Code.IsReturn && f.Branch != 0 && fr.Code.Addr > f.Branch && fr.Code.Addr-f.Branch <= insn.MaxLen {
			k = i
			break
		}
	}
	if k < 0 {
		return end(StepUnknown, "the frame that made the call is not known", Possible)
	}
	v, why := t.frame(k)
	if v == nil {
		return end(StepUnknown, why, Possible)
	}
	t.lendRegisters(v)
	if f.Slot != "" || f.TailCall {
		return t.stubCall(f, v)
	}
	eff := v.fn.eff(v.anchor)
	want := known(f.Value)
	switch eff.Branch.Kind {
	case insn.RegOperand:
		return t.follow(v, v.anchor, regPlace(eff.Branch.Reg, 0, 8), want, 0)
	case insn.MemOperand:
		return t.fromMemory(v, v.anchor, eff.Branch, regPlace(insn.Other, 0, 8), 0, want, 0)
	}
	s := t.step(v, v.anchor, StepConst, regPlace(insn.Other, 0, 8), want)
	s.Reg = ""
	s.Text = "the address is written in the call itself"
	return end(StepConst, "a constant in the code", Certain).then(s)
}

// lendRegisters gives the caller's view the registers that the thread still holds.
func (t *trace) lendRegisters(v *view) {
	th := t.st.Thread
	if th == nil || !th.RegsOK || v.frame != 1 {
		return
	}
	for r := crash.RegNum(0); r < 16; r++ {
		if !v.regs[r].Known && r != crash.RSP {
			v.regs[r] = symbols.Reg{Value: th.Regs.Get(r), Known: true, How: symbols.RegContext}
		}
	}
}

// stubCall: the call went through a linkage slot, or to code that jumped on.
func (t *trace) stubCall(f *Fault, v *view) *path {
	s := t.step(v, v.anchor, StepLoad, regPlace(insn.Other, 0, 8), known(f.Value))
	s.Reg = ""
	if f.Slot == "" {
		s.Kind, s.Tier = StepUnknown, Possible
		s.Text = fmt.Sprintf("%s went to other code, which jumped on to %#x", s.Insn, f.Value)
		return end(StepUnknown, "a frame is missing", Possible).then(s)
	}
	s.Mem, s.MemOK, s.Callee = f.SlotAddr, f.SlotAddr != 0, f.Slot
	s.Text = fmt.Sprintf("it was read from the slot for the address of %s", f.Slot)
	if f.Value == 0 {
		s.Text += ", which was never filled in: the name is not defined anywhere"
	}
	return end(StepLoad, "a linkage slot", Certain).then(s)
}

// Trace finds the origin of register reg as it was in a frame: before the faulting instruction of frame 0, before the
// call of any other.
func (a *Analyzer) Trace(frame int, reg crash.RegNum, st *symbols.Stack) *Chain {
	t := a.newTrace(st)
	v, why := t.frame(frame)
	if v == nil {
		return end(StepUnknown, why, Possible).chain()
	}
	if reg < 0 || reg > crash.R15 {
		return end(StepUnknown, "not a general register", Possible).chain()
	}
	return t.follow(v, v.anchor, regPlace(insn.Reg(reg), 0, 8), v.anchorReg(insn.Reg(reg)), 0).chain()
}
