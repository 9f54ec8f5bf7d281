package provenance

import (
	"sort"

	"meshdiag/provenance/insn"
)

// link builds the predecessors and what is reachable from the entry.
func (a *Analyzer) link(f *function) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.flow == insn.FlowCall {
			n.last = a.endsAfterCall(f, i)
		}
	}
	a.jumpTables(f)
	a.landingPads(f)
	f.rebuild()
	f.adoptOrphans()
}

// landingPads adds the ways from calls to where exceptions that pass through them continue.
func (a *Analyzer) landingPads(f *function) {
	for _, part := range f.code {
		pads, err := a.code.LandingPads(part.start)
		if err != nil {
			f.padsLost = true // the pads stay orphans and are joined to all calls
			continue
		}
		for _, p := range pads {
			pad, ok := f.at(p.Pad)
			if p.Pad == 0 || !ok {
				continue
			}
			i, _ := f.index(p.Lo)
			for ; i < len(f.nodes) && f.nodes[i].addr < p.Hi; i++ {
				if f.nodes[i].flow == insn.FlowCall {
					f.tables[i] = append(f.tables[i], pad)
				}
			}
		}
	}
}

// rebuild fills preds and reach from the successors.
func (f *function) rebuild() {
	n := len(f.nodes)
	f.preds = f.preds[:0]
	for i := range n {
		f.successors(i, func(s int) { f.preds = append(f.preds, [2]int32{int32(s), int32(i)}) })
	}
	sort.Slice(f.preds, func(i, j int) bool {
		if f.preds[i][0] != f.preds[j][0] {
			return f.preds[i][0] < f.preds[j][0]
		}
		return f.preds[i][1] < f.preds[j][1]
	})
	f.predOf = make([]int32, n+1)
	at := 0
	for i := range n {
		for at < len(f.preds) && int(f.preds[at][0]) < i {
			at++
		}
		f.predOf[i] = int32(at)
	}
	f.predOf[n] = int32(len(f.preds))
	f.reach = make([]bool, n)
	if entry, ok := f.at(f.lo); ok {
		f.mark(entry)
	}
}

// mark marks everything that is reachable from i.
func (f *function) mark(i int) {
	stack := []int{i}
	f.reach[i] = true
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		f.successors(i, func(s int) {
			if !f.reach[s] {
				f.reach[s] = true
				stack = append(stack, s)
			}
		})
	}
}

// adoptOrphans joins blocks that nothing leads to, to the indirect jumps whose table could not be read, or, when there
// are none and the exception table could not be read either, to the calls: such a block may be a landing pad.
func (f *function) adoptOrphans() {
	var orphans, jumps, calls []int
	for i := range f.nodes {
		n := &f.nodes[i]
		switch {
		case f.orphan(i):
			orphans = append(orphans, i)
		case n.flow == insn.FlowJump && n.target == 0 && f.reach[i] && len(f.tables[i]) == 0:
			jumps = append(jumps, i)
		case n.flow == insn.FlowCall && f.reach[i]:
			calls = append(calls, i)
		}
	}
	from := jumps
	if len(from) == 0 && f.padsLost {
		from = calls
	}
	if len(orphans) == 0 || len(from) == 0 || len(orphans)*len(from) > 1<<16 {
		return
	}
	for _, j := range from {
		f.tables[j] = append(f.tables[j], orphans...)
	}
	f.guessed = true
	f.rebuild()
}

// orphan reports whether instruction i begins a block that nothing leads to: it stands behind one where execution never
// goes on, padding apart.
func (f *function) orphan(i int) bool {
	if i == 0 || f.reach[i] || f.nodes[i].sum.Filler {
		return false
	}
	before := i - 1
	for before > 0 && f.nodes[before].sum.Filler && !f.reach[before] {
		before--
	}
	if !f.stops(before) && f.nodes[before].end() == f.nodes[before+1].addr {
		return false
	}
	jumpedTo := false
	f.predecessors(i, func(p int) { jumpedTo = jumpedTo || p != i-1 })
	return !jumpedTo
}

// stops reports whether execution never continues behind instruction i.
func (f *function) stops(i int) bool {
	n := &f.nodes[i]
	return n.last || n.flow == insn.FlowJump || n.flow == insn.FlowRet || n.flow == insn.FlowTrap
}

// endsAfterCall reports whether call i never returns: its target is known for that or has no way back, or no code of
// the function follows.
func (a *Analyzer) endsAfterCall(f *function, i int) bool {
	n := &f.nodes[i]
	if i+1 >= len(f.nodes) || f.nodes[i+1].addr != n.end() {
		return true
	}
	if f.nodes[i+1].flow == insn.FlowTrap {
		return true
	}
	return n.target != 0 && a.neverReturns(n.target)
}
