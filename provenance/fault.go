package provenance

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// Signal numbers and codes of faults (linux/include/uapi/asm-generic/signal.h and siginfo.h).
const (
	sigILL  = 4
	sigTRAP = 5
	sigBUS  = 7
	sigFPE  = 8
	sigSEGV = 11

	codeKernel  = 0x80 // SI_KERNEL: a general protection fault; si_addr says nothing
	codeMapErr  = 1    // SEGV_MAPERR
	codeAccErr  = 2    // SEGV_ACCERR
	codeBusAlgn = 1    // BUS_ADRALN
	codeBusAddr = 2    // BUS_ADRERR
	codeBusHard = 4    // BUS_MCEERR_AR: a hardware memory error
)

// isFault reports whether s was raised by an instruction. A code of 0 or less means that somebody sent it (kill, raise).
func isFault(s *crash.Signal) bool {
	if s == nil || s.Code <= 0 {
		return false
	}
	switch s.Number {
	case sigILL, sigTRAP, sigBUS, sigFPE, sigSEGV:
		return true
	}
	return false
}

// decoding is the work on one fault.
type decoding struct {
	*Analyzer
	t     *crash.Thread
	sig   *crash.Signal
	in    insn.Insn
	inOK  bool
	terms []term
	f     *Fault
}

// term is one memory access of the faulting instruction with its effective address.
type term struct {
	insn.Access
	addr uint64
	ok   bool
	size uint64 // bytes that the whole access may touch, with rep counted
}

// Fault decodes the fault of t: what the instruction tried, which operand was bad and what its value is. It returns nil
// when t did not fault (no signal, or one that was sent).
func (a *Analyzer) Fault(t *crash.Thread, st *symbols.Stack) *Fault {
	if t == nil || !isFault(t.Signal) {
		return nil
	}
	d := &decoding{Analyzer: a, t: t, sig: t.Signal, f: &Fault{}}
	if !t.RegsOK {
		d.f.InsnWhy = "the registers could not be read"
		d.f.Address, d.f.AddressOK = t.Signal.Address, t.Signal.Code != codeKernel
		return d.f
	}
	d.f.PC = t.Regs.RIP
	d.readInsn()
	switch t.Signal.Number {
	case sigFPE:
		d.arithmetic()
	case sigILL:
		d.illegal()
	case sigTRAP:
		d.trap()
	default:
		d.memory()
	}
	return d.f
}

func (d *decoding) readInsn() {
	f := d.f
	if !d.executable(f.PC) {
		f.InsnWhy = "the program counter does not point to code"
		return
	}
	in, err := d.decode(f.PC)
	if err != nil {
		f.InsnWhy = fmt.Sprintf("the instruction cannot be read: %v", err)
		return
	}
	d.in, d.inOK = in, true
	f.Insn = in.Text()
	if differs, known := d.code.CompareCode(f.PC, in.Len); known && differs {
		f.InsnWhy = "the instruction in memory differs from the one in the file: the code was patched or overwritten"
		f.CodeDiffers = true
	}
	eff := in.Effects()
	for _, acc := range eff.Access {
		d.terms = append(d.terms, d.term(acc))
	}
}

func (d *decoding) reg(r insn.Reg) (uint64, bool) {
	n, ok := r.General()
	if !ok {
		return 0, false
	}
	return d.t.Regs.Get(n), true
}

func (d *decoding) segBase(s x86asm.Reg) (uint64, bool) {
	if s == x86asm.FS {
		return d.t.Regs.FSBase, true
	}
	return d.t.Regs.GSBase, true
}

func (d *decoding) term(acc insn.Access) term {
	t := term{Access: acc, size: uint64(max(acc.Size, 1))}
	t.addr, t.ok = acc.Mem.Address(d.reg, d.segBase)
	if acc.Size == 0 {
		t.size = 4096 // XSAVE areas and the like: the size is the processor's
	}
	if acc.Repeat {
		t.size *= max(d.t.Regs.RCX, 1)
	}
	return t
}

func (d *decoding) inconsistent(format string, args ...any) {
	d.f.Inconsistent = append(d.f.Inconsistent, fmt.Sprintf(format, args...))
}

