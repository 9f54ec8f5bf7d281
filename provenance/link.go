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
	f.rebuild()
	f.adoptOrphans()
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
// are none, to the calls: such a block is then the landing pad of an exception.
func (f *function) adoptOrphans() {
	var orphans, jumps, calls []int
	for i := range f.nodes {
		n := &f.nodes[i]
		head := i > 0 && f.nodes[i-1].end() != n.addr || i > 0 && f.stops(i-1)
		switch {
		case head && !f.reach[i] && f.predOf[i] == f.predOf[i+1] && !n.sum.Filler:
			orphans = append(orphans, i)
		case n.flow == insn.FlowJump && n.target == 0 && f.reach[i] && len(f.tables[i]) == 0:
			jumps = append(jumps, i)
		case n.flow == insn.FlowCall && f.reach[i]:
			calls = append(calls, i)
		}
	}
	from := jumps
	if len(from) == 0 {
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

// relativeTable: lea tbl; movsxd off, [tbl + idx*4]; add off, tbl; jmp off.
func (a *Analyzer) relativeTable(f *function, i int) []uint64 {
	limit := f.tableBound(i)
	for k := i - 1; k >= 0 && k > i-tableWindow; k-- {
		for _, w := range f.eff(k).Writes {
			if w.Kind != insn.Addr || w.Src[0].Mem.Base != insn.NoReg || w.Src[0].Mem.Index != insn.NoReg {
				continue
			}
			table := uint64(w.Src[0].Mem.Disp)
			if f.contains(table) {
				continue
			}
			var out []uint64
			for e := range limit {
				v, err := crash.ReadUint(a.crash.Memory, table+uint64(e)*4, 4)
				t := table + uint64(int64(int32(v)))
				if err != nil || !f.contains(t) {
					break
				}
				out = append(out, t)
			}
			if len(out) > 0 {
				return out
			}
		}
	}
	return nil
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
