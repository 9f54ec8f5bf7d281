package insn

import "golang.org/x/arch/x86/x86asm"

// vector gives the effects of vector moves byte by byte, because compilers copy pairs of pointers through them.
func (b *builder) vector(cls class) {
	a := b.a
	if len(a) < 2 || b.in.masked {
		b.guess()
		return
	}
	switch cls {
	case clsVecMove:
		b.vecMove(a[0], a[1])
	case clsVecScalar:
		b.vecScalar(a)
	case clsVecZero:
		first, second := a[len(a)-2], a[len(a)-1]
		if sameReg(first, second) {
			b.write(b.widest(a[0]), Const, 0)
			return
		}
		b.guess()
	case clsVecHalf:
		b.vecHalf(a[0], a[1])
	}
}

func (b *builder) vecMove(dst, src Operand) {
	if dst.Kind == MemOperand {
		dst.Len = src.Len
		b.write(dst, Copy, 0, src)
		return
	}
	src.Len = dst.Len
	if b.in.vex {
		b.write(b.widest(dst), Zext, 0, src)
		return
	}
	b.write(dst, Copy, 0, src)
}

// scalarSize is how many bytes movd, movq, movss, movsd move.
func (b *builder) scalarSize() uint8 {
	switch b.in.Op {
	case x86asm.MOVD, x86asm.VMOVD, x86asm.MOVSS, x86asm.VMOVSS:
		return 4
	}
	return 8
}

func (b *builder) vecScalar(a []Operand) {
	size := b.scalarSize()
	dst, src := a[0], a[1]
	if len(a) == 3 { // vmovss xmm, xmm, xmm merges two registers
		b.write(b.widest(dst), Opaque, 0, a[1], a[2])
		return
	}
	vectorDst := dst.Kind == RegOperand && dst.Reg.Vector()
	vectorSrc := src.Kind == RegOperand && src.Reg.Vector()
	src.Len = size
	switch {
	case !vectorDst:
		dst.Len = size
		b.write(dst, Copy, 0, src)
	case vectorSrc && (b.in.Op == x86asm.MOVSS || b.in.Op == x86asm.MOVSD_XMM):
		dst.Len = size // between registers the rest is kept
		b.write(dst, Copy, 0, src)
	default:
		b.write(b.widest(dst), Zext, 0, src)
	}
}

func (b *builder) vecHalf(dst, src Operand) {
	high := false
	dstLo, srcLo := uint8(0), uint8(0)
	switch b.in.Op {
	case x86asm.MOVHPS, x86asm.MOVHPD:
		high = true
	case x86asm.PUNPCKLQDQ, x86asm.UNPCKLPD, x86asm.MOVLHPS:
		dstLo = 8
	case x86asm.MOVHLPS:
		srcLo = 8
	}
	if high && dst.Kind == RegOperand {
		dstLo = 8
	}
	if high && dst.Kind == MemOperand {
		srcLo = 8
	}
	if dst.Kind == RegOperand {
		dst.Lo = dstLo
	}
	if src.Kind == RegOperand {
		src.Lo = srcLo
	}
	dst.Len, src.Len = 8, 8
	b.write(dst, Copy, 0, src)
}
