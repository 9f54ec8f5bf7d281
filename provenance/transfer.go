package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
)

// assign continues behind an assignment that made the wanted bytes.
func (t *trace) assign(v *view, i int, w *insn.Write, p place, want value, depth int) *path {
	start := int64(w.Dst.Lo)
	if w.Dst.Kind == insn.MemOperand {
		start = t.destStart(v, i, w, p)
	}
	switch w.Kind {
	case insn.Const:
		return t.constant(v, i, w, p, want, uint64(w.Imm)>>(8*min(uint64(p.start()-start), 8)))
	case insn.Copy:
		return t.source(v, i, w.Src[0], p, start, want, depth)
	case insn.Zext, insn.Sext:
		return t.extended(v, i, w, p, start, want, depth)
	case insn.Addr:
		return t.address(v, i, w, p, want, depth)
	case insn.AddImm:
		return t.added(v, i, w, p, want, depth)
	case insn.Select:
		return t.selected(v, i, w, p, start, want, depth)
	case insn.Bool:
		s := t.step(v, i, StepArith, p, want)
		s.Text = s.Insn + " makes 0 or 1 of a comparison"
		out := end(StepArith, "it is the result of a comparison", Certain).then(s)
		if want.ok && want.v > 1 {
			out.wrong = "a comparison cannot give it"
		}
		return out
	case insn.Kernel:
		s := t.step(v, i, StepSyscall, p, want)
		s.Text = "a system call returned it"
		return end(StepSyscall, "the kernel returned it", Certain).then(s)
	case insn.Arith:
		return t.computed(v, i, w, p, want, depth)
	}
	s := t.step(v, i, StepUnknown, p, want)
	s.Text = s.Insn + " makes it in a way that is not followed"
	return end(StepUnknown, s.Insn+" is not followed", Possible).then(s)
}

// destStart is where the destination of a store begins, in the space of p.
func (t *trace) destStart(v *view, i int, w *insn.Write, p place) int64 {
	if off, ok := t.a.slotOf(v.fn, i, w.Dst.Mem); ok {
		if p.kind == placeSlot {
			return off
		}
		return int64(v.cfa) + off
	}
	addr := t.a.addressAt(v, i, w.Dst.Mem)
	switch {
	case !addr.ok:
		return p.start()
	case p.kind == placeSlot:
		return int64(addr.v - v.cfa)
	}
	return int64(addr.v)
}

func (t *trace) constant(v *view, i int, w *insn.Write, p place, want value, c uint64) *path {
	c = cut(c, int(p.n))
	s := t.step(v, i, StepConst, p, known(c))
	s.Text = fmt.Sprintf("%s is set to the constant %s", s.Reg, constText(c))
	out := end(StepConst, "a constant in the code", Certain).then(s)
	if want.ok && cut(want.v, int(p.n)) != c {
		out.wrong = fmt.Sprintf("the constant is %#x, not %#x", c, want.v)
	}
	return out
}

func constText(c uint64) string {
	if c < 10 {
		return fmt.Sprintf("%d", c)
	}
	return fmt.Sprintf("%#x", c)
}

// source continues at the source of a copy.
func (t *trace) source(v *view, i int, o insn.Operand, p place, start int64, want value, depth int) *path {
	if o.Kind == insn.MemOperand {
		return t.fromMemory(v, i, o, p, uint64(p.start()-start), want, depth)
	}
	src := p.within(regPlace(o.Reg, o.Lo, o.Len), start)
	s := t.step(v, i, StepCopy, src, want)
	s.Text = fmt.Sprintf("%s was copied from %s", t.a.placeName(v, i, p), s.Reg)
	if t.a.placeName(v, i, p) == s.Reg {
		s.Text = fmt.Sprintf("%s keeps %s", s.Insn, s.Reg)
	}
	return t.follow(v, i, src, want, depth+1).then(s)
}

// extended continues behind movzx, movsx and 32-bit moves, whose upper bytes are made up.
func (t *trace) extended(v *view, i int, w *insn.Write, p place, start int64, want value, depth int) *path {
	o := w.Src[0]
	rel := p.start() - start
	if rel >= int64(o.Len) {
		return t.constant(v, i, w, p, want, 0)
	}
	narrow := min(p.n, o.Len-uint8(rel))
	wrong := ""
	if want.ok && narrow < p.n {
		made := cut(want.v, int(narrow))
		if w.Kind == insn.Sext {
			made = cut(uint64(signed(want.v, int(narrow))), int(p.n))
		}
		if made != cut(want.v, int(p.n)) {
			wrong = fmt.Sprintf("%#x does not fit the %d bytes that were moved", want.v, narrow)
		}
	}
	cutPlace := p
	cutPlace.n = narrow
	out := t.source(v, i, o, cutPlace, start, value{v: cut(want.v, int(narrow)), ok: want.ok}, depth)
	if wrong != "" && out.wrong == "" {
		out.wrong = wrong
	}
	if narrow < p.n && len(out.steps) > 0 {
		how := "zero"
		if w.Kind == insn.Sext {
			how = "sign"
		}
		s := &out.steps[0]
		if s.Kind == StepCopy {
			s.Text = fmt.Sprintf("%s is %s", w.Dst, s.Reg)
		}
		s.Text += fmt.Sprintf(", %s-extended from %d bits", how, int(narrow)*8)
	}
	return out
}

