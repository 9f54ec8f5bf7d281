package provenance

import (
	"sort"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

const (
	tableWindow  = 16   // instructions before the jump that are searched for the table's load, base and bound
	tableEntries = 4096 // most entries that a table may have
)

// jumpTables reads the targets of switch jumps and computed gotos from the tables that the code points to.
func (a *Analyzer) jumpTables(f *function) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.flow != insn.FlowJump || n.target != 0 {
			continue
		}
		eff := f.eff(i)
		switch eff.Branch.Kind {
		case insn.RegOperand:
			f.tables[i] = dedup(a.relativeTable(f, i, eff.Branch.Reg))
		case insn.MemOperand:
			if m := eff.Branch.Mem; m.Base == insn.NoReg && m.Index != insn.NoReg && m.Scale == 8 {
				f.tables[i] = dedup(a.absoluteTable(f, i, uint64(m.Disp)))
			}
		}
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

// relativeTable reads the table of distances that jump i takes its target from:
//
//	lea table, [rip+..]; movsxd off, [table + idx*4]; add off, base; jmp off
//
// Compilers take the table itself as the base; a computed goto may take any label of the function (glibc's vfprintf). The
// lea may stand far away, outside a loop.
func (a *Analyzer) relativeTable(f *function, i int, target insn.Reg) []int {
	limit := f.tableBound(i)
	base := insn.NoReg
	for k := i - 1; k >= 0 && k > i-tableWindow; k-- {
		for _, w := range f.eff(k).Writes {
			if w.Dst.Kind != insn.RegOperand {
				continue
			}
			if r, ok := addedTo(&w, target); ok && base == insn.NoReg {
				base = r
			}
			if w.Kind != insn.Sext || w.Src[0].Kind != insn.MemOperand || w.Src[0].Mem.Scale != 4 || w.Src[0].Mem.Base >= 16 {
				continue
			}
			table := w.Src[0].Mem.Base
			if base == insn.NoReg || base == w.Dst.Reg {
				base = table
			}
			return a.tableThrough(f, k, i, table, base, limit)
		}
	}
	return nil
}

// addedTo is the register that an addition adds to the jump's target, or that the target is added to.
func addedTo(w *insn.Write, target insn.Reg) (other insn.Reg, ok bool) {
	if w.Kind != insn.Arith || w.Dst.Reg != target || len(w.Src) != 2 || w.Src[0].Kind != insn.RegOperand || w.Src[1].Kind != insn.RegOperand {
		return insn.NoReg, false
	}
	if w.Src[0].Reg == target {
		return w.Src[1].Reg, true
	}
	return w.Src[0].Reg, true
}

// tableThrough reads the table whose address is in register table at instruction load; base is the register that is added
// before the jump at i.
func (a *Analyzer) tableThrough(f *function, load, i int, table, base insn.Reg, limit int) []int {
	for _, t := range f.addresses(load, table) {
		if f.contains(t) {
			continue
		}
		if base == table {
			if out := a.readTable(f, t, t, limit); len(out) > 0 {
				return out
			}
			continue
		}
		for _, b := range f.addresses(i, base) {
			if out := a.readTable(f, t, b, limit); len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

// addresses lists the constant addresses that the function loads into register r, those nearest before instruction k
// first, then from the function's end on.
func (f *function) addresses(k int, r insn.Reg) []uint64 {
	var out []uint64
	for n := range f.nodes {
		at := k - 1 - n
		if at < 0 {
			at += len(f.nodes)
		}
		if f.nodes[at].sum.Writes&(1<<r) == 0 {
			continue
		}
		for _, w := range f.eff(at).Writes {
			if w.Dst.Kind == insn.RegOperand && w.Dst.Reg == r && w.Kind == insn.Addr && w.Src[0].Mem.Base == insn.NoReg && w.Src[0].Mem.Index == insn.NoReg {
				out = append(out, uint64(w.Src[0].Mem.Disp))
			}
		}
	}
	return out
}

// readTable reads distances from base to instructions of the function, up to the first that leads to none.
func (a *Analyzer) readTable(f *function, table, base uint64, limit int) []int {
	var out []int
	for e := range limit {
		v, err := crash.ReadUint(a.crash.Memory, table+uint64(e)*4, 4)
		if err != nil {
			break
		}
		i, ok := f.at(base + uint64(int64(int32(v))))
		if !ok {
			break
		}
		out = append(out, i)
	}
	return out
}

func (a *Analyzer) absoluteTable(f *function, i int, table uint64) []int {
	var out []int
	for e := range f.tableBound(i) {
		v, err := crash.ReadUint64(a.crash.Memory, table+uint64(e)*8)
		if err != nil {
			break
		}
		to, ok := f.at(v)
		if !ok {
			break
		}
		out = append(out, to)
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
