package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
)

// returned ends the trace at the result of a call, and says what the callee's code shows about it.
func (t *trace) returned(v *view, d def, p place, want value, depth int) *path {
	n := &v.fn.nodes[d.at]
	s := t.step(v, d.at, StepReturn, p, want)
	s.CalleeAddr, s.Callee = t.callTarget(v, d.at)
	name := s.Callee
	if name == "" {
		name = "the function called"
	}
	s.Text = fmt.Sprintf("%s returned it to %s", name, t.a.nameAt(n.addr))
	out := end(StepReturn, "returned by a call", Certain)
	if d.unset {
		s.Tier = Likely
		s.Text = fmt.Sprintf("%s was called at %s and %s was taken for its result, but %s does not set %s", name, t.a.nameAt(n.addr), s.Reg, name, s.Reg)
		return end(StepReturn, "the callee does not return what the caller reads", Likely).then(s)
	}
	if c := t.a.Callee(s.CalleeAddr); p.kind == placeReg && p.reg == insn.RAX && c.Known && !c.Partial {
		if c.Returns == 0 && !c.FloatReturn {
			s.Tier = Likely
			s.Text = fmt.Sprintf("%s was called at %s and rax was taken for its result, but %s does not set rax on every way out", name, t.a.nameAt(n.addr), name)
			return end(StepReturn, "the callee does not return what the caller reads", Likely).then(s)
		}
	}
	if s.CalleeAddr != 0 && p.kind == placeReg {
		forks := t.forks // what the callee's exits cost is not taken from the chain itself
		exits, arg := t.explain(s.CalleeAddr, p, want, 0)
		t.forks = forks
		out.inside = exits
		if arg >= 0 && depth < maxHops/2 {
			s.Text += fmt.Sprintf(", which gives back its argument %d", arg+1)
			s.Tier = Likely
			return t.follow(v, d.at, regPlace(argRegs[arg], p.lo, p.n), want, depth+1).then(s)
		}
	}
	return out.then(s)
}

// callTarget is the function that call i of v went to: its address, and its raw name.
func (t *trace) callTarget(v *view, i int) (uint64, string) {
	n := &v.fn.nodes[i]
	if n.target != 0 {
		return t.a.resolve(n.target), t.a.calleeName(n.target)
	}
	eff := v.fn.eff(i)
	if m := eff.Branch.Mem; eff.Branch.Kind == insn.MemOperand && m.Base == insn.NoReg && m.Index == insn.NoReg {
		name, _ := t.a.code.GOTName(uint64(m.Disp))
		if target, ok := t.a.readWord(uint64(m.Disp)); ok && t.a.executable(target) {
			if name == "" {
				name = t.a.calleeName(target)
			}
			return t.a.resolve(target), name
		}
		return 0, name
	}
	if val := t.a.operandAt(v, i, eff.Branch, 4); val.ok && t.a.executable(val.v) {
		return t.a.resolve(val.v), t.a.calleeName(val.v)
	}
	return 0, ""
}

// maxExits is the most ways out of a callee that are told.
const maxExits = 4

// explain traces the result from every exit of the function at entry and returns the ends of those that can have given
// the value. arg is the argument that the function gives back, if that is the only way.
func (t *trace) explain(entry uint64, p place, want value, nested int) (ends []Step, arg int) {
	f := t.a.function(entry)
	if f == nil || f.lo != entry || nested >= maxNested || t.budget <= 0 {
		return nil, -1
	}
	total, possible := 0, 0
	arg = -1
	onlyArg := true
	for i := range f.nodes {
		if !f.reach[i] || !f.leaves(i) {
			continue
		}
		total++
		if total > 32 {
			return nil, -1
		}
		for _, last := range t.exitEnds(f, i, p, want, nested) {
			possible++
			if last.Kind == StepArg && last.Arg < 6 {
				arg = last.Arg
			} else {
				onlyArg = false
			}
			ends = append(ends, last)
		}
	}
	ends = dedupSteps(ends)
	for k := range ends {
		if len(ends) == 1 {
			ends[k].Text += fmt.Sprintf(" (the only one of %s that can give this value)", ways(total))
		}
	}
	if len(ends) > maxExits {
		ends = ends[:maxExits]
	}
	if !onlyArg || len(ends) != 1 {
		arg = -1
	}
	return ends, arg
}

func ways(n int) string {
	if n == 1 {
		return "1 way out"
	}
	return fmt.Sprintf("%d ways out", n)
}