// address continues behind a lea: the address of a slot or of data ends the trace, a sum continues with its base.
func (t *trace) address(v *view, i int, w *insn.Write, p place, want value, depth int) *path {
	m := w.Src[0].Mem
	s := t.step(v, i, StepConst, p, want)
	if m.Base == insn.NoReg && m.Index == insn.NoReg {
		c := t.constant(v, i, w, p, want, uint64(m.Disp))
		c.steps[0].Text = fmt.Sprintf("%s is set to the address of %s", s.Reg, t.a.dataName(uint64(m.Disp)))
		return c
	}
	if off, ok := t.a.slotOf(v.fn, i, m); ok {
		s.Text = fmt.Sprintf("%s is set to the address of the stack slot %s", s.Reg, t.a.placeName(v, i, slotPlace(off, 8)))
		out := end(StepConst, "the address of a local variable", Certain).then(s)
		if want.ok && v.cfaOK && v.cfa+uint64(off) != want.v {
			out.wrong = fmt.Sprintf("the slot is at %#x", v.cfa+uint64(off))
		}
		return out
	}
	if m.Index == insn.NoReg {
		return t.sum(v, i, m.Base, m.Disp, p, want, depth)
	}
	return t.indexed(v, i, m, p, want, depth)
}

// indexed continues behind lea r, [b+i*s+d] with the term that explains the value: if one of them is known, with the other.
func (t *trace) indexed(v *view, i int, m insn.Mem, p place, want value, depth int) *path {
	base, index := m.Base, m.Index
	if base == insn.NoReg {
		return t.parts(v, i, p, want, "the product of "+index.String())
	}
	iv := t.a.regAt(v, i, index)
	if iv.ok {
		return t.sum(v, i, base, m.Disp+int64(iv.v*uint64(m.Scale)), p, want, depth)
	}
	return t.parts(v, i, p, want, fmt.Sprintf("the sum of %s and %s", base, index))
}

// parts ends at a computation whose inputs cannot be told apart.
func (t *trace) parts(v *view, i int, p place, want value, what string) *path {
	s := t.step(v, i, StepArith, p, want)
	s.Text = fmt.Sprintf("%s computes %s as %s", s.Insn, s.Reg, what)
	return end(StepArith, "it was computed from several values", Certain).then(s)
}

// sum continues behind r + k.
func (t *trace) sum(v *view, i int, r insn.Reg, k int64, p place, want value, depth int) *path {
	src := regPlace(r, 0, p.n)
	before := value{v: cut(want.v-uint64(k), int(p.n)), ok: want.ok}
	s := t.step(v, i, StepArith, src, before)
	s.Text = fmt.Sprintf("%s: %s is the pointer here", s.Insn, r)
	if k != 0 {
		s.Text = fmt.Sprintf("%s makes %s of %s%s", s.Insn, t.a.placeName(v, i, p), r, plusText(k))
	}
	return t.follow(v, i, src, before, depth+1).then(s)
}

func (t *trace) added(v *view, i int, w *insn.Write, p place, want value, depth int) *path {
	o := w.Src[0]
	if p.kind == placeReg && (p.lo != 0 || o.Len < 8 && p.n < 4) {
		return t.parts(v, i, p, want, "a sum")
	}
	size := min(p.n, o.Len)
	before := value{v: cut(want.v-uint64(w.Imm), int(size)), ok: want.ok}
	s := t.step(v, i, StepArith, p, before)
	s.Text = fmt.Sprintf("%s adds %d to it", s.Insn, w.Imm)
	if o.Kind == insn.MemOperand {
		src, _, ok := t.a.memPlace(v, i, o, 4)
		if !ok {
			return end(StepArith, "it was computed in memory", Likely).then(s)
		}
		src.n = size
		return t.follow(v, i, src, before, depth+1).then(s)
	}
	return t.follow(v, i, regPlace(o.Reg, o.Lo, size), before, depth+1).then(s)
}

// computed continues behind other arithmetic if there is only one input that is not a constant, or if all but one are
// known and small, so that the other must be the pointer.
func (t *trace) computed(v *view, i int, w *insn.Write, p place, want value, depth int) *path {
	var inputs []insn.Operand
	for _, o := range w.Src {
		if o.Kind != insn.ImmOperand {
			inputs = append(inputs, o)
		}
	}
	s := t.step(v, i, StepArith, p, want)
	s.Text = s.Insn + " computes it"
	if len(inputs) == 1 && inputs[0].Kind == insn.RegOperand && p.kind == placeReg {
		src := regPlace(inputs[0].Reg, inputs[0].Lo, inputs[0].Len)
		return t.follow(v, i, src, value{}, depth+1).then(s)
	}
	if in := v.fn.insn(i); in.Mnemonic() == "add" && len(inputs) == 2 && p.kind == placeReg && inputs[0].Len == 8 {
		for n, o := range inputs {
			other := inputs[1-n]
			val := t.a.operandAt(v, i, other, 4)
			if o.Kind == insn.RegOperand && val.ok && t.a.mapping(val.v) == nil {
				return t.sum(v, i, o.Reg, int64(val.v), p, want, depth)
			}
		}
	}
	return end(StepArith, "it was computed from several values", Certain).then(s)
}

// selected continues behind cmov and cmpxchg with whichever source fits.
func (t *trace) selected(v *view, i int, w *insn.Write, p place, start int64, want value, depth int) *path {
	var paths []*path
	for _, o := range w.Src {
		if t.forks++; t.forks > maxForks {
			break
		}
		cutPlace := p
		cutPlace.n = min(p.n, o.Len)
		paths = append(paths, t.source(v, i, o, cutPlace, start, want, depth))
	}
	return t.choose(paths)
}
