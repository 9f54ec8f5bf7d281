package insn

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// byHand decodes the instructions that x86asm does not know or gets wrong. done is false for all others.
func (in *Insn) byHand(code []byte, s scanned) (done bool, err error) {
	op := code[s.opcodeAt:]
	switch {
	case s.vex != 0:
		return in.vexByHand(code, s), nil
	case op[0] == 0x0f && len(op) >= 3:
		return in.twoByteByHand(code, s)
	case s.opsize && (op[0] == 0xe8 || op[0] == 0xe9):
		// A 0x66 prefix does not shorten a near branch in 64-bit mode (Intel SDM; padded calls of the TLS sequences).
		return in.nearBranch(code, s.opcodeAt+1, op[0] == 0xe8)
	}
	return false, nil
}

// known finishes an instruction whose length is made by hand; dst is the general register it writes, NoReg if none.
func (in *Insn) known(code []byte, length int, name string, dst Reg) (bool, error) {
	if length > len(code) {
		return false, errTruncated
	}
	in.Len, in.name, in.handDst = length, name, dst
	return true, nil
}

// vexByHand: x86asm gives vzeroupper and vzeroall a ModRM byte and so swallows the next instruction.
func (in *Insn) vexByHand(code []byte, s scanned) bool {
	if s.vexMap != 1 || s.vex == 0x62 || code[s.opcodeAt] != 0x77 {
		return false
	}
	in.Len, in.name, in.handDst = s.opcodeAt+1, "vzeroupper", NoReg
	return true
}

func (in *Insn) nearBranch(code []byte, at int, call bool) (bool, error) {
	if at+4 > len(code) {
		return false, errTruncated
	}
	in.Len = at + 4
	in.Op, in.Flow = x86asm.JMP, FlowJump
	if call {
		in.Op, in.Flow = x86asm.CALL, FlowCall
	}
	rel := x86asm.Rel(binary.LittleEndian.Uint32(code[at:]))
	in.inst = x86asm.Inst{Op: in.Op, Len: in.Len, Mode: 64, Args: x86asm.Args{rel}}
	in.Target, in.HasTarget = in.Addr+uint64(in.Len)+uint64(int64(rel)), true
	return true, nil
}

func (in *Insn) twoByteByHand(code []byte, s scanned) (bool, error) {
	op := code[s.opcodeAt:]
	at := s.opcodeAt + 2 // index of the ModRM byte
	modrm := op[2]
	register, digit := modrm>>6 == 3, modrm>>3&7
	rm := general(x86asm.Reg(modrm&7 | s.rex&1<<3))
	switch op[1] {
	case 0x1e: // hint space: endbr64/32, and rdssp which reads 0 bits unless shadow stacks are on
		if s.rep && !s.repne && (modrm == 0xfa || modrm == 0xfb) {
			return in.known(code, at+1, [2]string{"endbr64", "endbr32"}[modrm&1], NoReg)
		}
		if s.rep && register && digit == 1 {
			return in.known(code, at+1, "rdssp", rm)
		}
	case 0xae:
		if s.rep && register && digit == 5 {
			return in.known(code, at+1, "incssp", NoReg)
		}
	case 0x01:
		switch modrm {
		case 0xee:
			return in.known(code, at+1, "rdpkru", RAX)
		case 0xef:
			return in.known(code, at+1, "wrpkru", NoReg)
		}
	case 0xc7:
		if register && digit >= 6 {
			return in.known(code, at+1, randomName(digit, s.rep), rm)
		}
	case 0x38:
		if len(op) >= 4 && op[2] == 0xf6 && (s.opsize || s.rep) {
			return in.carryAdd(code, at+1, s)
		}
	}
	if s.opsize && op[1]&0xf0 == 0x80 { // a padded conditional branch keeps its 32-bit offset
		done, err := in.nearBranch(code, s.opcodeAt+2, false)
		in.Flow, in.Op, in.name = FlowCond, x86asm.JE, "jcc"
		return done, err
	}
	return false, nil
}

// carryAdd decodes adcx and adox.
func (in *Insn) carryAdd(code []byte, at int, s scanned) (bool, error) {
	n, ok := modrmLen(code, at)
	if !ok {
		return false, errTruncated
	}
	name := "adox"
	if s.opsize {
		name = "adcx"
	}
	return in.known(code, at+n, name, general(x86asm.Reg(code[at]>>3&7|s.rex&4<<1)))
}

func randomName(digit byte, rep bool) string {
	switch {
	case digit == 6:
		return "rdrand"
	case rep:
		return "rdpid"
	}
	return "rdseed"
}

// modrmLen is the number of bytes from the ModRM byte to the end of the displacement.
func modrmLen(code []byte, at int) (int, bool) {
	if at >= len(code) {
		return 0, false
	}
	m := code[at]
	mod, rm := m>>6, m&7
	if mod == 3 {
		return 1, true
	}
	n := 1
	if rm == 4 {
		if at+1 >= len(code) {
			return 0, false
		}
		n++
		if mod == 0 && code[at+1]&7 == 5 {
			n += 4
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && rm == 5:
		n += 4
	}
	return n, true
}
