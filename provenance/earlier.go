package provenance

import (
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// earlierReach bounds how many instructions before a frame's anchor are searched for calls.
const earlierReach = 400

// Earlier describes the calls that the function of a frame may have made before the one that it is in (or before the
// fault, for frame 0), nearest first and at most max: what was done with their results tells whether one was dropped. They
// lie on some path to the anchor; that they were taken is likely, not certain.
func (a *Analyzer) Earlier(st *symbols.Stack, frame, max int) []Call {
	budget := traceBudget
	v, _ := a.frameView(st, frame, &budget)
	if v == nil {
		return nil
	}
	var out []Call
	seen := map[int]bool{v.anchor: true}
	work := []int{v.anchor}
	for len(work) > 0 && len(seen) < earlierReach && len(out) < max {
		i := work[0]
		work = work[1:]
		v.fn.predecessors(i, func(p int) {
			if !seen[p] && v.fn.reach[p] {
				seen[p] = true
				work = append(work, p)
			}
		})
		if i != v.anchor && v.fn.nodes[i].flow == insn.FlowCall {
			out = append(out, a.CallIn(st, v.fn.nodes[i].addr, frame))
		}
	}
	return out
}
