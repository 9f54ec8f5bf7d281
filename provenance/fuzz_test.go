package provenance

import (
	"encoding/hex"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// FuzzSlice runs everything over arbitrary bytes as code, with arbitrary bytes as the caller and on the stack: it must
// come to an end soon and never panic.
func FuzzSlice(f *testing.F) {
	for _, s := range []string{"488b07c3", "e800000000488b00c3", "f348ab", "4883ec18488d7c2408e8ecffffff488b442408488b00",
		"ffe0", "ff248500104000", "c9c3", "0f44c8488b01", "c5f877c3", "eb02740074fc488b00"} {
		b, _ := hex.DecodeString(s)
		f.Add(b, uint16(0), uint64(0))
	}
	f.Fuzz(func(t *testing.T, code []byte, at uint16, value uint64) {
		if len(code) == 0 || len(code) > 4096 {
			return
		}
		p := newProcess()
		p.write(textBase, code)
		p.write(textBase+0x2000, code)
		p.write(stackHigh-0x1000, code)
		p.code.funcs = []symbols.Symbol{{Name: "f", Start: textBase, Size: uint64(len(code))},
			{Name: "g", Start: textBase + 0x2000, Size: uint64(len(code))}}
		pc := textBase + uint64(int(at)%len(code))
		th := p.fault(sigSEGV, 1, value, func(r *crash.Regs) {
			r.RIP, r.RDI, r.RAX, r.RBX, r.RCX = pc, value, value, heapBase, stackHigh-0x800
		})
		inner := p.frame(th)
		outer := inner
		outer.Code, outer.Trust = crash.ReturnAddress(pc+0x2000), symbols.TrustCFI
		outer.CFA.Value += 0x40
		st := &symbols.Stack{Thread: th, Frames: []symbols.Frame{inner, outer}}
		begin := time.Now()
		a := p.analyzer()
		fault := a.Fault(th, st)
		a.Slice(fault, st)
		a.Calls(st, 2)
		a.Callee(textBase)
		a.StackUse(th, st, fault)
		a.Classify(value)
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
