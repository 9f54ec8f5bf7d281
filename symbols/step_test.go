package symbols

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// TestEveryInstruction single-steps a program from main and unwinds at every instruction: in prologues and epilogues,
// in PLT stubs, in the dynamic linker while it binds a symbol, in qsort's callbacks. The truth is a shadow stack kept
// from the calls and returns that were executed.
func TestEveryInstruction(t *testing.T) {
	for _, flags := range [][]string{{"-O0"}, {"-O2"}, {"-O2", "-static"}, {"-O1", "-fcf-protection=none", "-fuse-ld=gold"}} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			exe := buildC(t, "steps.c", append(flags, "-Wl,-z,lazy")...)
			c := runToFault(t, 0, exe) // its int3
			w := &stepWatch{t: t, c: c, v: c.Memory.(*victim), s: New(c, Options{})}
			w.start()
			steps := 0
			w.v.call(func() {
				for ; steps < 60000 && w.step(); steps++ {
				}
			})
			t.Logf("%d instructions, %d calls, deepest %d", steps, w.calls, w.deepest)
			if w.calls < 40 || steps < 2000 {
				t.Errorf("only %d calls in %d steps: this proves nothing", w.calls, steps)
			}
		})
	}
}

// stepWatch compares the unwound stack with the shadow stack at each step.
type stepWatch struct {
	t       *testing.T
	c       *crash.Crash
	v       *victim
	s       *Symbolizer
	shadow  []uint64 // return addresses, innermost last
	base    []uint64 // what lies outside main, innermost first
	calls   int
	deepest int
	wrong   int
}

func (w *stepWatch) start() {
	st := w.s.Unwind(&w.c.Threads[0], nil, 0)
	if st.Truncated != "" || len(st.Frames) < 3 || st.Frames[0].Symbol.Name != "main" {
		dump(w.t, st)
		w.t.Fatalf("the stack of main is wrong")
	}
	for _, f := range st.Frames[1:] {
		w.base = append(w.base, f.Code.Addr)
	}
}

// step executes one instruction and checks. It must run on the ptrace thread.
func (w *stepWatch) step() bool {
	before := w.c.Threads[0].Regs
	code := make([]byte, 2)
	_, _ = w.v.ReadMemory(code, before.RIP)
	if err := unix.PtraceSingleStep(w.v.pid); err != nil {
		w.t.Error(err)
		return false
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(w.v.pid, &ws, unix.WALL, nil); err != nil || !ws.Stopped() {
		return false
	}
	if ws.StopSignal() != unix.SIGTRAP {
		w.t.Errorf("stopped by %v", ws.StopSignal())
		return false
	}
	now, err := readRegs(w.v.pid)
	if err != nil {
		w.t.Error(err)
		return false
	}
	w.c.Threads[0].Regs = now
	w.follow(before, now, code)
	if len(w.shadow) == 0 && now.RIP == w.base[0] {
		return false // main returned
	}
	// New code can have been mapped by the program; the mappings are read once, so stay with the known ones.
	return w.check(now)
}

// follow keeps the shadow stack: a call pushes the address behind itself, a return pops.
func (w *stepWatch) follow(before, now crash.Regs, code []byte) {
	isRet := code[0] == 0xc3 || code[0] == 0xc2 || (code[0] == 0xf2 || code[0] == 0xf3) && code[1] == 0xc3
	switch {
	case isRet:
		if n := len(w.shadow); n > 0 {
			w.shadow = w.shadow[:n-1]
		}
	case now.RSP == before.RSP-8 && (now.RIP < before.RIP || now.RIP > before.RIP+15 || code[0] == 0xe8):
		if ra, err := crash.ReadUint64(w.v, now.RSP); err == nil && ra > before.RIP && ra <= before.RIP+15 {
			w.shadow = append(w.shadow, ra)
			w.calls++
			w.deepest = max(w.deepest, len(w.shadow))
		}
	}
}

func (w *stepWatch) check(now crash.Regs) bool {
	st := w.s.Unwind(&w.c.Threads[0], nil, 0)
	var want []uint64
	for i := len(w.shadow) - 1; i >= 0; i-- {
		want = append(want, w.shadow[i])
	}
	want = append(want, w.base...)
	ok := len(st.Frames) == len(want)+1 && st.Truncated == ""
	for i := 0; ok && i < len(want); i++ {
		ok = st.Frames[i+1].Code.Addr == want[i] && st.Frames[i+1].Trust == TrustCFI
	}
	if !ok {
		w.wrong++
		dump(w.t, st)
		w.t.Errorf("at %#x: wanted the return addresses %#x", now.RIP, want)
	}
	return w.wrong < 3
}
