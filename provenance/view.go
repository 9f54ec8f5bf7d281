package provenance

import (
	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// view is one activation of a function: a frame of the stack at the instruction it stopped at (its anchor), or, without
// registers and frame, a function that has already returned.
type view struct {
	fn     *function
	frame  int // index in the physical stack; -1 for a function that is not on it
	anchor int // the faulting instruction, or the call that has not returned
	cfa    uint64
	cfaOK  bool
	regs   symbols.RegSet
	thread *crash.Thread
	trust  symbols.Trust
	values map[valueKey]value
	budget *int
	caller func() *view // the activation that called this one, nil when it is not known for sure
}

// value is a 64-bit value, if known.
type value struct {
	v    uint64
	ok   bool
	soft bool // only if no store whose address is not known changed it since
}

func known(v uint64) value { return value{v: v, ok: true} }

type valueKey struct {
	at  int
	reg insn.Reg
}

// frameView makes the view of frame k. It is nil when the frame's function cannot be analysed; why says so.
func (a *Analyzer) frameView(st *symbols.Stack, k int, budget *int) (v *view, why string) {
	if st == nil || k < 0 || k >= len(st.Frames) {
		return nil, "the stack ends here"
	}
	fr := &st.Frames[k]
	f := a.function(fr.Code.Lookup())
	if f == nil {
		return nil, "the bounds or the code of " + a.nameAt(fr.Code.Lookup()) + " are not known"
	}
	i, ok := f.index(fr.Code.Lookup())
	if !ok {
		return nil, "the code of " + a.nameAt(fr.Code.Lookup()) + " cannot be decoded"
	}
	if fr.Code.IsReturn && (f.nodes[i].flow != insn.FlowCall || f.nodes[i].end() != fr.Code.Addr) {
		return nil, a.nameAt(fr.Code.Lookup()) + " is not a call: the frame is not real"
	}
	v = &view{fn: f, frame: k, anchor: i, regs: fr.Regs, thread: st.Thread, trust: fr.Trust, values: map[valueKey]value{}, budget: budget}
	v.cfa, v.cfaOK = fr.CFA.Value, fr.CFA.Known
	return v, ""
}

// codeView is the view of a function that is not on the stack.
func codeView(f *function, anchor int, budget *int) *view {
	return &view{fn: f, frame: -1, anchor: anchor, values: map[valueKey]value{}, budget: budget}
}

func (v *view) anchorReg(r insn.Reg) value {
	n, ok := r.General()
	if !ok || v.frame < 0 || !v.regs[n].Known || v.regs[n].How == symbols.RegGuess {
		return value{}
	}
	return known(v.regs[n].Value)
}

// spend takes n from the trace's budget and reports whether there was that much.
func (v *view) spend(n int) bool {
	*v.budget -= n
	return *v.budget >= 0
}

// regAt is the value that register r held just before instruction i ran for the last time: still in the register, or
// made from something that can be looked up.
func (a *Analyzer) regAt(v *view, i int, r insn.Reg) value { return a.regAtDepth(v, i, r, 4) }

func (a *Analyzer) regAtDepth(v *view, i int, r insn.Reg, depth int) value {
	if val := v.anchorReg(r); i == v.anchor && (val.ok || v.frame <= 0) {
		return val
	}
	key := valueKey{i, r}
	if val, ok := v.values[key]; ok {
		return val
	}
	v.values[key] = value{} // a value that depends on itself is not known
	val := a.workOut(v, i, r, depth)
	v.values[key] = val
	return val
}

func (a *Analyzer) workOut(v *view, i int, r insn.Reg, depth int) value {
	if val := v.anchorReg(r); val.ok && i != v.anchor && a.survives(v, i-1, i, regPlace(r, 0, 8)) {
		return val
	}
	if depth == 0 {
		return value{}
	}
	r8 := a.reaching(v, i, regPlace(r, 0, 8), shortReach)
	if len(r8.defs) != 1 {
		return value{}
	}
	d := r8.defs[0]
	if d.kind == defEntry && v.caller != nil {
		if up := v.caller(); up != nil {
			return a.regAtDepth(up, up.anchor, r, depth-1)
		}
	}
	if d.kind != defWrite {
		return value{}
	}
	w := &v.fn.eff(d.at).Writes[d.write]
	if w.Dst.Lo != 0 || int(w.Dst.Len) < 8 {
		return value{}
	}
	return a.result(v, d.at, w, depth-1)
}

// result is the value that assignment w at instruction i made.
func (a *Analyzer) result(v *view, i int, w *insn.Write, depth int) value {
	switch w.Kind {
	case insn.Const:
		return known(uint64(w.Imm))
	case insn.Addr:
		return a.addressValue(v, i, w.Src[0].Mem, depth)
	case insn.Copy, insn.Zext, insn.Sext, insn.AddImm:
		src := a.operandAt(v, i, w.Src[0], depth)
		if !src.ok {
			return value{}
		}
		size := int(w.Src[0].Len)
		switch w.Kind {
		case insn.Sext:
			src.v = uint64(signed(src.v, size))
		case insn.AddImm:
			src.v = cut(src.v+uint64(w.Imm), size)
		default:
			src.v = cut(src.v, size)
		}
		return src
	}
	return value{}
}

// operandAt is the value that a source operand had at instruction i. Memory is read now, so it must not have been
// written since.
func (a *Analyzer) operandAt(v *view, i int, o insn.Operand, depth int) value {
	switch o.Kind {
	case insn.ImmOperand:
		return known(uint64(o.Imm))
	case insn.RegOperand:
		val := a.regAtDepth(v, i, o.Reg, depth)
		val.v >>= 8 * o.Lo
		return val
	case insn.MemOperand:
		if o.Len != 1 && o.Len != 2 && o.Len != 4 && o.Len != 8 {
			return value{}
		}
		p, soft, ok := a.memPlace(v, i, o, depth)
		if !ok {
			return value{}
		}
		val := a.content(v, p)
		val.soft = soft
		switch a.fate(v, i-1, i, p) {
		case no:
			return value{}
		case maybe:
			val.soft = true
		}
		return val
	}
	return value{}
}

// addressAt is the address that memory operand m had at instruction i.
func (a *Analyzer) addressAt(v *view, i int, m insn.Mem) value { return a.addressValue(v, i, m, 4) }

func (a *Analyzer) addressValue(v *view, i int, m insn.Mem, depth int) value {
	if off, ok := a.slotOf(v.fn, i, m); ok {
		return value{v: v.cfa + uint64(off), ok: v.cfaOK}
	}
	soft := false
	addr, ok := m.Address(func(r insn.Reg) (uint64, bool) {
		val := a.regAtDepth(v, i, r, depth)
		soft = soft || val.soft
		return val.v, val.ok
	}, func(s x86asm.Reg) (uint64, bool) {
		if v.thread == nil || !v.thread.RegsOK {
			return 0, false
		}
		if s == x86asm.FS {
			return v.thread.Regs.FSBase, true
		}
		return v.thread.Regs.GSBase, true
	})
	return value{addr, ok, soft}
}

// memPlace turns a memory operand of instruction i into a place: a slot of this frame where it is one, else an address.
// soft: the address was worked out on the assumption that no unknown store changed what it is made of.
func (a *Analyzer) memPlace(v *view, i int, o insn.Operand, depth int) (p place, soft, ok bool) {
	if off, ok := a.slotOf(v.fn, i, o.Mem); ok {
		return slotPlace(off, o.Len), false, true
	}
	addr := a.addressValue(v, i, o.Mem, depth)
	if !addr.ok {
		return place{}, false, false
	}
	return a.addressPlace(v, addr.v, o.Len), addr.soft, true
}

// addressPlace is the place at an address: a slot when it lies within the frame's own part of the stack.
func (a *Analyzer) addressPlace(v *view, addr uint64, size uint8) place {
	if v.cfaOK && addr < v.cfa && v.cfa-addr < maxFrame && v.frame >= 0 && v.regs[crash.RSP].Known && addr >= v.regs[crash.RSP].Value-128 {
		return slotPlace(int64(addr-v.cfa), size)
	}
	return place{kind: placeMem, addr: addr, n: size}
}

// maxFrame is the largest frame, in bytes, in which addresses are taken for slots.
const maxFrame = 16 << 20

// content reads what a place holds now.
func (a *Analyzer) content(v *view, p place) value {
	if p.n != 1 && p.n != 2 && p.n != 4 && p.n != 8 {
		return value{}
	}
	switch p.kind {
	case placeReg:
		val := v.anchorReg(p.reg)
		return value{v: cut(val.v>>(8*p.lo), int(p.n)), ok: val.ok}
	case placeSlot:
		if !v.cfaOK {
			return value{}
		}
		p.addr = v.cfa + uint64(p.off)
	}
	got, err := crash.ReadUint(a.crash.Memory, p.addr, int(p.n))
	return value{v: got, ok: err == nil}
}
