package insn

import x "golang.org/x/arch/x86/x86asm"

// class groups opcodes whose operands play the same parts.
type class uint8

const (
	clsDefault class = iota // first operand written from all, itself included
	clsNone                 // nothing that is modelled (nop, fences, flags)
	clsReads                // reads all operands, writes none but flags
	clsMov                  // first := second
	clsSext                 // first := sign-extended second
	clsZext                 // first := zero-extended second
	clsLea
	clsAdd
	clsSub
	clsInc
	clsDec
	clsXorLike // first := f(first, second); a zero idiom when both are the same register
	clsArith2  // first := f(first, second ...)
	clsArith3  // first := f(second, third ...)
	clsImul
	clsMul
	clsDiv
	clsSet
	clsCmov
	clsPush
	clsPop
	clsCall
	clsRet
	clsJmp
	clsJcc
	clsLeave
	clsEnter
	clsXchg
	clsXadd
	clsCmpxchg
	clsCmpxchgWide
	clsWiden // cbw cwde cdqe cwd cdq cqo
	clsString
	clsVecMove   // vector or memory copy; the rest of the register is kept (legacy) or cleared (VEX)
	clsVecScalar // movss, movsd, movd, movq: clears the rest when it loads from memory or a general register
	clsVecZero   // pxor and friends
	clsVecHalf   // movlps, movhps, punpcklqdq ...: eight bytes of a vector
	clsFlags     // pushf, popf
	clsClobber   // cpuid, rdtsc, xgetbv: rax, rdx and more
	clsSyscall
	clsX87Load
	clsX87Store
	clsPrefetch // names memory, does not access it
	clsXlat
)

