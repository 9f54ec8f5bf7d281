package provenance

import (
	"fmt"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// badBranch decodes a program counter that points to no code. Who sent it there stands on the stack: a call leaves its
// return address at [rsp]; a ret has just taken the bad value from [rsp-8].
func (d *decoding) badBranch() {
	f := d.f
	pc := f.PC
	f.BranchBad, f.Access = true, AccessExecute
	f.Address, f.AddressOK, f.Value, f.ValueOK = pc, true, pc, true
	if d.sig.Number != sigILL && d.sig.HasAddress() && d.sig.Address != pc {
		d.inconsistent("the program counter %#x points to no code, but the kernel reported %#x", pc, d.sig.Address)
	}
	match := d.branchSource()
	if taken, ok := d.readWord(d.t.Regs.RSP - 8); match < branchPlausible && ok && taken == pc {
		f.BadRet = true
		f.Operand = "qword ptr [rsp-0x8]"
		f.Register = ""
		f.Branch, f.BranchInsn = 0, "ret"
	}
	switch m := d.mapping(pc); {
	case pc == 0:
		f.Class = ClassNull
	case m != nil:
		f.Class = ClassProtection
	case pc < nullPage:
		f.Class = ClassNearNull
	default:
		f.Class = ClassUnmapped
	}
	d.describeBad(pc)
}

// branchMatch is how well the call before the return address explains the program counter.
type branchMatch int

const (
	branchNone      branchMatch = iota // there is no call
	branchOther                        // there is a call, to somewhere else
	branchPlausible                    // there is a call whose target cannot be told, or a function that may jump on
	branchExact                        // its operand holds the program counter
)

// branchSource looks at the call before [rsp].
func (d *decoding) branchSource() branchMatch {
	ret, ok := d.readWord(d.t.Regs.RSP)
	if !ok || !d.executable(ret) {
		return branchNone
	}
	call, ok := d.callBefore(ret)
	if !ok {
		return branchNone
	}
	f := d.f
	f.Branch, f.BranchInsn = call.Addr, call.Text()
	if call.HasTarget {
		if call.Target == f.PC {
			f.Operand = fmt.Sprintf("%#x", call.Target)
			return branchExact
		}
		return d.throughStub(call.Target)
	}
	eff := call.Effects()
	f.Operand = eff.Branch.String()
	if eff.Branch.Kind == insn.RegOperand {
		f.Register = eff.Branch.Reg.String()
		v, _ := d.reg(eff.Branch.Reg)
		if v == f.PC {
			return branchExact
		}
		return d.throughStub(v)
	}
	return d.throughMemory(call, eff.Branch.Mem)
}

// throughMemory: call [base+disp]. The callee has not run, so the registers are still the caller's, except rsp.
func (d *decoding) throughMemory(call insn.Insn, m insn.Mem) branchMatch {
	f := d.f
	slot, ok := m.Address(func(r insn.Reg) (uint64, bool) {
		v, ok := d.reg(r)
		if r == insn.RSP {
			v += 8
		}
		return v, ok
	}, d.segBase)
	if !ok {
		return branchPlausible
	}
	f.SlotAddr = slot
	if name, ok := d.code.GOTName(slot); ok && call.RIPRelative() {
		f.Slot = name
	}
	v, ok := d.readWord(slot)
	switch {
	case !ok:
		return branchPlausible
	case v == f.PC:
		return branchExact
	}
	return d.throughStub(v)
}

// throughStub: the call went to code that only jumps on, a PLT stub or a tail call, and that jump went wrong.
func (d *decoding) throughStub(target uint64) branchMatch {
	f := d.f
	if !d.executable(target) {
		return branchOther
	}
	at := target
	for range 4 {
		in, err := d.decode(at)
		if err != nil {
			return branchOther
		}
		if in.Flow == insn.FlowJump && !in.HasTarget {
			eff := in.Effects()
			if eff.Branch.Kind == insn.MemOperand && in.RIPRelative() {
				return d.stubSlot(in, eff.Branch.Mem)
			}
			break
		}
		if in.Flow != insn.FlowNext {
			break
		}
		at += uint64(in.Len)
	}
	f.TailCall = true
	return branchPlausible
}

func (d *decoding) stubSlot(in insn.Insn, m insn.Mem) branchMatch {
	f := d.f
	slot := uint64(m.Disp)
	v, err := crash.ReadUint64(d.crash.Memory, slot)
	if err != nil || v != f.PC {
		return branchPlausible
	}
	f.SlotAddr, f.Register = slot, ""
	f.Operand = in.Text()
	if name, ok := d.code.GOTName(slot); ok {
		f.Slot = name
	}
	return branchExact
}
