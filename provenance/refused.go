package provenance

import (
	"fmt"

	"meshdiag/crash"
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
		c := a.Trace(frame, crash.RegNum(argRegs[i]), st)
		v, ok := c.firstValue()
		if !ok || v != value && (value == 0 || v == 0 || value-v >= reach) {
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

// firstValue is the value that the chain starts with.
func (c *Chain) firstValue() (uint64, bool) {
	for i := range c.Steps {
		if c.Steps[i].ValueOK {
			return c.Steps[i].Value, true
		}
	}
	return 0, false
}
