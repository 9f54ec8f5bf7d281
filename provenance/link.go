package provenance

import (
	"sort"

	"meshdiag/crash"
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

// jumpTables reads the targets of switch jumps from the tables that the code points to.
func (a *Analyzer) jumpTables(f *function) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.flow != insn.FlowJump || n.target != 0 {
			continue
		}
		eff := f.eff(i)
		var targets []uint64
		switch eff.Branch.Kind {
		case insn.RegOperand:
			targets = a.relativeTable(f, i)
		case insn.MemOperand:
			if m := eff.Branch.Mem; m.Base == insn.NoReg && m.Index != insn.NoReg && m.Scale == 8 {
				targets = a.absoluteTable(f, i, uint64(m.Disp))
			}
		}
		for _, t := range targets {
			if at, ok := f.at(t); ok {
				f.tables[i] = append(f.tables[i], at)
			}
		}
		f.tables[i] = dedup(f.tables[i])
		if len(f.tables[i]) == 0 {
			delete(f.tables, i)
		}
	}
}

func dedup(s []int) []int {
	sort.Ints(s)
	out := s[:0]
	for i, v := range s {
		if i == 0 || v != s[i-1] {
			out = append(out, v)
		}
	}
	return out
}

const (
	tableWindow  = 16   // instructions before the jump that are searched for the table's address and bound
	tableEntries = 4096 // most entries that a table may have
)

// relativeTable: lea tbl; movsxd off, [tbl + idx*4]; add off, tbl; jmp off. The lea may stand far away, outside a loop.
func (a *Analyzer) relativeTable(f *function, i int) []uint64 {
	limit := f.tableBound(i)
	for k := i - 1; k >= 0 && k > i-tableWindow; k-- {
		for _, w := range f.eff(k).Writes {
			switch {
			case w.Kind == insn.Addr && w.Src[0].Mem.Base == insn.NoReg && w.Src[0].Mem.Index == insn.NoReg:
				if out := a.readTable(f, uint64(w.Src[0].Mem.Disp), limit); len(out) > 0 {
					return out
				}
			case w.Kind == insn.Sext && w.Src[0].Kind == insn.MemOperand && w.Src[0].Mem.Scale == 4 && w.Src[0].Mem.Base < 16:
				if out := a.tableAt(f, k, w.Src[0].Mem.Base, limit); len(out) > 0 {
					return out
				}
			}
		}
	}
	return nil
}

// tableAt finds the address of the table that register r holds at instruction k, nearest assignment first, and reads it.
func (a *Analyzer) tableAt(f *function, k int, r insn.Reg, limit int) []uint64 {
	for n := range f.nodes {
		at := k - 1 - n // before the load first, then from the function's end on
		if at < 0 {
			at += len(f.nodes)
		}
		if f.nodes[at].sum.Writes&(1<<r) == 0 {
			continue
		}
		for _, w := range f.eff(at).Writes {
			if w.Dst.Reg != r || w.Kind != insn.Addr || w.Src[0].Mem.Base != insn.NoReg || w.Src[0].Mem.Index != insn.NoReg {
				continue
			}
			if out := a.readTable(f, uint64(w.Src[0].Mem.Disp), limit); len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

// readTable reads distances from the table to places in the function.
func (a *Analyzer) readTable(f *function, table uint64, limit int) []uint64 {
	var out []uint64
	if f.contains(table) {
		return nil
	}
	for e := range limit {
		v, err := crash.ReadUint(a.crash.Memory, table+uint64(e)*4, 4)
		t := table + uint64(int64(int32(v)))
		if err != nil || !f.contains(t) {
			break
		}
		out = append(out, t)
	}
	return out
}

func (a *Analyzer) absoluteTable(f *function, i int, table uint64) []uint64 {
	var out []uint64
	for e := range f.tableBound(i) {
		v, err := crash.ReadUint64(a.crash.Memory, table+uint64(e)*8)
		if err != nil || !f.contains(v) {
			break
		}
		out = append(out, v)
	}
	return out
}

// tableBound is the number of entries that the comparison before the jump admits.
func (f *function) tableBound(i int) int {
	for k := i - 1; k >= 0 && k > i-tableWindow; k-- {
		n := &f.nodes[k]
		if n.flow == insn.FlowRet || n.flow == insn.FlowCall {
			break
		}
		if n.sum.Compare {
			for _, r := range f.eff(k).Reads {
				if r.Kind == insn.ImmOperand && r.Imm >= 0 && r.Imm < tableEntries {
					return int(r.Imm) + 1
				}
			}
		}
	}
	return tableEntries
}