// classes is indexed by opcode. Static data: no cost at start-up.
var classes = [...]class{
	x.NOP: clsNone, x.PAUSE: clsNone, x.LFENCE: clsNone, x.MFENCE: clsNone, x.SFENCE: clsNone, x.CLC: clsNone,
	x.STC: clsNone, x.CLD: clsNone, x.STD: clsNone, x.CMC: clsNone, x.CLI: clsNone, x.STI: clsNone, x.HLT: clsNone,
	x.UD0: clsNone, x.UD1: clsNone, x.UD2: clsNone, x.INT: clsNone, x.ICEBP: clsNone, x.FWAIT: clsNone, x.EMMS: clsNone,
	x.SAHF: clsNone, x.XEND: clsNone, x.XABORT: clsNone, x.XBEGIN: clsNone, x.XTEST: clsNone, x.FNINIT: clsNone,
	x.FNCLEX: clsNone, x.FNOP: clsNone,
	x.PREFETCHNTA: clsPrefetch, x.PREFETCHT0: clsPrefetch, x.PREFETCHT1: clsPrefetch, x.PREFETCHT2: clsPrefetch,
	x.PREFETCHW: clsPrefetch,

	x.CMP: clsReads, x.TEST: clsReads, x.BT: clsReads, x.UCOMISS: clsReads, x.UCOMISD: clsReads, x.COMISS: clsReads,
	x.COMISD: clsReads, x.PTEST: clsReads, x.LDMXCSR: clsReads, x.CLFLUSH: clsReads, x.FXRSTOR: clsReads,
	x.FXRSTOR64: clsReads, x.XRSTOR: clsReads, x.XRSTOR64: clsReads, x.VUCOMISS: clsReads, x.VUCOMISD: clsReads,
	x.VCOMISS: clsReads, x.VCOMISD: clsReads, x.VPTEST: clsReads, x.VTESTPS: clsReads, x.VTESTPD: clsReads,
	x.KORTESTB: clsReads, x.KORTESTW: clsReads, x.KORTESTD: clsReads, x.KORTESTQ: clsReads, x.KTESTB: clsReads,
	x.KTESTW: clsReads, x.KTESTD: clsReads, x.KTESTQ: clsReads, x.VLDMXCSR: clsReads, x.WRFSBASE: clsReads,
	x.WRGSBASE: clsReads, x.LGDT: clsReads, x.LIDT: clsReads, x.LLDT: clsReads, x.LTR: clsReads, x.OUT: clsReads,
	x.VERR: clsReads, x.VERW: clsReads, x.INVLPG: clsReads,

	x.MOV: clsMov, x.MOVNTI: clsMov, x.MOVZX: clsZext, x.MOVSX: clsSext, x.MOVSXD: clsSext, x.LEA: clsLea,
	x.ADD: clsAdd, x.SUB: clsSub, x.INC: clsInc, x.DEC: clsDec, x.XOR: clsXorLike, x.SBB: clsArith2,
	x.ADC: clsArith2, x.AND: clsArith2, x.OR: clsArith2, x.NOT: clsArith2, x.NEG: clsArith2, x.BSWAP: clsArith2,
	x.SHL: clsArith2, x.SHR: clsArith2, x.SAR: clsArith2, x.ROL: clsArith2, x.ROR: clsArith2, x.RCL: clsArith2,
	x.RCR: clsArith2, x.SHLD: clsArith2, x.SHRD: clsArith2, x.BTS: clsArith2, x.BTR: clsArith2, x.BTC: clsArith2,
	x.BSF: clsArith2, x.BSR: clsArith2, x.CRC32: clsArith2, x.IMUL: clsImul, x.MUL: clsMul, x.DIV: clsDiv,
	x.IDIV: clsDiv, x.LZCNT: clsArith3, x.TZCNT: clsArith3, x.POPCNT: clsArith3, x.MOVBE: clsArith3,
	x.ANDN: clsArith3, x.BEXTR: clsArith3, x.BZHI: clsArith3, x.BLSI: clsArith3, x.BLSR: clsArith3, x.BLSMSK: clsArith3,
	x.PDEP: clsArith3, x.PEXT: clsArith3, x.RORX: clsArith3, x.SARX: clsArith3, x.SHLX: clsArith3, x.SHRX: clsArith3,
	x.MOVMSKPS: clsArith3, x.MOVMSKPD: clsArith3, x.PMOVMSKB: clsArith3, x.PEXTRB: clsArith3, x.PEXTRW: clsArith3,
	x.PEXTRD: clsArith3, x.PEXTRQ: clsArith3, x.EXTRACTPS: clsArith3, x.CVTSD2SI: clsArith3, x.CVTSS2SI: clsArith3,
	x.CVTTSD2SI: clsArith3, x.CVTTSS2SI: clsArith3, x.LAHF: clsClobber, x.RDFSBASE: clsArith3, x.RDGSBASE: clsArith3,
	x.STMXCSR: clsArith3, x.FXSAVE: clsArith3, x.FXSAVE64: clsArith3, x.XSAVE: clsArith3, x.XSAVE64: clsArith3,
	x.XSAVEC: clsArith3, x.XSAVEC64: clsArith3, x.XSAVEOPT: clsArith3, x.XSAVEOPT64: clsArith3,

	x.SETA: clsSet, x.SETAE: clsSet, x.SETB: clsSet, x.SETBE: clsSet, x.SETE: clsSet, x.SETG: clsSet, x.SETGE: clsSet,
	x.SETL: clsSet, x.SETLE: clsSet, x.SETNE: clsSet, x.SETNO: clsSet, x.SETNP: clsSet, x.SETNS: clsSet,
	x.SETO: clsSet, x.SETP: clsSet, x.SETS: clsSet,
	x.CMOVA: clsCmov, x.CMOVAE: clsCmov, x.CMOVB: clsCmov, x.CMOVBE: clsCmov, x.CMOVE: clsCmov, x.CMOVG: clsCmov,
	x.CMOVGE: clsCmov, x.CMOVL: clsCmov, x.CMOVLE: clsCmov, x.CMOVNE: clsCmov, x.CMOVNO: clsCmov, x.CMOVNP: clsCmov,
	x.CMOVNS: clsCmov, x.CMOVO: clsCmov, x.CMOVP: clsCmov, x.CMOVS: clsCmov,
	x.JA: clsJcc, x.JAE: clsJcc, x.JB: clsJcc, x.JBE: clsJcc, x.JE: clsJcc, x.JG: clsJcc, x.JGE: clsJcc, x.JL: clsJcc,
	x.JLE: clsJcc, x.JNE: clsJcc, x.JNO: clsJcc, x.JNP: clsJcc, x.JNS: clsJcc, x.JO: clsJcc, x.JP: clsJcc, x.JS: clsJcc,
	x.JCXZ: clsJcc, x.JECXZ: clsJcc, x.JRCXZ: clsJcc, x.LOOP: clsDefault, x.LOOPE: clsDefault, x.LOOPNE: clsDefault,

	x.PUSH: clsPush, x.POP: clsPop, x.CALL: clsCall, x.LCALL: clsCall, x.RET: clsRet, x.LRET: clsRet, x.JMP: clsJmp,
	x.LJMP: clsJmp, x.LEAVE: clsLeave, x.ENTER: clsEnter, x.PUSHF: clsFlags, x.PUSHFQ: clsFlags, x.POPF: clsFlags,
	x.POPFQ: clsFlags, x.XCHG: clsXchg, x.XADD: clsXadd, x.CMPXCHG: clsCmpxchg, x.CMPXCHG8B: clsCmpxchgWide,
	x.CMPXCHG16B: clsCmpxchgWide, x.CBW: clsWiden, x.CWDE: clsWiden, x.CDQE: clsWiden, x.CWD: clsWiden,
	x.CDQ: clsWiden, x.CQO: clsWiden, x.CPUID: clsClobber, x.RDTSC: clsClobber, x.RDTSCP: clsClobber,
	x.XGETBV: clsClobber, x.RDMSR: clsClobber, x.RDPMC: clsClobber, x.SYSCALL: clsSyscall, x.XLATB: clsXlat,

	x.MOVSB: clsString, x.MOVSW: clsString, x.MOVSD: clsString, x.MOVSQ: clsString, x.STOSB: clsString,
	x.STOSW: clsString, x.STOSD: clsString, x.STOSQ: clsString, x.LODSB: clsString, x.LODSW: clsString,
	x.LODSD: clsString, x.LODSQ: clsString, x.SCASB: clsString, x.SCASW: clsString, x.SCASD: clsString,
	x.SCASQ: clsString, x.CMPSB: clsString, x.CMPSW: clsString, x.CMPSD: clsString, x.CMPSQ: clsString,

	x.MOVAPS: clsVecMove, x.MOVAPD: clsVecMove, x.MOVUPS: clsVecMove, x.MOVUPD: clsVecMove, x.MOVDQA: clsVecMove,
	x.MOVDQU: clsVecMove, x.LDDQU: clsVecMove, x.MOVNTDQ: clsVecMove, x.MOVNTDQA: clsVecMove, x.MOVNTPS: clsVecMove,
	x.MOVNTPD: clsVecMove, x.VMOVAPS: clsVecMove, x.VMOVAPD: clsVecMove, x.VMOVUPS: clsVecMove, x.VMOVUPD: clsVecMove,
	x.VMOVDQA: clsVecMove, x.VMOVDQU: clsVecMove, x.VMOVDQA32: clsVecMove, x.VMOVDQA64: clsVecMove,
	x.VMOVDQU8: clsVecMove, x.VMOVDQU16: clsVecMove, x.VMOVDQU32: clsVecMove, x.VMOVDQU64: clsVecMove,
	x.VLDDQU: clsVecMove, x.VMOVNTDQ: clsVecMove, x.VMOVNTDQA: clsVecMove, x.VMOVNTPS: clsVecMove, x.VMOVNTPD: clsVecMove,
	x.MOVD: clsVecScalar, x.MOVQ: clsVecScalar, x.MOVSS: clsVecScalar, x.MOVSD_XMM: clsVecScalar, x.VMOVD: clsVecScalar,
	x.VMOVQ: clsVecScalar, x.VMOVSS: clsVecScalar, x.VMOVSD: clsVecScalar,
	x.PXOR: clsVecZero, x.XORPS: clsVecZero, x.XORPD: clsVecZero, x.VPXOR: clsVecZero, x.VXORPS: clsVecZero,
	x.VXORPD: clsVecZero, x.VPXORD: clsVecZero, x.VPXORQ: clsVecZero,
	x.MOVLPS: clsVecHalf, x.MOVLPD: clsVecHalf, x.MOVHPS: clsVecHalf, x.MOVHPD: clsVecHalf, x.PUNPCKLQDQ: clsVecHalf,
	x.UNPCKLPD: clsVecHalf, x.MOVLHPS: clsVecHalf, x.MOVHLPS: clsVecHalf,

	x.FLD: clsX87Load, x.FILD: clsX87Load, x.FBLD: clsX87Load, x.FLDCW: clsX87Load, x.FLDENV: clsX87Load,
	x.FRSTOR: clsX87Load, x.FADD: clsX87Load, x.FMUL: clsX87Load, x.FSUB: clsX87Load, x.FSUBR: clsX87Load,
	x.FDIV: clsX87Load, x.FDIVR: clsX87Load, x.FIADD: clsX87Load, x.FIMUL: clsX87Load, x.FISUB: clsX87Load,
	x.FISUBR: clsX87Load, x.FIDIV: clsX87Load, x.FIDIVR: clsX87Load, x.FCOM: clsX87Load, x.FCOMP: clsX87Load,
	x.FICOM: clsX87Load, x.FICOMP: clsX87Load, x.FST: clsX87Store, x.FSTP: clsX87Store, x.FIST: clsX87Store,
	x.FISTP: clsX87Store, x.FISTTP: clsX87Store, x.FBSTP: clsX87Store, x.FNSTCW: clsX87Store, x.FNSTSW: clsX87Store,
	x.FNSTENV: clsX87Store, x.FNSAVE: clsX87Store,
}

