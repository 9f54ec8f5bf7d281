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
	arg := -1
	for _, i := range args {
		c := a.carried(value, reach, frame, crash.RegNum(argRegs[i]), st)
		if c == nil {
			continue
		}
		if found != nil {
			return nil
		}
		found, arg = c, i
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
func (a *Analyzer) carried(value, reach uint64, frame int, reg crash.RegNum, st *symbols.Stack) *Chain {
	t := a.newTrace(st)
	v, _ := t.frame(frame)
	if v == nil {
		return nil
	}
	r := insn.Reg(reg)
	if c := t.follow(v, v.anchor, regPlace(r, 0, 8), v.anchorReg(r), 0).chain(); c.holdsValue() {
		first, _ := c.firstValue()
		if first == value || value != 0 && first != 0 && value-first < reach {
			return c
		}
		return nil
	}
	for off := uint64(0); off <= value && off < reach; off += 8 {
		p := a.newTrace(st).follow(v, v.anchor, regPlace(r, 0, 8), known(value-off), 0)
		if p.wrong == "" {
			return p.chain()
		}
	}
	return nil
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
