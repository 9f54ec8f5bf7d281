package provenance

import (
	"testing"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// reachable lists which of the offsets in a function at textBase can be reached from its entry.
func reachable(a *Analyzer, offsets ...uint64) []bool {
	f := a.function(textBase)
	out := make([]bool, len(offsets))
	for n, off := range offsets {
		i, ok := f.at(textBase + off)
		out[n] = ok && f.reach[i]
	}
	return out
}

func all(b []bool) bool {
	for _, v := range b {
		if !v {
			return false
		}
	}
	return true
}

// TestJumpTable: the table's address is loaded outside the loop, far from the jump, and the arms stand behind padding.
func TestJumpTable(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `
		4c 8d 2d f9 0f 10 00            # 00 lea r13, [rip+0x100ff9] -> 0x501000
		83 ff 02                        # 07 cmp edi, 2
		77 18                           # 0a ja 24
		49 63 4c bd 00                  # 0c movsxd rcx, [r13+rdi*4]
		4c 01 e9                        # 11 add rcx, r13
		ff e1                           # 14 jmp rcx
		90 90                           # 16
		31 c0 c3                        # 18 xor eax, eax; ret
		90                              # 1b
		89 f8 c3                        # 1c mov eax, edi; ret
		90                              # 1f
		ff c0 eb e0                     # 20 inc eax; jmp 04
		c3                              # 24 ret`)
	for i, off := range []uint64{0x18, 0x1c, 0x20} {
		d := uint32(textBase + off - 0x501000)
		p.write(0x501000+uint64(i)*4, []byte{byte(d), byte(d >> 8), byte(d >> 16), byte(d >> 24)})
	}
	a := p.analyzer()
	if got := reachable(a, 0x18, 0x1c, 0x20, 0x24); !all(got) {
		t.Errorf("reached: %v", got)
	}
	i, _ := a.function(textBase).at(textBase + 0x14)
	if n := len(a.function(textBase).tables[i]); n != 3 {
		t.Errorf("the jump has %d targets, want 3", n)
	}
}

// TestUnreadableTable: without the table the arms are still reached, by way of the jump.
func TestUnreadableTable(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `ff e1  90 90  31 c0 c3  0f 1f 00  89 f8 c3`)
	if got := reachable(p.analyzer(), 4, 10); !all(got) {
		t.Errorf("reached: %v", got)
	}
}

// TestNoReturn: nothing flows out of a call to a function that never returns, whether its name or its code says so.
func TestNoReturn(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `
		e8 fb 00 00 00                  # 00 call die
		31 c0 c3                        # 05`)
	p.function(t, "die", textBase+0x100, "e8 fb 00 00 00  eb fe") // call abort; jmp .
	p.function(t, "abort", textBase+0x200, "c3")
	if got := reachable(p.analyzer(), 5); got[0] {
		t.Error("the code behind the call is taken for reachable")
	}
	q := newProcess()
	q.function(t, "f", textBase, "e8 fb 00 00 00  31 c0 c3")
	q.function(t, "work", textBase+0x100, "31 c0 c3")
	if got := reachable(q.analyzer(), 5); !got[0] {
		t.Error("the code behind an ordinary call is not reached")
	}
}

// TestLandingPad: the handler of an exception is entered from the call that it covers.
func TestLandingPad(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `
		bb 07 00 00 00                  # 00 mov ebx, 7
		e8 f6 00 00 00                  # 05 call 100
		c3                              # 0a ret
		48 89 d8                        # 0b mov rax, rbx
		c3                              # 0e ret`)
	p.function(t, "work", textBase+0x100, "c3")
	p.code.pads = []symbols.LandingPad{{Lo: textBase + 5, Hi: textBase + 10, Pad: textBase + 0xb}}
	a := p.analyzer()
	budget := traceBudget
	f := a.function(textBase)
	pad, _ := f.at(textBase + 0xb)
	got := a.reaching(codeView(f, pad, &budget), pad, regPlace(3, 0, 8), fullReach)
	if !f.reach[pad] || len(got.defs) != 1 || f.nodes[got.defs[0].at].addr != textBase {
		t.Errorf("reach %v, defs %+v", f.reach[pad], got.defs)
	}
}

