package provenance

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// arithmetic decodes SIGFPE. The processor raises the same fault for a division by zero and for a quotient that does
// not fit (INT_MIN / -1); the divisor tells them apart.
func (d *decoding) arithmetic() {
	f := d.f
	f.Class = ClassArithmetic
	if !d.inOK {
		f.Describe = "an arithmetic fault"
		return
	}
	if d.in.Op != x86asm.DIV && d.in.Op != x86asm.IDIV {
		f.Describe = fmt.Sprintf("a floating-point exception (si_code %d)", d.sig.Code)
		if d.sig.Code <= 2 {
			d.inconsistent("%s divides nothing, but the kernel reported an integer division fault", d.in.Text())
		}
		return
	}
	eff := d.in.Effects()
	divisor := eff.Writes[0].Src[len(eff.Writes[0].Src)-1]
	f.Operand, f.Size = divisor.String(), int(divisor.Len)
	d.divisor(divisor)
	switch {
	case !f.ValueOK:
		f.Describe = "the divisor cannot be read: division by zero, or a quotient that does not fit"
	case f.Value == 0:
		f.Describe = "division by zero"
	case d.in.Op == x86asm.IDIV && signed(f.Value, f.Size) == -1:
		f.Describe = fmt.Sprintf("the smallest %d-bit integer divided by -1: the quotient does not fit", f.Size*8)
	default:
		f.Describe = fmt.Sprintf("division by %d: the quotient does not fit into %d bits", signed(f.Value, f.Size), f.Size*8)
	}
}

func signed(v uint64, size int) int64 {
	shift := 64 - 8*size
	return int64(v<<shift) >> shift
}

func (d *decoding) divisor(o insn.Operand) {
	f := d.f
	if o.Kind == insn.RegOperand {
		v, ok := d.reg(o.Reg)
		f.Register, f.Value, f.ValueOK = o.Reg.String(), cut(v>>(8*o.Lo), int(o.Len)), ok
		return
	}
	addr, ok := o.Mem.Address(d.reg, d.segBase)
	if !ok {
		return
	}
	f.Address, f.AddressOK = addr, true
	v, err := crash.ReadUint(d.crash.Memory, addr, int(o.Len))
	f.Value, f.ValueOK = v, err == nil
}

// cut keeps the low size bytes of v.
func cut(v uint64, size int) uint64 {
	if size >= 8 {
		return v
	}
	return v & (1<<(8*size) - 1)
}

func (d *decoding) illegal() {
	f := d.f
	f.Class = ClassIllegal
	switch {
	case !d.executable(f.PC):
		d.badBranch()
	case d.inOK && (d.in.Op == x86asm.UD2 || d.in.Op == x86asm.UD1 || d.in.Op == x86asm.UD0):
		f.Describe = fmt.Sprintf("%s: a trap that a compiler places where execution must never arrive", d.in.Mnemonic())
	case d.inOK && f.CodeDiffers:
		f.Describe = "the code here was overwritten"
	case d.inOK:
		f.Describe = fmt.Sprintf("%s is not supported by this processor, or not allowed here", d.in.Mnemonic())
	default:
		f.Describe = "the bytes at the program counter are not an instruction"
	}
}

// trap decodes SIGTRAP: int3 reports the address behind itself.
func (d *decoding) trap() {
	f := d.f
	f.Class = ClassIllegal
	if in, err := d.decode(f.PC - 1); err == nil && in.Len == 1 && strings.HasPrefix(in.Mnemonic(), "int3") {
		f.PC, f.Insn, f.InsnWhy = f.PC-1, in.Text(), ""
		f.Describe = "int3: a breakpoint instruction in the program (an assertion or an abort of its own)"
		return
	}
	f.Describe = "a trap without a breakpoint instruction"
}
