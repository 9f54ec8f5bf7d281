package provenance

import (
	"fmt"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// Refused traces a pointer that a check in the code below frame refused, from the call by which it left frame: the
// argument whose value it is, or lies at most reach bytes behind. args are the candidates, from 0. It returns nil when no
// argument or several different ones could have carried it.
func (a *Analyzer) Refused(value, reach uint64, frame int, args []int, st *symbols.Stack) *Chain {
	if st == nil || frame < 1 || frame >= len(st.Frames) {
		return nil
	}
	var found *Chain
	arg, confirmed := -1, false
	for _, i := range args {
		c, sure := a.carried(value, reach, frame, crash.RegNum(argRegs[i]), st)
		switch {
		case c == nil || confirmed && !sure:
			continue
		case found != nil && confirmed == sure:
			return nil
		}
		found, arg, confirmed = c, i, sure
	}
	if found == nil {
		return nil
	}
	callee, caller := st.Frames[frame-1].Symbol.Name, st.Frames[frame].Symbol.Name
	v, _ := found.firstValue()
	head := []Step{
		{Kind: StepFault, Frame: frame - 1, Symbol: callee, Arg: -1, Value: value, ValueOK: true, Tier: Certain,
			Text: fmt.Sprintf("a check refused the pointer %#x", value)},
		{Kind: StepArg, Frame: frame - 1, Symbol: callee, Arg: arg, Reg: argRegs[arg].String(), Value: v, ValueOK: true, Tier: Likely,
			Text: fmt.Sprintf("%s is argument %d of %s (called in %s)", argRegs[arg], arg+1, callee, caller)},
	}
	found.Steps = append(head, found.Steps...)
	found.Tier = weaker(found.Tier, Likely)
	return found
}

// carried is the way back of an argument register if it can have carried value: by what is known of its value, or else by
// supposing that it did and asking the dump, which contradicts a wrong supposition where a slot or constant disagrees.
// sure is false when the dump would have let another value pass as well.
func (a *Analyzer) carried(value, reach uint64, frame int, reg crash.RegNum, st *symbols.Stack) (c *Chain, sure bool) {
	if c := a.supposed(unknown, frame, reg, st); c != nil && c.holdsValue() {
		first, _ := c.firstValue()
		if first == value || value != 0 && first != 0 && value-first < reach {
			return c, true
		}
		return nil, false
	}
	for off := uint64(0); off <= value && off < reach; off += 8 {
		if c := a.supposed(known(value-off), frame, reg, st); c != nil {
			return c, a.supposed(known(^(value-off)), frame, reg, st) == nil
		}
	}
	return nil, false
}

var unknown value

// supposed is the way back of a register that holds v, nil when the dump contradicts that.
func (a *Analyzer) supposed(want value, frame int, reg crash.RegNum, st *symbols.Stack) *Chain {
	t := a.newTrace(st)
	v, _ := t.frame(frame)
	if v == nil {
		return nil
	}
	r := insn.Reg(reg)
	if !want.ok {
		want = v.anchorReg(r)
	}
	p := t.follow(v, v.anchor, regPlace(r, 0, 8), want, 0)
	if p.wrong != "" {
		return nil
	}
	return p.chain()
}

func (c *Chain) holdsValue() bool {
	_, ok := c.firstValue()
	return ok
}

// firstValue is the value that the chain starts with.
func (c *Chain) firstValue() (uint64, bool) {
	for i := range c.Steps {
		if c.Steps[i].ValueOK {
			return c.Steps[i].Value, true
		}
	}
	return 0, false
}