// TestColdPart: the part of a function that was moved away belongs to it, from both sides.
func TestColdPart(t *testing.T) {
	for _, ask := range []uint64{textBase, textBase + 0x100} {
		p := newProcess()
		p.function(t, "f", textBase, "bb 07 00 00 00  85 ff  0f 85 f3 00 00 00  c3")
		p.function(t, "f.cold", textBase+0x100, "48 8b 03  e9 05 ff ff ff")
		a := p.analyzer()
		f := a.function(ask)
		i, ok := f.at(textBase + 0x100)
		if !ok || !f.reach[i] || f.lo != textBase {
			t.Fatalf("asked at %#x: lo %#x, cold part found %v", ask, f.lo, ok)
		}
		budget := traceBudget
		got := a.reaching(codeView(f, i, &budget), i, regPlace(3, 0, 8), fullReach)
		if len(got.defs) != 1 || f.nodes[got.defs[0].at].addr != textBase {
			t.Errorf("asked at %#x: defs %+v", ask, got.defs)
		}
	}
}

// TestSubRegisters: a byte that is set does not set the register, and a wide store sets both slots that it covers.
func TestSubRegisters(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `
		b8 00 00 00 00                  # 00 mov eax, 0
		b0 01                           # 05 mov al, 1
		0f 57 c0                        # 07 xorps xmm0, xmm0
		0f 29 44 24 e0                  # 0a movaps [rsp-0x20], xmm0
		c6 44 24 e8 05                  # 0f mov byte [rsp-0x18], 5
		c3                              # 14`)
	a := p.analyzer()
	f := a.function(textBase)
	budget := traceBudget
	last, _ := f.at(textBase + 0x14)
	v := codeView(f, last, &budget)
	at := func(p place) []def { return a.reaching(v, last, p, fullReach).defs }
	if d := at(regPlace(0, 0, 8)); len(d) != 1 || !d[0].partial || f.nodes[d[0].at].addr != textBase+5 {
		t.Errorf("rax: %+v", d)
	}
	if d := at(regPlace(0, 4, 4)); len(d) != 1 || d[0].partial || f.nodes[d[0].at].addr != textBase {
		t.Errorf("upper half of rax: %+v", d)
	}
	// rsp is 8 below the canonical frame address on entry.
	if d := at(slotPlace(-0x28, 8)); len(d) != 1 || d[0].partial || f.nodes[d[0].at].addr != textBase+0xa {
		t.Errorf("first slot: %+v", d)
	}
	if d := at(slotPlace(-0x20, 8)); len(d) != 1 || !d[0].partial || f.nodes[d[0].at].addr != textBase+0xf {
		t.Errorf("second slot: %+v", d)
	}
	if d := at(slotPlace(-0x18, 8)); len(d) != 1 || d[0].kind != defEntry {
		t.Errorf("third slot: %+v", d)
	}
}

// TestRedZone: a function without calls may keep data where a return address would be left; it is not taken for one.
func TestRedZone(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, `
		85 ff                           # 00 test edi, edi
		74 04                           # 02 je 08
		31 c0                           # 04 xor eax, eax
		eb 03                           # 06 jmp 0b
		48 89 f0                        # 08 mov rax, rsi
		48 89 44 24 f8                  # 0b mov [rsp-8], rax
		48 8b 00                        # 10 mov rax, [rax]
		c3                              # 13`)
	th := p.fault(sigSEGV, 1, 0, func(r *crash.Regs) { r.RIP = textBase + 0x10 })
	st := &symbols.Stack{Thread: th, Frames: []symbols.Frame{p.frame(th)}}
	a := p.analyzer()
	c := a.Slice(a.Fault(th, st), st)
	if c == nil || c.Tier != Possible || len(c.Alternatives) == 0 {
		t.Errorf("chain: %s", c)
	}
}

// frame is frame 0 of a thread, whose stack pointer stands at its return address.
func (p *process) frame(th *crash.Thread) symbols.Frame {
	f := symbols.Frame{Code: crash.PC(th.Regs.RIP), Trust: symbols.TrustContext}
	for r := crash.RegNum(0); r < crash.RIP; r++ {
		f.Regs[r] = symbols.Reg{Value: th.Regs.Get(r), Known: true, How: symbols.RegContext}
	}
	f.CFA = symbols.Reg{Value: th.Regs.RSP + 8, Known: true}
	return f
}
