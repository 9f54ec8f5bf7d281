package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
)

// fromMemory continues behind a load. rel is how far into the operand the wanted bytes begin.
func (t *trace) fromMemory(v *view, i int, o insn.Operand, p place, rel uint64, want value, depth int) *path {
	o.Mem.Disp += int64(rel)
	o.Len = p.n
	src, soft, ok := t.a.memPlace(v, i, o, 4)
	var out *path
	switch {
	case !ok:
		return t.unknownLoad(v, i, o, p, want, depth)
	case src.kind == placeSlot:
		out = t.reload(v, i, src, p, want, depth)
	default:
		out = t.load(v, i, o, src, p, want, depth)
	}
	if soft {
		t.applyAssumptions(out, []string{"the pointer that it was read through was not changed since"})
	}
	return out
}

// reload continues at a stack slot of the same frame.
func (t *trace) reload(v *view, i int, src, p place, want value, depth int) *path {
	s := t.step(v, i, StepCopy, src, want)
	s.Text = fmt.Sprintf("%s was read from the stack slot %s", t.a.placeName(v, i, p), s.Reg)
	if v.cfaOK {
		s.Mem, s.MemOK = v.cfa+uint64(src.off), true
	}
	if wrong, sure := t.disagrees(v, i, src, want); wrong != "" {
		if sure {
			s.Text += ", " + wrong
			out := end(StepUnknown, "the slot was overwritten after it was read, in a way that this function does not show", Possible).then(s)
			out.wrong = out.stop
			return out
		}
		s.Tier = weaker(s.Tier, Likely)
	}
	return t.follow(v, i, src, want, depth+1).then(s)
}

// disagrees compares what the place holds now with what was read from it. A difference is only a contradiction (sure)
// when nothing in the function wrote the place since.
func (t *trace) disagrees(v *view, i int, src place, want value) (wrong string, sure bool) {
	now := t.a.content(v, src)
	if !now.ok || !want.ok || now.v == cut(want.v, int(src.n)) {
		return "", false
	}
	return fmt.Sprintf("which now holds %#x, not %#x: overwritten since", now.v, want.v), t.a.survives(v, i, i, src)
}

// load continues at memory outside the frame. Inside an outer frame's stack the trace goes on; elsewhere it goes on only
// to a store that this function is seen to make, and ends at the memory otherwise.
func (t *trace) load(v *view, i int, o insn.Operand, src, p place, want value, depth int) *path {
	s := t.step(v, i, StepLoad, p, want)
	s.Reg = o.Mem.String()
	s.Mem, s.MemOK = src.addr, true
	s.Text = fmt.Sprintf("%s was loaded from %s", t.a.placeName(v, i, p), t.a.describePlace(src.addr, o.Mem))
	now := t.a.readNow(src.addr, int(src.n))
	switch {
	case now.ok && want.ok && now.v == cut(want.v, int(src.n)):
		s.Text += ", which still holds it"
	case now.ok && want.ok:
		s.Text += fmt.Sprintf(", which now holds %#x: overwritten since", now.v)
		s.Tier = Likely
	}
	if m := t.a.mapping(src.addr); m != nil && writable(m) {
		if next := t.throughMemory(v, i, src, want, depth); next != nil {
			return next.then(s)
		}
	}
	out := end(StepLoad, "it stood in memory; who wrote it there is not known", Certain)
	if now.ok && want.ok && now.v != cut(want.v, int(src.n)) {
		out.wrong = s.Text
	}
	out.base = t.baseOf(v, i, o.Mem, depth)
	return out.then(s)
}

// throughMemory looks for the store that made the memory at src: in this function, or, for memory on the stack, in the
// callers up to the frame that owns it. nil when it cannot be told.
func (t *trace) throughMemory(v *view, i int, src place, want value, depth int) *path {
	onStack := t.ownerFrame(v, src.addr) >= 0
	got := t.a.reaching(v, i, src, fullReach)
	if got.cut || len(got.defs) != 1 || len(got.assumed) > 2 {
		return nil
	}
	d := got.defs[0]
	switch {
	case d.kind == defWrite && !d.partial:
	case d.kind == defEntry && onStack:
	default:
		return nil
	}
	next := t.define(v, i, src, want, d, depth+1)
	if next.wrong != "" || len(next.steps) == 0 {
		return nil
	}
	t.applyAssumptions(next, got.assumed)
	return next
}

// ownerFrame is the outer frame whose part of the stack holds addr, -1 if none.
func (t *trace) ownerFrame(v *view, addr uint64) int {
	if t.st == nil || v.frame < 0 {
		return -1
	}
	for k := v.frame; k < len(t.st.Frames); k++ {
		fr := &t.st.Frames[k]
		if k > v.frame && gap(t.st, k) {
			return -1
		}
		low := uint64(0)
		if k > 0 && t.st.Frames[k-1].CFA.Known {
			low = t.st.Frames[k-1].CFA.Value
		}
		if fr.CFA.Known && addr < fr.CFA.Value && addr >= low && low != 0 {
			return k
		}
		if fr.Switch != "" {
			return -1
		}
	}
	return -1
}

// describePlace names the memory that was loaded from.
func (a *Analyzer) describePlace(addr uint64, m insn.Mem) string {
	if name, ok := a.code.GOTName(addr); ok {
		return fmt.Sprintf("the slot for the address of %s", name)
	}
	info := a.Classify(addr)
	switch {
	case info.Symbol != "":
		return info.Symbol
	case info.Kind == LooksHeap || info.Kind == LooksStack || info.Kind == LooksData || info.Kind == LooksRodata || info.Kind == LooksFile:
		return fmt.Sprintf("%s = %#x in %s", m, addr, info.Region)
	}
	return fmt.Sprintf("%s = %#x", m, addr)
}

// unknownLoad ends at a load whose address can no longer be worked out.
func (t *trace) unknownLoad(v *view, i int, o insn.Operand, p place, want value, depth int) *path {
	s := t.step(v, i, StepLoad, p, want)
	s.Reg = o.Mem.String()
	s.Text = fmt.Sprintf("%s was loaded from %s, whose address is not known any more", t.a.placeName(v, i, p), s.Reg)
	out := end(StepLoad, "it stood in memory; who wrote it there is not known", Certain)
	out.base = t.baseOf(v, i, o.Mem, depth)
	return out.then(s)
}

// baseOf says where the pointer came from through which the value was loaded.
func (t *trace) baseOf(v *view, i int, m insn.Mem, depth int) *Chain {
	if m.Base == insn.NoReg || m.Base >= 16 || m.Base == insn.RSP || depth >= maxHops-1 {
		return nil
	}
	if t.forks++; t.forks > maxForks {
		return nil
	}
	val := t.a.regAt(v, i, m.Base)
	p := t.follow(v, i, regPlace(m.Base, 0, 8), val, depth+maxHops/maxNested)
	return p.chain()
}
