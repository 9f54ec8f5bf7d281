package provenance

import (
	"fmt"

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
	if s == nil || s.Code <= 0 && !s.CodeUnknown {
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
		d.f.Address, d.f.AddressOK = t.Signal.Address, t.Signal.HasAddress()
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
	if d.t.Runs32() {
		f.InsnWhy = "it is 32-bit code"
		return
	}
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
	if d.sig.CodeUnknown {
		d.unreported()
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
	if !d.sig.HasAddress() {
		return
	}
	d.f.Address, d.f.AddressOK = d.sig.Address, true
	d.classifyAddress(d.sig.Address)
}

// unreported decodes a fault of which the observation holds the signal's number only: by the first access that cannot have
// been good. Without one nothing tells that the instruction did anything wrong: the signal may have been sent.
func (d *decoding) unreported() {
	for i := range d.terms {
		if t := &d.terms[i]; t.ok && !d.permits(t.addr, t) {
			d.useTerm(t)
			d.classifyAddress(t.addr)
			return
		}
	}
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

func (a *Analyzer) readWord(addr uint64) (uint64, bool) {
	v, err := crash.ReadUint64(a.crash.Memory, addr)
	return v, err == nil
}
