package provenance

import (
	"fmt"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// place is a run of bytes whose value is wanted at some point of one activation.
type place struct {
	kind placeKind
	reg  insn.Reg
	lo   uint8  // register: first byte
	off  int64  // slot: first byte, relative to the canonical frame address
	addr uint64 // memory: first byte
	n    uint8  // bytes
}

type placeKind uint8

const (
	placeReg placeKind = iota
	placeSlot
	placeMem
)

func regPlace(r insn.Reg, lo, n uint8) place { return place{kind: placeReg, reg: r, lo: lo, n: n} }
func slotPlace(off int64, n uint8) place     { return place{kind: placeSlot, off: off, n: n} }

// start is the first byte in the place's own space.
func (p place) start() int64 {
	switch p.kind {
	case placeReg:
		return int64(p.lo)
	case placeSlot:
		return p.off
	}
	return int64(p.addr)
}

// overlap relates a write of size bytes at start (same space) to p.
func (p place) overlap(start int64, size int) (hits, covers bool) {
	end, pEnd := start+int64(size), p.start()+int64(p.n)
	return start < pEnd && p.start() < end, start <= p.start() && end >= pEnd
}

// within is the source place for the bytes of p when the write's destination began at start and its source at src.
func (p place) within(src place, start int64) place {
	rel := p.start() - start
	src.n = p.n
	switch src.kind {
	case placeReg:
		src.lo += uint8(rel)
	case placeSlot:
		src.off += rel
	default:
		src.addr += uint64(rel)
	}
	return src
}

// name is the place as a reader would write it before instruction i: "rax", "[rsp+0x18]".
func (a *Analyzer) placeName(v *view, i int, p place) string {
	switch p.kind {
	case placeReg:
		if p.reg == insn.Other {
			return "it"
		}
		return insn.Operand{Kind: insn.RegOperand, Reg: p.reg, Lo: p.lo, Len: p.n}.String()
	case placeMem:
		if sym, _, ok := a.code.LookupData(p.addr); ok && sym.Name != "" {
			return plusOffset(sym.Name, p.addr-sym.Start)
		}
		return fmt.Sprintf("[%#x]", p.addr)
	}
	h := a.height(v.fn, i)
	base, at := "rsp", int64(h.rsp)
	if h.rbp != noHeight && h.rbp != unseen {
		base, at = "rbp", int64(h.rbp)
	}
	if at == noHeight || at == unseen {
		return fmt.Sprintf("[cfa%+#x]", p.off)
	}
	return insn.Mem{Base: map[string]insn.Reg{"rsp": insn.RSP, "rbp": insn.RBP}[base], Index: insn.NoReg, Disp: p.off + at}.String()
}

// argRegs are the integer argument registers in order (System V psABI, 3.2.3).
var argRegs = [6]insn.Reg{insn.RDI, insn.RSI, insn.RDX, insn.RCX, insn.Reg(crash.R8), insn.Reg(crash.R9)}

// argIndex is the number of the argument that register r passes, -1 if none.
func argIndex(r insn.Reg) int {
	for i, a := range argRegs {
		if a == r {
			return i
		}
	}
	return -1
}

// calleeSaved reports whether a function must give r back unchanged.
func calleeSaved(r insn.Reg) bool {
	switch r {
	case insn.RBX, insn.RBP, insn.RSP, insn.Reg(crash.R12), insn.Reg(crash.R13), insn.Reg(crash.R14), insn.Reg(crash.R15):
		return true
	}
	return false
}

// returnReg reports whether r can carry a result: rax, rdx, xmm0, xmm1, and rcx, which LLVM uses for a third word.
func returnReg(r insn.Reg) bool {
	return r == insn.RAX || r == insn.RDX || r == insn.RCX || r == insn.XMM0 || r == insn.XMM0+1
}
