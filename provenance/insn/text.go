package insn

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Text is the instruction in Intel syntax, lower case: "mov rax, qword ptr [rbx+0x8]". Branch targets and operands
// relative to rip are absolute addresses.
func (in *Insn) Text() string {
	var b strings.Builder
	if in.lock {
		b.WriteString("lock ")
	}
	if in.rep && stringSize(in.Op) > 0 {
		b.WriteString(in.repeatName())
	}
	b.WriteString(in.Mnemonic())
	if in.Op == 0 && in.handDst != NoReg {
		b.WriteString(" " + in.handDst.String())
	}
	if stringSize(in.Op) > 0 || in.Op == x86asm.XLATB {
		return b.String()
	}
	sep := " "
	size := in.memBytes()
	for _, a := range in.inst.Args {
		if a == nil {
			break
		}
		b.WriteString(sep + in.argText(a, size))
		sep = ", "
	}
	return b.String()
}

func (in *Insn) repeatName() string {
	switch in.Op {
	case x86asm.SCASB, x86asm.SCASW, x86asm.SCASD, x86asm.SCASQ, x86asm.CMPSB, x86asm.CMPSW, x86asm.CMPSD, x86asm.CMPSQ:
		for _, p := range in.inst.Prefix {
			if p&0xff == 0xf2 {
				return "repne "
			}
		}
		return "repe "
	}
	return "rep "
}

// Mnemonic is the instruction's name in lower case.
func (in *Insn) Mnemonic() string {
	switch {
	case in.name != "":
		return in.name
	case in.Op == x86asm.MOVSD_XMM:
		return "movsd"
	case in.Op == x86asm.INT && in.inst.Args[0] == x86asm.Imm(3):
		return "int3 "
	case in.Op == x86asm.NOP && in.inst.DataSize == 16:
		return "nop"
	}
	return strings.ToLower(in.Op.String())
}

func (in *Insn) argText(a x86asm.Arg, size int) string {
	switch a := a.(type) {
	case x86asm.Reg:
		return RegName(a)
	case x86asm.Imm:
		return signedHex(int64(a))
	case x86asm.Rel:
		return fmt.Sprintf("%#x", in.Target)
	case x86asm.Mem:
		if in.Op == x86asm.LEA || in.Op == x86asm.NOP {
			size = 0
		}
		return SizeName(size) + in.mem(a).String()
	}
	return "?"
}

// String is the operand without its size: "fs:[rax+rcx*8-0x10]".
func (m Mem) String() string {
	var b strings.Builder
	switch m.Seg {
	case x86asm.FS:
		b.WriteString("fs:")
	case x86asm.GS:
		b.WriteString("gs:")
	}
	b.WriteByte('[')
	name := func(r Reg) string {
		if m.Addr32 {
			return sized(r, 4)
		}
		return r.String()
	}
	if m.Base != NoReg {
		b.WriteString(name(m.Base))
	}
	if m.Index != NoReg {
		if m.Base != NoReg {
			b.WriteByte('+')
		}
		b.WriteString(name(m.Index))
		if m.Scale > 1 {
			fmt.Fprintf(&b, "*%d", m.Scale)
		}
	}
	switch {
	case m.Base == NoReg && m.Index == NoReg:
		fmt.Fprintf(&b, "%#x", uint64(m.Disp))
	case m.Disp > 0:
		b.WriteString("+" + signedHex(m.Disp))
	case m.Disp < 0:
		b.WriteString(signedHex(m.Disp))
	}
	b.WriteByte(']')
	return b.String()
}

// SizeName is "qword ptr " and the like; "" when the size has no name.
func SizeName(n int) string {
	switch n {
	case 1:
		return "byte ptr "
	case 2:
		return "word ptr "
	case 4:
		return "dword ptr "
	case 8:
		return "qword ptr "
	case 10:
		return "tbyte ptr "
	case 16:
		return "xmmword ptr "
	case 32:
		return "ymmword ptr "
	case 64:
		return "zmmword ptr "
	}
	return ""
}

func signedHex(v int64) string {
	if v < 0 {
		return fmt.Sprintf("-%#x", uint64(-v))
	}
	return fmt.Sprintf("%#x", v)
}

// RegName is the assembler's name of a decoder register.
func RegName(r x86asm.Reg) string {
	reg, lo, n := regOf(r)
	switch {
	case reg < 16 && lo == 1:
		return strings.ToLower(r.String())
	case reg < 16:
		return sized(reg, int(n))
	case r >= x86asm.F0 && r <= x86asm.F7:
		return fmt.Sprintf("st(%d)", r-x86asm.F0)
	case r >= x86asm.X0 && r <= x86asm.X31:
		return fmt.Sprintf("xmm%d", r-x86asm.X0)
	case r >= x86asm.Y0 && r <= x86asm.Y31:
		return fmt.Sprintf("ymm%d", r-x86asm.Y0)
	case r >= x86asm.Z0 && r <= x86asm.Z31:
		return fmt.Sprintf("zmm%d", r-x86asm.Z0)
	case r >= x86asm.M0 && r <= x86asm.M7:
		return fmt.Sprintf("mm%d", r-x86asm.M0)
	}
	return strings.ToLower(r.String())
}

// sized is the name of the low n bytes of a general register.
func sized(r Reg, n int) string {
	name := r.String()
	if r >= 16 || n == 8 {
		return name
	}
	if r >= 8 {
		return name + map[int]string{1: "b", 2: "w", 4: "d"}[n]
	}
	base := name[1:] // ax, si, bp
	switch n {
	case 4:
		return "e" + base
	case 2:
		return base
	}
	if base[1] == 'x' {
		return base[:1] + "l"
	}
	return base + "l"
}

// String names an operand as an assembler would.
func (o Operand) String() string {
	switch o.Kind {
	case RegOperand:
		switch {
		case o.Reg < 16 && o.Lo == 1 && o.Len == 1:
			return sized(o.Reg, 2)[:1] + "h"
		case o.Reg < 16:
			return sized(o.Reg, int(o.Len))
		}
		return o.Reg.String()
	case MemOperand:
		return SizeName(int(o.Len)) + o.Mem.String()
	case ImmOperand:
		return signedHex(o.Imm)
	}
	return ""
}
