package tracer

import (
	"encoding/binary"
	"math/bits"

	"meshdiag/crash"
)

// emulate executes the first instruction of code on r if it is one of those that functions usually begin with (push of a
// register, endbr64, sub rsp, mov rbp,rsp), and reports whether it was. push stores a word; it fails where the program's
// own store would fault, and the instruction must then be executed by the processor.
func emulate(code []byte, r *crash.Regs, push func(sp, value uint64) bool) bool {
	switch {
	case hasPrefix(code, 0xf3, 0x0f, 0x1e, 0xfa): // endbr64
		r.RIP += 4
	case hasPrefix(code, 0x48, 0x89, 0xe5): // mov rbp, rsp
		r.RBP = r.RSP
		r.RIP += 3
	case len(code) >= 4 && hasPrefix(code, 0x48, 0x83, 0xec): // sub rsp, imm8
		subRSP(r, uint64(int64(int8(code[3]))))
		r.RIP += 4
	case len(code) >= 7 && hasPrefix(code, 0x48, 0x81, 0xec): // sub rsp, imm32
		subRSP(r, uint64(int64(int32(binary.LittleEndian.Uint32(code[3:])))))
		r.RIP += 7
	case len(code) >= 1 && code[0]&^7 == 0x50: // push r64
		return emulatePush(r, legacyOrder[code[0]&7], 1, push)
	case len(code) >= 2 && code[0] == 0x41 && code[1]&^7 == 0x50: // push r8..r15
		return emulatePush(r, crash.R8+crash.RegNum(code[1]&7), 2, push)
	default:
		return false
	}
	return true
}

// legacyOrder maps the register numbers of instructions to those of DWARF, which differ in the first eight.
var legacyOrder = [8]crash.RegNum{crash.RAX, crash.RCX, crash.RDX, crash.RBX, crash.RSP, crash.RBP, crash.RSI, crash.RDI}

func emulatePush(r *crash.Regs, n crash.RegNum, length uint64, push func(sp, value uint64) bool) bool {
	if !push(r.RSP-8, r.Get(n)) {
		return false
	}
	r.RSP -= 8
	r.RIP += length
	return true
}

// Bits of EFLAGS that sub sets.
const (
	flagCF = 1 << 0
	flagPF = 1 << 2
	flagAF = 1 << 4
	flagZF = 1 << 6
	flagSF = 1 << 7
	flagOF = 1 << 11
)

func subRSP(r *crash.Regs, by uint64) {
	a := r.RSP
	res := a - by
	flags := r.EFLAGS &^ (flagCF | flagPF | flagAF | flagZF | flagSF | flagOF)
	set := func(on bool, flag uint64) {
		if on {
			flags |= flag
		}
	}
	set(a < by, flagCF)
	set(bits.OnesCount8(uint8(res))%2 == 0, flagPF)
	set((a^by^res)&0x10 != 0, flagAF)
	set(res == 0, flagZF)
	set(res>>63 != 0, flagSF)
	set((a^by)&(a^res)>>63 != 0, flagOF)
	r.RSP, r.EFLAGS = res, flags
}

func hasPrefix(code []byte, prefix ...byte) bool {
	return len(code) >= len(prefix) && string(code[:len(prefix)]) == string(prefix)
}