// memory decodes SIGSEGV and SIGBUS.
func (d *decoding) memory() {
	if !d.inOK && !d.executable(d.f.PC) {
		d.badBranch()
		return
	}
	if !d.inOK {
		d.fromSignal()
		return
	}
	if d.sig.Code == codeKernel {
		d.protectionFault()
		return
	}
	addr := d.sig.Address
	d.f.Address, d.f.AddressOK = addr, true
	best := d.culprit(addr)
	if best == nil {
		if addr >= d.f.PC && addr < d.f.PC+insn.MaxLen {
			d.f.Access = AccessExecute
		} else {
			d.inconsistent("%s does not access %#x, the address that the kernel reported", d.in.Text(), addr)
		}
		d.fromSignal()
		return
	}
	d.useTerm(best)
	d.classifyAddress(addr)
}

// fromSignal describes the address alone: which operand it was is not known.
func (d *decoding) fromSignal() {
	if d.sig.Code == codeKernel {
		return
	}
	d.f.Address, d.f.AddressOK = d.sig.Address, true
	d.classifyAddress(d.sig.Address)
}

// culprit is the access that covers addr: any byte of it may be reported. When several do (both operands of a string
// instruction are bad), the one that memory does not permit, else the first.
func (d *decoding) culprit(addr uint64) *term {
	var best *term
	for i := range d.terms {
		t := &d.terms[i]
		if !t.ok || addr-t.addr >= t.size {
			if !t.ok || !t.Repeat || t.addr-addr >= t.size { // rep with the direction flag set runs downwards
				continue
			}
		}
		if best == nil || d.permits(addr, best) && !d.permits(addr, t) {
			best = t
		}
	}
	if best == nil {
		for i := range d.terms {
			if t := &d.terms[i]; t.Mem.VectorIndex {
				return t
			}
		}
	}
	return best
}

// permits reports whether the mapping at addr allows what t does.
func (d *decoding) permits(addr uint64, t *term) bool {
	m := d.mapping(addr)
	switch {
	case m == nil:
		return false
	case !m.PermsOK:
		return true
	case t.Write:
		return m.Perms&crash.Write != 0
	}
	return m.Perms&crash.Read != 0
}

// useTerm fills in what the access was and which register is to blame.
func (d *decoding) useTerm(t *term) {
	f := d.f
	f.Access = AccessRead
	if t.Write && (!t.Read || d.mapping(t.addr) != nil) {
		f.Access = AccessWrite
	}
	f.Size, f.Implicit = t.Size, t.Implicit
	f.Operand = insn.SizeName(t.Size) + t.Mem.String()
	if !f.AddressOK && t.ok {
		f.Address, f.AddressOK = t.addr, true
	}
	d.badRegister(t)
}

// badRegister decides which part of the address is bad. With a base and an index, the base is bad unless it points into
// memory and the index leads away; a scale of 1 lets compilers swap the two.
func (d *decoding) badRegister(t *term) {
	m := t.Mem
	base, index := m.Base, m.Index
	baseV, baseOK := d.regOr(base)
	indexV, indexOK := d.regOr(index)
	bad, value := insn.NoReg, uint64(0)
	switch {
	case m.VectorIndex:
		return
	case !baseOK && !indexOK:
		d.f.Value, d.f.ValueOK = t.addr, t.ok
		return
	case !baseOK:
		bad, value = index, indexV
		d.f.IndexOnly = true
	case !indexOK || baseV == 0:
		bad, value = base, baseV
	case d.mapping(baseV) != nil:
		bad, value = index, indexV
		d.f.BaseOK, d.f.Base = true, base.String()
	case m.Scale == 1 && d.mapping(indexV) == nil && indexV > baseV && baseV < nullPage:
		bad, value = index, indexV
	case m.Scale == 1 && indexV == 0 && baseV < nullPage:
		bad, value = index, indexV // the "base" is the offset
	default:
		bad, value = base, baseV
	}
	d.f.Register, d.f.Value, d.f.ValueOK = bad.String(), value, true
	if bad == base || m.Scale == 1 {
		d.f.Offset = int64(t.addr - value)
	} else {
		d.f.Offset = m.Disp
	}
}

func (d *decoding) regOr(r insn.Reg) (uint64, bool) {
	if r == insn.NoReg {
		return 0, false
	}
	return d.reg(r)
}

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

func (a *Analyzer) readWord(addr uint64) (uint64, bool) {
	v, err := crash.ReadUint64(a.crash.Memory, addr)
	return v, err == nil
}

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
