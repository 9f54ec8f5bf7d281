// Package insn reads single x86-64 instructions: their length, what they access, and as a list of assignments what they
// do to registers and memory. It knows nothing of processes, symbols or functions.
//
// Decoding is golang.org/x/arch/x86/x86asm's work. That decoder has gaps that would make a diagnosis lie (it swallows the
// instruction behind a vzeroupper, takes endbr64 for a byte of its own, loses the instruction pointer of VEX operands, and
// says nothing of what is read and what is written); they are filled here and each has a test with its bytes.
package insn

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
)

// MaxLen is the longest instruction the architecture allows, in bytes.
const MaxLen = 15

// Flow says where execution goes after an instruction.
type Flow uint8

// The kinds of flow.
const (
	FlowNext Flow = iota // to the next instruction
	FlowJump             // elsewhere, always
	FlowCond             // elsewhere or to the next
	FlowCall             // into a function, and to the next when that returns
	FlowRet              // to the caller
	FlowTrap             // nowhere: ud2, hlt, int3
)

// Insn is one decoded instruction.
type Insn struct {
	Addr      uint64
	Len       int
	Op        x86asm.Op // 0 for the few instructions that only their length is known of
	Flow      Flow
	Target    uint64 // of a direct jump or call
	HasTarget bool

	inst    x86asm.Inst
	seg     x86asm.Reg // FS or GS override, else 0
	rep     bool
	lock    bool
	vex     bool   // VEX or EVEX encoded
	masked  bool   // EVEX with a write mask: not every element is written
	name    string // mnemonic of instructions decoded by hand, else ""
	handDst Reg    // and the general register that they write, NoReg if none
}

// Reg is a register: 0 to 15 are the general registers in DWARF order (crash.RegNum), RIP is 16, then the vector
// registers. Everything else (flags apart, which are not modelled) is Other.
type Reg uint8

// Registers that code here names.
const (
	RAX   = Reg(crash.RAX)
	RDX   = Reg(crash.RDX)
	RCX   = Reg(crash.RCX)
	RBX   = Reg(crash.RBX)
	RSI   = Reg(crash.RSI)
	RDI   = Reg(crash.RDI)
	RBP   = Reg(crash.RBP)
	RSP   = Reg(crash.RSP)
	R11   = Reg(crash.R11)
	RIP   = Reg(crash.RIP)
	XMM0  = Reg(17)
	XMM31 = Reg(48)
	Other = Reg(63)
)

// General reports whether r is one of the 16 general registers, and which.
func (r Reg) General() (crash.RegNum, bool) { return crash.RegNum(r), r < 16 }

// Vector reports whether r is a vector register.
func (r Reg) Vector() bool { return r >= XMM0 && r <= XMM31 }

// String is the name of the whole register.
func (r Reg) String() string {
	switch {
	case r <= RIP:
		return crash.RegNum(r).String()
	case r.Vector():
		return fmt.Sprintf("xmm%d", r-XMM0)
	}
	return "?"
}

// dwarfOrder maps the encoding order of the first eight general registers to DWARF's.
var dwarfOrder = [8]Reg{RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI}

func general(n x86asm.Reg) Reg {
	if n < 8 {
		return dwarfOrder[n]
	}
	return Reg(n)
}

// regOf maps a decoder register to the register and the bytes of it that are named.
func regOf(r x86asm.Reg) (reg Reg, lo, size uint8) {
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		return general(r - x86asm.AL), 0, 1
	case r >= x86asm.AH && r <= x86asm.BH:
		return general(r - x86asm.AH), 1, 1
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return general(r - x86asm.SPB + 4), 0, 1
	case r >= x86asm.AX && r <= x86asm.R15W:
		return general(r - x86asm.AX), 0, 2
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return general(r - x86asm.EAX), 0, 4
	case r >= x86asm.RAX && r <= x86asm.R15:
		return general(r - x86asm.RAX), 0, 8
	case r >= x86asm.IP && r <= x86asm.RIP:
		return RIP, 0, 8
	case r >= x86asm.X0 && r <= x86asm.X31:
		return XMM0 + Reg(r-x86asm.X0), 0, 16
	case r >= x86asm.Y0 && r <= x86asm.Y31:
		return XMM0 + Reg(r-x86asm.Y0), 0, 32
	case r >= x86asm.Z0 && r <= x86asm.Z31:
		return XMM0 + Reg(r-x86asm.Z0), 0, 64
	}
	return Other, 0, 8
}

// Mem is a memory operand: Seg:[Base + Index*Scale + Disp].
type Mem struct {
	Seg         x86asm.Reg // x86asm.FS or x86asm.GS; 0 for the flat segments
	Base, Index Reg        // NoReg when absent
	Scale       uint8
	Disp        int64
	Addr32      bool // the sum is cut to 32 bits
	VectorIndex bool // gather or scatter: there is no single address
}

// NoReg is the absent base or index of a Mem.
const NoReg = Reg(255)

// Address computes the effective address from register values. ok is false when a register it needs is unknown, or the
// operand has no single address. segBase is the base of FS or GS and is asked for only when the operand uses it.
func (m Mem) Address(value func(Reg) (uint64, bool), segBase func(x86asm.Reg) (uint64, bool)) (uint64, bool) {
	if m.VectorIndex {
		return 0, false
	}
	sum := uint64(m.Disp)
	for _, term := range [2]struct {
		reg   Reg
		scale uint64
	}{{m.Base, 1}, {m.Index, uint64(m.Scale)}} {
		if term.reg == NoReg {
			continue
		}
		v, ok := value(term.reg)
		if !ok {
			return 0, false
		}
		sum += v * term.scale
	}
	if m.Addr32 {
		sum = uint64(uint32(sum))
	}
	if m.Seg != 0 {
		base, ok := segBase(m.Seg)
		if !ok {
			return 0, false
		}
		sum += base
	}
	return sum, true
}

// Locked reports whether the instruction has a lock prefix.
func (in *Insn) Locked() bool {
	for _, p := range in.inst.Prefix {
		if p&0xff == x86asm.PrefixLOCK&0xff {
			return true
		}
	}
	return false
}