func classOf(op x.Op) class {
	if int(op) < len(classes) {
		return classes[op]
	}
	return clsDefault
}

// stringSize is the element size of a string instruction, 0 for any other.
func stringSize(op x.Op) int {
	switch op {
	case x.MOVSB, x.STOSB, x.LODSB, x.SCASB, x.CMPSB:
		return 1
	case x.MOVSW, x.STOSW, x.LODSW, x.SCASW, x.CMPSW:
		return 2
	case x.MOVSD, x.STOSD, x.LODSD, x.SCASD, x.CMPSD:
		return 4
	case x.MOVSQ, x.STOSQ, x.LODSQ, x.SCASQ, x.CMPSQ:
		return 8
	}
	return 0
}

// alignment is the alignment in bytes that a memory operand of this size must have, 0 for none. Legacy SSE operands of
// 16 bytes must be aligned unless the instruction says "unaligned"; VEX operands only for the moves that say "aligned".
func (in *Insn) alignment(size int) int {
	switch in.Op {
	case x.MOVUPS, x.MOVUPD, x.MOVDQU, x.LDDQU, x.PCMPESTRI, x.PCMPESTRM, x.PCMPISTRI, x.PCMPISTRM:
		return 0
	case x.CMPXCHG16B, x.FXSAVE, x.FXSAVE64, x.FXRSTOR, x.FXRSTOR64:
		return 16
	case x.XSAVE, x.XSAVE64, x.XSAVEC, x.XSAVEC64, x.XSAVEOPT, x.XSAVEOPT64, x.XRSTOR, x.XRSTOR64:
		return 64
	case x.VMOVAPS, x.VMOVAPD, x.VMOVDQA, x.VMOVDQA32, x.VMOVDQA64, x.VMOVNTDQ, x.VMOVNTDQA, x.VMOVNTPS, x.VMOVNTPD:
		return size
	}
	if !in.vex && size == 16 {
		return 16
	}
	return 0
}
