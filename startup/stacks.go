package startup

import "meshdiag/symbols"

// fromStacks places the phase by the return address in the frames of the entry function and of those below it that
// print: the messages before it in the code were printed. It assumes that the compiler kept the messages in the order
// of the code, as it does for a straight main path.
func (t *Timeline) fromStacks(bin *codeMap, stacks []symbols.Stack) {
	if len(bin.sites) == 0 {
		return
	}
	for i := range stacks {
		for j := range stacks[i].Frames { // innermost first: the deepest printing function knows best
			f := &stacks[i].Frames[j]
			if f.Trust == symbols.TrustScan {
				continue
			}
			step, ok := bin.stepAt(f.Code.Lookup())
			if !ok {
				continue
			}
			t.From = "stack"
			t.Last = t.indexOf(bin, step)
			t.Why = "by the place in " + f.Symbol.Name + " that the stack returns to, among the messages that it prints in order"
			return
		}
	}
}

// stepAt is the last of the binary's steps that was printed when the code at addr runs; -1 before the first. ok is false
// when addr lies in no function that prints.
func (b *codeMap) stepAt(addr uint64) (step int, ok bool) {
	for i := range b.sites {
		s := &b.sites[i]
		if addr < s.lo || addr >= s.hi {
			continue
		}
		if !ok {
			step, ok = s.before, true
		}
		if s.end <= addr { // the call has returned
			step = max(step, s.step)
		}
	}
	return step, ok
}

// indexOf finds a step of the binary in the timeline.
func (t *Timeline) indexOf(bin *codeMap, step int) int {
	if step < 0 {
		return -1
	}
	for i := range t.Steps {
		if t.Steps[i].CodeAddr == bin.steps[step].load {
			return i
		}
	}
	return -1
}
