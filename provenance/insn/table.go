package insn

import "golang.org/x/arch/x86/x86asm"

// byHand gives the effects of instructions that only their length and destination is known of.
func (b *builder) byHand() {
	if b.in.handDst != NoReg {
		b.write(regOperand(b.in.handDst, 0, 8), Opaque, 0)
	}
	if b.in.name == "rdpkru" {
		b.write(regOperand(RDX, 0, 8), Const, 0)
	}
}

// byTable gives the effects by the opcode's class.
func (b *builder) byTable() {
	b.a = b.in.args()
	switch cls := classOf(b.in.Op); cls {
	case clsNone, clsPrefetch, clsJcc:
	case clsReads, clsX87Load:
		b.read(b.a...)
	case clsMov, clsZext, clsSext, clsLea:
		b.moves(cls)
	case clsAdd, clsSub, clsInc, clsDec, clsXorLike, clsArith2, clsArith3, clsImul, clsMul, clsDiv, clsSet, clsCmov, clsWiden:
		b.arithmetic(cls)
	case clsPush, clsPop, clsCall, clsRet, clsJmp, clsLeave, clsEnter, clsFlags:
		b.stack(cls)
	case clsXchg, clsXadd, clsCmpxchg, clsCmpxchgWide:
		b.exchange(cls)
	case clsString, clsXlat:
		b.strings()
	case clsVecMove, clsVecScalar, clsVecZero, clsVecHalf:
		b.vector(cls)
	case clsClobber, clsSyscall:
		b.clobber(cls)
	case clsX87Store:
		if len(b.a) > 0 {
			b.write(b.a[0], Opaque, 0)
		}
	default:
		b.guess()
	}
}

// guess: the destination comes first in nearly every instruction.
func (b *builder) guess() {
	if len(b.a) == 0 {
		return
	}
	b.eff.Guess = !b.in.vex
	src := b.a[1:]
	if !b.in.vex || b.in.masked {
		src = b.a
	}
	if b.a[0].Kind == ImmOperand {
		b.read(b.a...)
		return
	}
	b.write(b.widest(b.a[0]), Opaque, 0, src...)
}

// widest is the whole register for a VEX destination: the rest is cleared.
func (b *builder) widest(o Operand) Operand {
	if b.in.vex && o.Kind == RegOperand && o.Reg.Vector() {
		o.Len = 64
	}
	return o
}

func (b *builder) moves(cls class) {
	if len(b.a) < 2 {
		return
	}
	dst, src := b.a[0], b.a[1]
	switch {
	case cls == clsLea:
		b.write(dst, Addr, 0, src)
	case cls == clsZext:
		b.write(dst, Zext, 0, src)
	case cls == clsSext:
		b.write(dst, Sext, 0, src)
	case src.Kind == ImmOperand:
		b.write(dst, Const, src.Imm)
	case dst.Kind == RegOperand && dst.Reg == Other:
		b.read(src)
	case src.Kind == RegOperand && src.Reg == Other:
		b.write(dst, Opaque, 0)
	default:
		b.write(dst, Copy, 0, src)
	}
}

func sameReg(a, b Operand) bool {
	return a.Kind == RegOperand && b.Kind == RegOperand && a.Reg == b.Reg && a.Lo == b.Lo && a.Len == b.Len
}

func (b *builder) arithmetic(cls class) {
	a := b.a
	switch cls {
	case clsWiden:
		b.widen()
	case clsMul, clsDiv:
		b.mulDiv(cls)
	case clsImul:
		switch len(a) {
		case 1:
			b.mulDiv(clsMul)
		case 2:
			b.write(a[0], Arith, 0, a[0], a[1])
		case 3:
			b.write(a[0], Arith, 0, a[1], a[2])
		}
	case clsInc:
		b.write(a[0], AddImm, 1, a[0])
	case clsDec:
		b.write(a[0], AddImm, -1, a[0])
	case clsSet:
		b.write(a[0], Bool, 0)
	case clsCmov:
		b.write(a[0], Select, 0, a[0], a[1])
	case clsArith3:
		if len(a) == 1 { // a store of processor state
			b.write(a[0], Opaque, 0)
			return
		}
		b.write(a[0], Arith, 0, a[1:]...)
		if b.in.Op == x86asm.MULX {
			b.write(a[1], Arith, 0, a[2:]...)
		}
	default:
		b.twoOperand(cls)
	}
}

