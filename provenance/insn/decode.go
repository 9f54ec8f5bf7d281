package insn

import (
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// ErrUnknown is wrapped by the error of bytes that are no known instruction.
var ErrUnknown = errors.New("unknown instruction")

// Decode decodes the instruction that starts at code[0] and stands at addr. It fails rather than guess: an error wraps
// ErrUnknown, or says that code ends too early.
func Decode(code []byte, addr uint64) (in Insn, err error) {
	if len(code) > MaxLen {
		code = code[:MaxLen]
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: decoder failed: %v", ErrUnknown, p)
		}
	}()
	s, err := scan(code)
	if err != nil {
		return Insn{}, err
	}
	in = Insn{Addr: addr, seg: s.seg, rep: s.rep, lock: s.lock, vex: s.vex != 0, masked: s.masked}
	if done, err := in.byHand(code, s); done || err != nil {
		return in, err
	}
	x, err := x86asm.Decode(code, 64)
	if err != nil || x.Op == 0 || x.Len == 0 {
		return Insn{}, fmt.Errorf("%w: % x", ErrUnknown, code[:min(len(code), 8)])
	}
	in.inst, in.Len, in.Op = x, x.Len, x.Op
	if s.vex != 0 {
		in.fixVEX(code, s)
	}
	if in.Len > len(code) {
		return Insn{}, errTruncated
	}
	in.setFlow()
	return in, nil
}

var errTruncated = fmt.Errorf("%w: the code ends inside it", ErrUnknown)

// scanned is what the prefix bytes say. x86asm mixes VEX payload bytes into its prefix list, so they are read here.
type scanned struct {
	seg      x86asm.Reg
	rep      bool
	repne    bool
	lock     bool
	opsize   bool
	rex      byte
	vex      byte // 0xc5, 0xc4 or 0x62, else 0
	masked   bool
	opcodeAt int // index of the first opcode byte
	vexMap   byte
}

func scan(code []byte) (scanned, error) {
	var s scanned
	i := 0
prefixes:
	for ; i < len(code); i++ {
		switch code[i] {
		case 0x66:
			s.opsize = true
		case 0x67, 0x26, 0x2e, 0x36, 0x3e:
		case 0x64:
			s.seg = x86asm.FS
		case 0x65:
			s.seg = x86asm.GS
		case 0xf0:
			s.lock = true
		case 0xf2:
			s.repne, s.rep = true, true
		case 0xf3:
			s.rep = true
		default:
			break prefixes
		}
	}
	if i < len(code) && code[i]&0xf0 == 0x40 {
		s.rex = code[i]
		i++
	}
	s.opcodeAt = i
	if i >= len(code) {
		return s, errTruncated
	}
	payload := map[byte]int{0xc5: 1, 0xc4: 2, 0x62: 3}[code[i]]
	if payload == 0 || s.rex != 0 {
		return s, nil
	}
	if i+payload+1 >= len(code) {
		return s, errTruncated
	}
	s.vex, s.opcodeAt, s.vexMap = code[i], i+payload+1, 1
	if s.vex != 0xc5 {
		s.vexMap = code[i+1] & 0x1f
	}
	if s.vex == 0x62 {
		s.vexMap &= 7
		s.masked = code[i+3]&7 != 0
	}
	return s, nil
}

// fixVEX repairs what x86asm gets wrong behind a VEX or EVEX prefix: [rip+disp] comes back without its base.
func (in *Insn) fixVEX(code []byte, s scanned) {
	if s.opcodeAt+1 >= len(code) {
		return
	}
	modrm := code[s.opcodeAt+1]
	if modrm>>6 != 0 || modrm&7 != 5 {
		return
	}
	for i, a := range in.inst.Args {
		if m, ok := a.(x86asm.Mem); ok && m.Base == 0 && m.Index == 0 {
			m.Base = x86asm.RIP
			in.inst.Args[i] = m
		}
	}
}

func (in *Insn) setFlow() {
	switch in.Op {
	case x86asm.JMP, x86asm.LJMP:
		in.Flow = FlowJump
	case x86asm.CALL, x86asm.LCALL:
		in.Flow = FlowCall
	case x86asm.RET, x86asm.LRET, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.SYSRET, x86asm.SYSEXIT:
		in.Flow = FlowRet
	case x86asm.UD0, x86asm.UD1, x86asm.UD2, x86asm.HLT, x86asm.ICEBP:
		in.Flow = FlowTrap
	case x86asm.INT:
		if in.inst.Args[0] == x86asm.Imm(3) {
			in.Flow = FlowTrap
		}
	case x86asm.JCXZ, x86asm.JECXZ, x86asm.JRCXZ, x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE:
		in.Flow = FlowCond
	default:
		if classOf(in.Op) == clsJcc {
			in.Flow = FlowCond
		}
	}
	if rel, ok := in.inst.Args[0].(x86asm.Rel); ok && in.Flow != FlowNext {
		in.Target = in.Addr + uint64(in.Len) + uint64(int64(rel))
		in.HasTarget = true
	}
}
