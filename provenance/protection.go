package provenance

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/provenance/insn"
)

// protectionFault decodes a fault without an address (#GP, #SS): non-canonical operands first, then alignment, then
// instructions that only the kernel may execute.
func (d *decoding) protectionFault() {
	f := d.f
	if d.indirectNonCanonical() {
		return
	}
	for i := range d.terms {
		t := &d.terms[i]
		if t.ok && (!d.canonical(t.addr) || !d.canonical(t.addr+t.size-1)) {
			d.useTerm(t)
			f.Class = ClassNonCanonical
			d.describeBad(t.addr)
			return
		}
	}
	for i := range d.terms {
		t := &d.terms[i]
		if t.ok && t.Align > 0 && t.addr%uint64(t.Align) != 0 {
			d.useTerm(t)
			d.misaligned(t)
			return
		}
	}
	if privileged(d.in) {
		f.Class = ClassIllegal
		f.Describe = fmt.Sprintf("%s may only be executed by the kernel", d.in.Mnemonic())
		return
	}
	for i := range d.terms {
		if d.terms[i].Mem.Seg != 0 {
			d.useTerm(&d.terms[i])
			f.Class, f.Describe = ClassUnknown, "an access through a segment register whose base is not usable"
			return
		}
	}
	d.inconsistent("the processor reported a protection fault, but no operand of %s is non-canonical or misaligned", d.in.Text())
}

func (d *decoding) misaligned(t *term) {
	d.f.Class = ClassMisaligned
	d.f.Looks = d.Classify(d.f.Value).Kind
	d.f.Describe = fmt.Sprintf("%#x is not a multiple of %d, as %s requires", t.addr, t.Align, d.in.Mnemonic())
	if m := d.mapping(t.addr); m != nil {
		d.f.Region = d.describeMapping(m)
	}
}

func privileged(in insn.Insn) bool {
	switch in.Op {
	case x86asm.HLT, x86asm.IN, x86asm.OUT, x86asm.INSB, x86asm.INSW, x86asm.INSD, x86asm.OUTSB, x86asm.OUTSW,
		x86asm.OUTSD, x86asm.CLI, x86asm.STI, x86asm.CLTS, x86asm.INVD, x86asm.WBINVD, x86asm.INVLPG, x86asm.LGDT,
		x86asm.LIDT, x86asm.LLDT, x86asm.LTR, x86asm.LMSW, x86asm.RDMSR, x86asm.WRMSR, x86asm.RDPMC, x86asm.SWAPGS,
		x86asm.INT, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.SYSRET, x86asm.SYSEXIT:
		return true
	}
	return false
}

// indirectNonCanonical handles a jump, call or return to a non-canonical address: the processor refuses it before it
// leaves the instruction, so the program counter still stands on the branch.
func (d *decoding) indirectNonCanonical() bool {
	target, ok := uint64(0), false
	operand := ""
	eff := d.in.Effects()
	switch {
	case d.in.Flow == insn.FlowRet:
		target, ok = d.readWord(d.t.Regs.RSP)
		operand = "qword ptr [rsp]"
	case eff.Branch.Kind == insn.RegOperand:
		target, ok = d.reg(eff.Branch.Reg)
		operand = eff.Branch.String()
	case eff.Branch.Kind == insn.MemOperand:
		if addr, known := eff.Branch.Mem.Address(d.reg, d.segBase); known {
			target, ok = d.readWord(addr)
		}
		operand = eff.Branch.String()
	}
	if !ok || d.canonical(target) {
		return false
	}
	f := d.f
	f.Access, f.Class, f.BranchBad, f.BadRet = AccessExecute, ClassNonCanonical, true, d.in.Flow == insn.FlowRet
	f.Operand, f.Value, f.ValueOK, f.Address, f.AddressOK = operand, target, true, target, true
	f.Branch, f.BranchInsn = f.PC, f.Insn
	if eff.Branch.Kind == insn.RegOperand {
		f.Register = eff.Branch.Reg.String()
	}
	d.describeBad(target)
	return true
}