func (b *builder) twoOperand(cls class) {
	a := b.a
	if len(a) == 1 {
		b.write(a[0], Arith, 0, a[0])
		return
	}
	same := sameReg(a[0], a[1])
	immediate := a[1].Kind == ImmOperand
	switch {
	case same && (cls == clsXorLike || cls == clsSub):
		b.write(a[0], Const, 0)
	case immediate && cls == clsAdd:
		b.write(a[0], AddImm, a[1].Imm, a[0])
	case immediate && cls == clsSub:
		b.write(a[0], AddImm, -a[1].Imm, a[0])
	case immediate && b.in.Op == x86asm.AND && a[1].Imm == 0:
		b.write(a[0], Const, 0)
	case immediate && b.in.Op == x86asm.OR && a[1].Imm == -1:
		b.write(a[0], Const, -1)
	case same && (b.in.Op == x86asm.SBB):
		b.write(a[0], Opaque, 0)
	default:
		b.write(a[0], Arith, 0, a...)
	}
}

func (b *builder) widen() {
	switch b.in.Op {
	case x86asm.CBW:
		b.write(regOperand(RAX, 0, 2), Sext, 0, regOperand(RAX, 0, 1))
	case x86asm.CWDE:
		b.write(regOperand(RAX, 0, 4), Sext, 0, regOperand(RAX, 0, 2))
	case x86asm.CDQE:
		b.write(regOperand(RAX, 0, 8), Sext, 0, regOperand(RAX, 0, 4))
	case x86asm.CWD:
		b.write(regOperand(RDX, 0, 2), Arith, 0, regOperand(RAX, 0, 2))
	case x86asm.CDQ:
		b.write(regOperand(RDX, 0, 4), Arith, 0, regOperand(RAX, 0, 4))
	case x86asm.CQO:
		b.write(regOperand(RDX, 0, 8), Arith, 0, regOperand(RAX, 0, 8))
	}
}

// mulDiv: one-operand multiplication and division use rax and rdx; with bytes, ax alone.
func (b *builder) mulDiv(cls class) {
	a := b.a[0]
	rax, rdx := regOperand(RAX, 0, a.Len), regOperand(RDX, 0, a.Len)
	if a.Len == 1 {
		ax := regOperand(RAX, 0, 2)
		b.write(ax, Arith, 0, ax, a)
		return
	}
	src := []Operand{rax, a}
	if cls == clsDiv {
		src = []Operand{rdx, rax, a}
	}
	b.write(rax, Arith, 0, src...)
	b.write(rdx, Arith, 0, src...)
}

var (
	rspReg = regOperand(RSP, 0, 8)
	rbpReg = regOperand(RBP, 0, 8)
)

func stackSlot(base Reg, disp int64, size uint8) Operand {
	return Operand{Kind: MemOperand, Mem: Mem{Base: base, Index: NoReg, Disp: disp}, Len: size}
}

func (b *builder) stack(cls class) {
	size := int64(8)
	if b.in.inst.DataSize == 16 && (cls == clsPush || cls == clsPop || cls == clsFlags) {
		size = 2
	}
	switch cls {
	case clsPush:
		b.push(size)
	case clsPop:
		top := stackSlot(RSP, 0, uint8(size))
		if b.a[0].Kind == MemOperand {
			b.a[0].Len = uint8(size)
			if b.a[0].Mem.Base == RSP { // computed after the increment (Intel SDM, POP)
				b.a[0].Mem.Disp += size
			}
		}
		if b.a[0].Kind != RegOperand || b.a[0].Reg != RSP {
			b.write(rspReg, AddImm, size, rspReg)
		}
		b.write(b.a[0], Copy, 0, top)
	case clsCall:
		next := int64(b.in.Addr) + int64(b.in.Len)
		b.write(rspReg, AddImm, -8, rspReg)
		b.write(stackSlot(RSP, -8, 8), Const, next)
		b.branch()
	case clsRet:
		pop := int64(8)
		if len(b.a) > 0 {
			pop += b.a[0].Imm
		}
		b.write(rspReg, AddImm, pop, rspReg)
		b.read(stackSlot(RSP, 0, 8))
	case clsJmp:
		b.branch()
	case clsLeave:
		b.write(rspReg, AddImm, 8, rbpReg)
		b.write(rbpReg, Copy, 0, stackSlot(RBP, 0, 8))
	case clsEnter:
		b.write(stackSlot(RSP, -8, 8), Copy, 0, rbpReg)
		b.write(rbpReg, AddImm, -8, rspReg)
		b.write(rspReg, AddImm, -8-b.a[0].Imm, rspReg)
	case clsFlags:
		b.flags(size)
	}
}

func (b *builder) push(size int64) {
	src := b.a[0]
	slot := stackSlot(RSP, -size, uint8(size))
	switch {
	case src.Kind == ImmOperand:
		b.write(slot, Const, src.Imm)
	case src.Kind == RegOperand && src.Reg == Other:
		b.write(slot, Opaque, 0)
	default:
		src.Len = uint8(size)
		b.write(slot, Copy, 0, src)
	}
	b.write(rspReg, AddImm, -size, rspReg)
}

