package provenance

import (
	"sort"

	"meshdiag/provenance/insn"
)

// outReach is how far behind a pointer that is passed to a call, in bytes, the object is taken to extend.
const outReach = 256

// lea is an instruction that takes the address of a slot. call is the call that it makes the address for, -1 when it
// does something else with it.
type lea struct {
	off  int64
	call int
	arg  int
}

// escapes reports whether a pointer to the slot at off may exist: the function takes the address of the slot or of one
// shortly below it. Where objects end is not known, so this errs on the side of yes.
func (f *function) escapes(a *Analyzer, off int64) bool { return len(f.leasNear(a, off)) > 0 }

// leaked reports whether a pointer to the slot may live on: its address was not only passed to functions that are known
// to let go of it.
func (f *function) leaked(a *Analyzer, off int64) bool {
	for _, l := range f.leasNear(a, off) {
		if l.call < 0 || !a.letsGo(f.nodes[l.call].target, l.arg) {
			return true
		}
	}
	return false
}

// leasNear are the addresses taken from which the slot at off may be reached.
func (f *function) leasNear(a *Analyzer, off int64) []lea {
	f.findLeas(a)
	hi := sort.Search(len(f.leas), func(i int) bool { return f.leas[i].off > off })
	lo := sort.Search(hi, func(i int) bool { return off-f.leas[i].off < outReach })
	return f.leas[lo:hi]
}

// callMayWrite reports whether call j may write the slot at off.
func (a *Analyzer) callMayWrite(f *function, j int, off int64) bool {
	for _, ps := range a.passedSlots(f, j) {
		if ps.off <= off && off-ps.off < outReach && a.writesThrough(f.nodes[j].target, ps.arg, off-ps.off) != no {
			return true
		}
	}
	return f.leaked(a, off)
}

// findLeas collects the slots whose address is taken other than to move the stack or frame pointer.
func (f *function) findLeas(a *Analyzer) {
	if f.leasOK {
		return
	}
	f.leasOK = true
	made := map[int]lea{} // for which call, by the instruction that makes the address
	for j := range f.nodes {
		if f.nodes[j].flow != insn.FlowCall {
			continue
		}
		for _, ps := range a.passedSlots(f, j) {
			made[ps.at] = lea{off: ps.off, call: j, arg: ps.arg}
		}
	}
	for i := range f.nodes {
		if !f.nodes[i].sum.TakesStack {
			continue
		}
		for _, w := range f.eff(i).Writes {
			if off, ok := a.addressTaken(f, i, &w); ok {
				l, known := made[i]
				if !known || l.off != off {
					l = lea{off: off, call: -1}
				}
				f.leas = append(f.leas, l)
			}
		}
	}
	sort.SliceStable(f.leas, func(i, j int) bool { return f.leas[i].off < f.leas[j].off })
}

// letsGo: the function at target keeps no copy of its argument and passes none on.
func (a *Analyzer) letsGo(target uint64, arg int) bool {
	if target == 0 {
		return false
	}
	c := a.parameters(target)
	p := c.Reads[arg]
	return c.Known && !c.Partial && !c.Variadic && !p.Leaks && !p.Forwarded
}

// addressTaken: w puts the address of a slot into a register or stores it.
func (a *Analyzer) addressTaken(f *function, i int, w *insn.Write) (off int64, ok bool) {
	if w.Dst.Kind == insn.RegOperand && (w.Dst.Reg == insn.RSP || w.Dst.Reg == insn.RBP) || len(w.Src) == 0 {
		return 0, false
	}
	src := w.Src[0]
	switch {
	case w.Kind == insn.Addr && (src.Mem.Base == insn.RSP || src.Mem.Base == insn.RBP):
		m := src.Mem
		m.Index = insn.NoReg // an indexed address points into the object that starts here
		return a.slotOf(f, i, m)
	case w.Kind == insn.Copy && src.Kind == insn.RegOperand && src.Len == 8 && (src.Reg == insn.RSP || src.Reg == insn.RBP):
		if f.nodes[i].move.Kind == insn.StackAdd { // push rbp saves the caller's
			return 0, false
		}
		return a.slotOf(f, i, insn.Mem{Base: src.Reg, Index: insn.NoReg})
	}
	return 0, false
}

// passedSlot is an argument register that holds the address of a slot at a call.
type passedSlot struct {
	arg int
	off int64
	at  int // the instruction that makes the address
}

// passedSlots finds the arguments of call j that point into the frame, by looking back over the instructions before it.
func (a *Analyzer) passedSlots(f *function, j int) []passedSlot {
	if got, ok := f.passed[j]; ok {
		return got
	}
	want := map[insn.Reg]int{} // register whose value is wanted -> argument
	for n, r := range argRegs {
		want[r] = n
	}
	var out []passedSlot
	for i := j - 1; i >= 0 && i > j-40 && len(want) > 0; i-- {
		n := &f.nodes[i]
		if n.flow != insn.FlowNext || n.end() != f.nodes[i+1].addr {
			break
		}
		for k := range f.eff(i).Writes {
			w := &f.eff(i).Writes[k]
			arg, wanted := want[w.Dst.Reg]
			if w.Dst.Kind != insn.RegOperand || !wanted {
				continue
			}
			delete(want, w.Dst.Reg)
			if off, ok := a.addressTaken(f, i, w); ok {
				out = append(out, passedSlot{arg, off, i})
			} else if w.Kind == insn.Copy && w.Src[0].Kind == insn.RegOperand && w.Src[0].Len == 8 {
				if _, taken := want[w.Src[0].Reg]; !taken {
					want[w.Src[0].Reg] = arg
				}
			}
		}
	}
	f.passed[j] = out
	return out
}
