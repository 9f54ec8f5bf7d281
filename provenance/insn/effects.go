package insn

import "golang.org/x/arch/x86/x86asm"

// Kind says how an assignment makes its value.
type Kind uint8

// The kinds of assignment.
const (
	Opaque Kind = iota // some function that is not modelled
	Copy               // the bytes of Src[0]
	Zext               // Src[0], zero-extended
	Sext               // Src[0], sign-extended
	Const              // Imm
	Addr               // the effective address of Src[0] (lea)
	AddImm             // Src[0] + Imm
	Arith              // computed from Src
	Select             // one of Src, depending on flags or a comparison
	Bool               // 0 or 1
	Kernel             // what a system call returned
)

// OperandKind says what an Operand is.
type OperandKind uint8

// The kinds of operand.
const (
	NoOperand OperandKind = iota
	RegOperand
	MemOperand
	ImmOperand
)

// Operand is a place that is read or written, or a constant.
type Operand struct {
	Kind OperandKind
	Reg  Reg
	Lo   uint8 // first byte of the register
	Len  uint8 // bytes
	Mem  Mem
	Imm  int64
}

// Write is one assignment. All sources and addresses are in terms of the state before the instruction.
type Write struct {
	Dst  Operand
	Kind Kind
	Src  []Operand
	Imm  int64
}

// Access is one memory access.
type Access struct {
	Mem         Mem
	Size        int // bytes; 0 not known
	Read, Write bool
	Implicit    bool // not written in the instruction: push, call, ret, leave ...
	Align       int  // alignment that is enforced, 0 none
	Repeat      bool // rep prefix: Size is one element, rcx tells how many
}

// Effects is what an instruction does.
type Effects struct {
	Writes []Write
	Reads  []Operand // registers that are read, for values, addresses, comparisons or branches
	Access []Access
	Branch Operand // what an indirect jump or call goes to: a register, or the memory that holds the target
	Guess  bool    // the opcode is not in the table: assumed to write its first operand from all others
}

// RegDst is register r from byte lo on.
func regOperand(r Reg, lo, size uint8) Operand {
	return Operand{Kind: RegOperand, Reg: r, Lo: lo, Len: size}
}

func imm(v int64) Operand { return Operand{Kind: ImmOperand, Imm: v, Len: 8} }

// operand converts a decoder argument. size is the size of a memory operand.
func (in *Insn) operand(a x86asm.Arg, size int) Operand {
	switch a := a.(type) {
	case x86asm.Reg:
		r, lo, n := regOf(a)
		return regOperand(r, lo, n)
	case x86asm.Mem:
		return Operand{Kind: MemOperand, Mem: in.mem(a), Len: uint8(min(size, 255))}
	case x86asm.Imm:
		return imm(int64(a))
	}
	return Operand{}
}

func (in *Insn) mem(a x86asm.Mem) Mem {
	m := Mem{Seg: in.seg, Base: NoReg, Index: NoReg, Disp: a.Disp}
	if op := in.inst.Opcode >> 24; in.vex || op < 0xa0 || op > 0xa3 {
		m.Disp = int64(int32(a.Disp)) // the decoder does not extend the sign; only mov moffs has 64 bits
	}
	addr32 := func(r x86asm.Reg) bool { return r >= x86asm.EAX && r <= x86asm.R15L || r == x86asm.EIP }
	if a.Base != 0 {
		m.Base, _, _ = regOf(a.Base)
		m.Addr32 = addr32(a.Base)
	}
	if a.Index != 0 {
		m.Index, _, _ = regOf(a.Index)
		m.Scale = max(a.Scale, 1)
		m.VectorIndex = m.Index.Vector()
		m.Addr32 = m.Addr32 || addr32(a.Index)
	}
	if m.Base == RIP {
		m.Disp += int64(in.Addr) + int64(in.Len)
		m.Base = NoReg
	}
	return m
}

// RIPRelative reports whether an operand of the instruction is written relative to rip. Its Mem is then absolute.
func (in *Insn) RIPRelative() bool {
	for _, a := range in.inst.Args {
		if m, ok := a.(x86asm.Mem); ok && (m.Base == x86asm.RIP || m.Base == x86asm.EIP) {
			return true
		}
	}
	return false
}