func (b *builder) flags(size int64) {
	if b.in.Op == x86asm.PUSHF || b.in.Op == x86asm.PUSHFQ {
		b.write(stackSlot(RSP, -size, uint8(size)), Opaque, 0)
		b.write(rspReg, AddImm, -size, rspReg)
		return
	}
	b.read(stackSlot(RSP, 0, uint8(size)))
	b.write(rspReg, AddImm, size, rspReg)
}

func (b *builder) branch() {
	if b.in.HasTarget || len(b.a) == 0 {
		return
	}
	b.eff.Branch = b.a[0]
	if b.eff.Branch.Kind == MemOperand {
		b.eff.Branch.Len = 8
	}
}

func (b *builder) exchange(cls class) {
	a := b.a
	switch cls {
	case clsXchg:
		b.write(a[0], Copy, 0, a[1])
		b.write(a[1], Copy, 0, a[0])
	case clsXadd:
		b.write(a[0], Arith, 0, a[0], a[1])
		b.write(a[1], Copy, 0, a[0])
	case clsCmpxchg:
		rax := regOperand(RAX, 0, a[1].Len)
		b.write(a[0], Select, 0, a[0], a[1])
		b.write(rax, Select, 0, rax, a[0])
	case clsCmpxchgWide:
		half := a[0].Len / 2
		rax, rdx := regOperand(RAX, 0, half), regOperand(RDX, 0, half)
		b.write(a[0], Opaque, 0, a[0], regOperand(RBX, 0, half), regOperand(RCX, 0, half))
		b.write(rax, Opaque, 0, rax)
		b.write(rdx, Opaque, 0, rdx)
	}
}

// strings gives the effects of string instructions. Under rep, rdi, rsi and rcx end somewhere that only the count tells.
func (b *builder) strings() {
	size := uint8(b.in.memBytes())
	rax := regOperand(RAX, 0, size)
	if b.in.Op == x86asm.XLATB {
		b.read(regOperand(RAX, 0, 1), stackSlot(RBX, 0, 1))
		b.write(regOperand(RAX, 0, 1), Opaque, 0)
		return
	}
	rdi, rsi := stackSlot(RDI, 0, size), stackSlot(RSI, 0, size)
	rsi.Mem.Seg = b.in.seg
	usesDI, usesSI := true, true
	switch b.in.Op {
	case x86asm.MOVSB, x86asm.MOVSW, x86asm.MOVSD, x86asm.MOVSQ:
		b.write(rdi, b.repeated(Copy), 0, rsi)
	case x86asm.STOSB, x86asm.STOSW, x86asm.STOSD, x86asm.STOSQ:
		b.write(rdi, b.repeated(Copy), 0, rax)
		usesSI = false
	case x86asm.LODSB, x86asm.LODSW, x86asm.LODSD, x86asm.LODSQ:
		b.write(rax, b.repeated(Copy), 0, rsi)
		usesDI = false
	case x86asm.SCASB, x86asm.SCASW, x86asm.SCASD, x86asm.SCASQ:
		b.read(rax, rdi)
		usesSI = false
	default:
		b.read(rsi, rdi)
	}
	for _, p := range []struct {
		use bool
		reg Reg
	}{{usesDI, RDI}, {usesSI, RSI}, {b.in.rep, RCX}} {
		if p.use {
			o := regOperand(p.reg, 0, 8)
			b.write(o, Arith, 0, o)
		}
	}
}

func (b *builder) repeated(k Kind) Kind {
	if b.in.rep {
		return Opaque
	}
	return k
}

func (b *builder) clobber(cls class) {
	if cls == clsSyscall {
		b.write(regOperand(RAX, 0, 8), Kernel, 0, regOperand(RAX, 0, 8))
		b.write(regOperand(RCX, 0, 8), Opaque, 0)
		b.write(regOperand(R11, 0, 8), Opaque, 0)
		return
	}
	regs := []Reg{RAX, RDX}
	switch b.in.Op {
	case x86asm.LAHF:
		b.write(regOperand(RAX, 1, 1), Opaque, 0)
		return
	case x86asm.CPUID:
		b.read(regOperand(RAX, 0, 4), regOperand(RCX, 0, 4))
		regs = []Reg{RAX, RBX, RCX, RDX}
	case x86asm.RDTSCP:
		regs = []Reg{RAX, RCX, RDX}
	case x86asm.XGETBV:
		b.read(regOperand(RCX, 0, 4))
	}
	for _, r := range regs {
		b.write(regOperand(r, 0, 8), Opaque, 0)
	}
}
