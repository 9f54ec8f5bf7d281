package provenance

import (
	"testing"

	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// throwing is a caller that ignores what a call returns, and whose landing pad reads both registers that the unwinder sets.
func throwing(t *testing.T) *Analyzer {
	t.Helper()
	p := newProcess()
	p.function(t, "g", textBase+0x100, `31 c0 c3   # xor eax, eax; ret`)
	p.function(t, "f", textBase, `
		e8 fb 00 00 00   # 00 call g
		31 c0 c3         # 05 xor eax, eax; ret
		48 89 d6         # 08 landing pad: mov rsi, rdx
		48 8b 38         # 0b mov rdi, [rax]
		4d 89 c1         # 0e mov r9, r8
		c3               # 11 ret`)
	p.code.pads = []symbols.LandingPad{{Lo: textBase, Hi: textBase + 5, Pad: textBase + 8}}
	return p.analyzer()
}

// TestResultIsNotReadWhereAnExceptionGoesOn: a landing pad reads the exception, not the result of the call that threw.
func TestResultIsNotReadWhereAnExceptionGoesOn(t *testing.T) {
	k := throwing(t).CallAt(textBase, 0)
	if k.RetRead != 0 || k.RetPair {
		t.Errorf("the result is read: %d bytes, as a pair: %v", k.RetRead, k.RetPair)
	}
}

// TestNoResultReachesALandingPad: what a landing pad finds in a register was put there by the unwinder, or is not there.
func TestNoResultReachesALandingPad(t *testing.T) {
	a := throwing(t)
	f := a.function(textBase)
	for _, c := range []struct {
		reg  insn.Reg
		at   uint64
		want defKind
		none bool
	}{{insn.RDX, 8, defLost, false}, {insn.RAX, 0xb, defLost, false}, {insn.Reg(8), 0xe, 0, true}, {insn.RBX, 8, defEntry, false}} {
		i, _ := f.at(textBase + c.at)
		budget := traceBudget
		got := a.reaching(codeView(f, i, &budget), i, regPlace(c.reg, 0, 8), fullReach)
		switch {
		case c.none && len(got.defs) == 0:
		case c.none || len(got.defs) != 1 || got.defs[0].kind != c.want:
			t.Errorf("%s: %+v", c.reg, got.defs)
		}
	}
}