// args converts all arguments.
func (in *Insn) args() []Operand {
	size := in.memBytes()
	out := make([]Operand, 0, 4)
	for _, a := range in.inst.Args {
		if a == nil {
			break
		}
		if _, rel := a.(x86asm.Rel); !rel {
			out = append(out, in.operand(a, size))
		}
	}
	return out
}

// memBytes is the size of the explicit memory operand; the decoder leaves it 0 for string instructions.
func (in *Insn) memBytes() int {
	if n := stringSize(in.Op); n > 0 {
		return n
	}
	switch in.Op {
	case x86asm.CMPXCHG16B:
		return 16
	case x86asm.CMPXCHG8B:
		return 8
	case x86asm.XLATB:
		return 1
	case x86asm.FXSAVE, x86asm.FXSAVE64, x86asm.FXRSTOR, x86asm.FXRSTOR64:
		return 512
	}
	return in.inst.MemBytes
}

// Effects works out what the instruction does.
func (in *Insn) Effects() Effects {
	b := builder{in: in}
	if in.name != "" && in.Op == 0 {
		b.byHand()
	} else {
		b.byTable()
	}
	b.finish()
	return b.eff
}

// builder collects the effects of one instruction.
type builder struct {
	in  *Insn
	eff Effects
	a   []Operand
}

func (b *builder) write(dst Operand, kind Kind, imm int64, src ...Operand) {
	if dst.Kind == RegOperand && dst.Reg < 16 && dst.Len == 4 {
		dst.Len = 8 // a 32-bit result clears the upper half
		if kind == Copy {
			kind = Zext
		}
		if kind == Const {
			imm = int64(uint32(imm))
		}
	}
	b.eff.Writes = append(b.eff.Writes, Write{Dst: dst, Kind: kind, Src: src, Imm: imm})
}

func (b *builder) read(ops ...Operand) { b.eff.Reads = append(b.eff.Reads, ops...) }

func (b *builder) access(a Access) { b.eff.Access = append(b.eff.Access, a) }

// finish derives accesses and register reads from the assignments.
func (b *builder) finish() {
	for _, w := range b.eff.Writes {
		if w.Dst.Kind == MemOperand {
			b.noteAccess(w.Dst, false, true)
			b.readAddress(w.Dst.Mem)
		}
		for _, s := range w.Src {
			if w.Kind == Addr {
				b.readAddress(s.Mem)
				continue
			}
			b.noteSource(s)
		}
	}
	for _, r := range b.eff.Reads[:len(b.eff.Reads):len(b.eff.Reads)] {
		if r.Kind == MemOperand {
			b.noteSource(r)
		}
	}
	if b.eff.Branch.Kind != NoOperand {
		b.noteSource(b.eff.Branch)
	}
}

func (b *builder) noteSource(s Operand) {
	switch s.Kind {
	case RegOperand:
		b.read(s)
	case MemOperand:
		b.noteAccess(s, true, false)
		b.readAddress(s.Mem)
	}
}

func (b *builder) readAddress(m Mem) {
	for _, r := range [2]Reg{m.Base, m.Index} {
		if r != NoReg {
			b.read(regOperand(r, 0, 8))
		}
	}
}

// noteAccess merges with an access to the same place, so that a read-modify-write is one access.
func (b *builder) noteAccess(o Operand, read, write bool) {
	for i := range b.eff.Access {
		a := &b.eff.Access[i]
		if a.Mem == o.Mem {
			a.Read, a.Write = a.Read || read, a.Write || write
			a.Size = max(a.Size, int(o.Len))
			return
		}
	}
	explicit := false
	for _, arg := range b.a {
		explicit = explicit || arg.Kind == MemOperand && arg.Mem == o.Mem
	}
	size := int(o.Len)
	if size == 255 {
		size = b.in.memBytes()
	}
	b.access(Access{Mem: o.Mem, Size: size, Read: read, Write: write, Implicit: !explicit || stringSize(b.in.Op) > 0 || b.in.Op == x86asm.XLATB,
		Align: b.in.alignment(size), Repeat: b.in.rep && stringSize(b.in.Op) > 0})
}
