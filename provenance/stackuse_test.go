package provenance

import (
	"testing"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// stackWith makes frames of the given sizes and names, innermost first, from rsp upwards.
func stackWith(th *crash.Thread, names []string, sizes []uint64) *symbols.Stack {
	st := &symbols.Stack{Thread: th}
	at := th.Regs.RSP
	for i, n := range names {
		f := symbols.Frame{Index: i, Symbol: symbols.Symbol{Name: n, Start: textBase + uint64(n[0])*16}, Code: crash.ReturnAddress(textBase + uint64(n[0])*16 + 5)}
		f.Regs[crash.RSP] = symbols.Reg{Value: at, Known: true}
		at += sizes[i%len(sizes)]
		f.CFA = symbols.Reg{Value: at, Known: true}
		st.Frames = append(st.Frames, f)
	}
	return st
}

// TestStackUse: where the stack pointer stands, on stacks of every kind.
func TestStackUse(t *testing.T) {
	for _, c := range []struct {
		name     string
		rsp      uint64
		fault    *Fault
		kind     string
		left     int64
		overflow bool
	}{
		{"main", stackHigh - 0x1000, nil, "main", 0xf000, false},
		{"coroutine", actorLow + 0x40, nil, "coroutine", 0x40, false},
		{"coroutine below its end", actorLow - 0x40, nil, "coroutine", -0x40, true},
		{"push into the guard", actorLow, &Fault{AddressOK: true, Address: actorLow - 8, Class: ClassGuardPage, Register: "rsp"}, "coroutine", 0, true},
		{"a fault elsewhere", actorLow + 0x100, &Fault{AddressOK: true, Address: 8, Class: ClassNull, Register: "rax"}, "coroutine", 0x100, false},
		{"a huge frame over the guard", actorLow + 0x100, &Fault{AddressOK: true, Address: actorLow - 0x100000, Class: ClassUnmapped, Register: "rsp"}, "coroutine", 0x100, true},
	} {
		p := newProcess()
		th := p.fault(sigSEGV, 1, 0, func(r *crash.Regs) { r.RSP = c.rsp })
		u := p.analyzer().StackUse(th, nil, c.fault)
		if u.Kind != c.kind || u.Left != c.left || u.Overflow != c.overflow {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

// TestRepeat: recursion with a period, under helpers, and a chain that only looks long.
func TestRepeat(t *testing.T) {
	p := newProcess()
	th := p.fault(sigSEGV, 1, 0, nil)
	for _, c := range []struct {
		names   []string
		symbols int
		count   int
		bytes   uint64
	}{
		{[]string{"f", "f", "f", "f", "f", "m"}, 1, 5, 0x40},
		{[]string{"h", "a", "b", "a", "b", "a", "b", "a", "b", "m"}, 2, 4, 0x80},
		{[]string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}, 0, 0, 0},
		{[]string{"a", "a", "b", "c", "c", "d"}, 0, 0, 0},
	} {
		u := p.analyzer().StackUse(th, stackWith(th, c.names, []uint64{0x40}), nil)
		switch {
		case c.count == 0 && u.Repeat != nil:
			t.Errorf("%v: %+v", c.names, *u.Repeat)
		case c.count > 0 && (u.Repeat == nil || len(u.Repeat.Symbols) != c.symbols || u.Repeat.Count != c.count || u.Repeat.Bytes != c.bytes):
			t.Errorf("%v: %+v", c.names, u.Repeat)
		}
	}
}

// TestLargestFrames: the biggest come first, one for each function, and frames beside a switch of stacks count for nothing.
func TestLargestFrames(t *testing.T) {
	p := newProcess()
	th := p.fault(sigSEGV, 1, 0, nil)
	st := stackWith(th, []string{"a", "b", "b", "c", "d", "e"}, []uint64{0x20, 0x400, 0x500, 0x60, 0x900, 0x10})
	st.Frames[5].Switch = "coroutine"
	got := p.analyzer().StackUse(th, st, nil).Largest
	if len(got) != 3 || got[0].Symbol != "b" || got[0].Bytes != 0x500 || got[1].Symbol != "c" || got[2].Symbol != "a" {
		t.Errorf("%+v", got)
	}
}
