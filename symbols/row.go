package symbols

import (
	"fmt"
	"strings"

	"meshdiag/crash"
)

// ruleKind says how one register of the caller is found (DWARF 5, section 6.4.1).
type ruleKind uint8

const (
	ruleUnspecified ruleKind = iota // the ABI decides: callee-saved registers are unchanged, others are lost
	ruleUndefined                   // explicitly lost; for the return address: this is the outermost frame
	ruleSame                        // unchanged
	ruleOffset                      // saved at CFA+off
	ruleValOffset                   // is CFA+off
	ruleRegister                    // is in another register
	ruleExpr                        // saved at the address that the expression yields
	ruleValExpr                     // is what the expression yields
	ruleRegOffset                   // only for the CFA: register+off
)

// rule is the recipe for one register, or for the CFA.
type rule struct {
	kind ruleKind
	reg  crash.RegNum
	off  int64
	expr []byte
}

// String prints a rule like readelf: c-16, v+8, r3, exp, u, s; the CFA as rsp+8.
func (r rule) String() string {
	switch r.kind {
	case ruleUndefined:
		return "u"
	case ruleSame:
		return "s"
	case ruleOffset:
		return fmt.Sprintf("c%+d", r.off)
	case ruleValOffset:
		return fmt.Sprintf("v%+d", r.off)
	case ruleRegister:
		return r.reg.String()
	case ruleExpr:
		return "exp"
	case ruleValExpr:
		return "vexp"
	case ruleRegOffset:
		return fmt.Sprintf("%s%+d", r.reg, r.off)
	}
	return "-"
}

// row is everything needed to step from one pc to its caller. It is a value: computed once per pc, cached, printable,
// and executed by machine.step without looking at the tables again.
type row struct {
	cfa    rule
	regs   [crash.NumRegs]rule
	signal bool // the CIE says 'S': the pc of the caller's frame is not a return address
}

// String prints the row's CFA and the specified registers in DWARF order: "cfa=rsp+16 rbx=c-16 rip=c-8".
func (r *row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cfa=%s", r.cfa)
	for n := crash.RegNum(0); n < crash.NumRegs; n++ {
		if r.regs[n].kind != ruleUnspecified {
			fmt.Fprintf(&b, " %s=%s", n, r.regs[n])
		}
	}
	if r.signal {
		b.WriteString(" signal")
	}
	return b.String()
}

// restoresAll reports whether the row describes a saved context rather than a call: it gives back registers that no
// call preserves. This is what tells a real signal trampoline from coroutine trampolines, which borrow the 'S' flag to
// be allowed to switch stacks (corosensei does, see its arch/x86_64.rs).
func (r *row) restoresAll() bool {
	return r.regs[crash.RAX].kind > ruleSame && r.regs[crash.RDI].kind > ruleSame
}

// switchesStack reports whether the CFA is read from memory rather than computed from the frame's own registers, as a
// coroutine's parent link is.
func (r *row) switchesStack() bool {
	if r.cfa.kind != ruleExpr {
		return false
	}
	for _, op := range r.cfa.expr {
		if op == opDeref {
			return true
		}
	}
	return false
}

// cfaFromRSP reports whether the frame ends at a fixed distance from its own stack pointer: then both are on one stack,
// however large the frame is.
func (r *row) cfaFromRSP() bool {
	return r.cfa.kind == ruleRegOffset && r.cfa.reg == crash.RSP && r.regs[crash.RSP].kind == ruleUnspecified && !r.signal
}

// calleeSaved reports whether the System V x86-64 ABI makes a function preserve n (psABI, figure 3.4).
func calleeSaved(n crash.RegNum) bool {
	switch n {
	case crash.RBX, crash.RBP, crash.R12, crash.R13, crash.R14, crash.R15:
		return true
	}
	return false
}