func dedupSteps(s []Step) []Step {
	var out []Step
	for _, x := range s {
		seen := false
		for _, y := range out {
			seen = seen || x.Kind == y.Kind && x.Addr == y.Addr && x.Reg == y.Reg
		}
		if !seen {
			out = append(out, x)
		}
	}
	return out
}

// exitEnds follows the result backwards from one exit: every definition separately, because each is a way out.
func (t *trace) exitEnds(f *function, i int, p place, want value, nested int) []Step {
	if n := &f.nodes[i]; n.flow == insn.FlowJump {
		if n.target == 0 {
			return []Step{{Kind: StepUnknown, Frame: -1, Addr: n.addr, Insn: f.text(i), Symbol: f.name, Arg: -1, Tier: Possible,
				Text: t.a.nameAt(n.addr) + " jumps on to a function that is not known"}}
		}
		inner, _ := t.explain(t.a.resolve(n.target), p, want, nested+1)
		if len(inner) == 0 {
			inner = []Step{{Kind: StepReturn, Frame: -1, Addr: n.addr, Insn: f.text(i), Symbol: f.name, Arg: -1, Tier: Likely,
				Callee: t.a.calleeName(n.target), CalleeAddr: t.a.resolve(n.target),
				Text: fmt.Sprintf("%s jumps on to %s", t.a.nameAt(n.addr), t.a.calleeName(n.target))}}
		}
		return inner
	}
	v := codeView(f, i, &t.budget)
	got := t.a.reaching(v, i, p, fullReach)
	if got.cut {
		return nil
	}
	var out []Step
	for _, d := range got.defs {
		if t.forks++; t.forks > 4*maxForks {
			break
		}
		if d.kind == defReturn {
			out = append(out, t.nestedReturn(v, d, p, want, nested)...)
			continue
		}
		one := t.define(v, i, p, want, d, maxHops/2)
		if one.wrong != "" || one.loop || len(one.steps) == 0 {
			continue
		}
		last := one.steps[len(one.steps)-1]
		if last.Kind == StepConst || last.Kind == StepLoad {
			last.Text = fmt.Sprintf("%s: %s", t.a.nameAt(last.Addr), last.Text)
		}
		out = append(out, last)
	}
	return out
}

// nestedReturn: the callee passes on what another call returned.
func (t *trace) nestedReturn(v *view, d def, p place, want value, nested int) []Step {
	s := t.step(v, d.at, StepReturn, p, want)
	s.CalleeAddr, s.Callee = t.callTarget(v, d.at)
	s.Text = fmt.Sprintf("%s passes on what %s returned", t.a.nameAt(s.Addr), orUnnamed(s.Callee))
	inner, _ := t.explain(s.CalleeAddr, p, want, nested+1)
	if s.CalleeAddr != 0 && t.a.function(s.CalleeAddr) != nil && len(inner) == 0 && want.ok && nested+1 < maxNested {
		c := t.a.Callee(s.CalleeAddr)
		if c.Known && !c.Partial && c.Returns > 0 && c.ReturnsConst {
			return nil // it returns other constants only
		}
	}
	if len(inner) == 1 {
		return inner
	}
	return []Step{s}
}

// writtenByCall ends the trace at a call that was given a pointer to the wanted bytes.
func (t *trace) writtenByCall(v *view, d def, p place, want value) *path {
	s := t.step(v, d.at, StepOut, p, want)
	s.CalleeAddr, s.Callee = t.callTarget(v, d.at)
	s.Arg = d.arg
	s.Text = fmt.Sprintf("%s was given the address of %s as argument %d", orUnnamed(s.Callee), s.Reg, d.arg+1)
	if d.arg < 0 {
		s.Text = fmt.Sprintf("%s has a pointer to %s", orUnnamed(s.Callee), s.Reg)
	}
	if d.off != 0 {
		s.Text += fmt.Sprintf(" (minus %#x)", d.off)
	}
	tier := Likely
	switch {
	case d.sure:
		s.Text += " and writes there"
	case d.partly:
		s.Text += " and writes there on some of its ways, not on all"
		s.Assumed = append(s.Assumed, "the callee took a way on which it writes there")
		tier = Possible
	default:
		s.Text += " and may have written it"
		s.Assumed = append(s.Assumed, "the callee writes it: its code does not show it")
	}
	s.Tier = weaker(s.Tier, tier)
	return end(StepOut, "written by a call through a pointer", Likely).then(s)
}
