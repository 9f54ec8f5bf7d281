package insn

import "golang.org/x/arch/x86/x86asm"

// Summary is a cheap upper bound of an instruction's effects: what is not in it is surely not touched. It lets searches
// pass by most instructions without working out their Effects.
type Summary struct {
	Writes, Reads uint16 // general registers, one bit each by number
	Vector        bool   // a vector register or another one may be written or read
	Store         bool   // memory may be written
	Compare       bool   // cmp or test
	LowByteTest   bool   // test al, al
	TakesStack    bool   // the address of something on the stack may be put into a register
	Filler        bool   // nop, int3, ud2: padding between blocks
}

const (
	bitRAX = 1 << RAX
	bitRDX = 1 << RDX
	bitRCX = 1 << RCX
	bitRBX = 1 << RBX
	bitRSI = 1 << RSI
	bitRDI = 1 << RDI
	bitRBP = 1 << RBP
	bitRSP = 1 << RSP
	bitR11 = 1 << R11
)

// Summary returns the bound.
func (in *Insn) Summary() Summary {
	if in.Op == 0 {
		return Summary{Writes: 0xffff, Reads: 0xffff, Vector: true, Filler: in.name == "endbr64"}
	}
	var s Summary
	for n, a := range in.inst.Args {
		if a == nil {
			break
		}
		in.summarise(&s, n, a)
	}
	w, r, store := implicit(classOf(in.Op))
	s.Writes |= w
	s.Reads |= r
	s.Store = s.Store || store
	switch in.Op {
	case x86asm.CMP, x86asm.TEST:
		s.Compare = true
		s.LowByteTest = in.Op == x86asm.TEST && in.inst.Args[0] == x86asm.AL && in.inst.Args[1] == x86asm.AL
	case x86asm.NOP, x86asm.UD2:
		s.Filler = true
	case x86asm.LEA, x86asm.MOV, x86asm.PUSH:
		s.TakesStack = s.Reads&(bitRSP|bitRBP) != 0
	case x86asm.INT:
		s.Filler = in.Flow == FlowTrap
	case x86asm.XCHG:
		s.Filler = in.inst.Args[0] == in.inst.Args[1]
	}
	return s
}

func (in *Insn) summarise(s *Summary, n int, a x86asm.Arg) {
	switch a := a.(type) {
	case x86asm.Reg:
		r, _, _ := regOf(a)
		if r >= 16 {
			s.Vector = true
			return
		}
		s.Reads |= 1 << r
		if n < 2 { // only the first operand, or the second of xchg, xadd and mulx
			s.Writes |= 1 << r
		}
	case x86asm.Mem:
		m := in.mem(a)
		for _, r := range [2]Reg{m.Base, m.Index} {
			if r < 16 {
				s.Reads |= 1 << r
			}
		}
		s.Vector = s.Vector || m.VectorIndex
		s.Store = s.Store || n == 0 || in.Op == x86asm.XCHG
	}
}

// implicit gives the registers that a class of instructions writes and reads without naming them.
func implicit(c class) (writes, reads uint16, store bool) {
	switch c {
	case clsMul, clsDiv, clsWiden, clsImul:
		return bitRAX | bitRDX, bitRAX | bitRDX, false
	case clsPush, clsCall, clsEnter, clsFlags:
		return bitRSP | bitRBP, bitRSP | bitRBP, true
	case clsPop, clsRet, clsLeave:
		return bitRSP | bitRBP, bitRSP | bitRBP, false
	case clsCmpxchg, clsCmpxchgWide:
		return bitRAX | bitRDX, bitRAX | bitRDX | bitRCX | bitRBX, true
	case clsString:
		return bitRAX | bitRDI | bitRSI | bitRCX, bitRAX | bitRDI | bitRSI | bitRCX, true
	case clsClobber, clsSyscall, clsXlat:
		all := uint16(bitRAX | bitRBX | bitRCX | bitRDX | bitR11)
		return all, all, false
	case clsDefault, clsX87Store:
		return 0, 0, true
	}
	return 0, 0, false
}
