package tracer

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const (
	looks      = 5
	lookPause  = 15 * time.Millisecond
	maxMoving  = 64   // threads that are looked at again
	maxStepped = 4    // threads that are stepped
	maxSteps   = 3000 // instructions of each
	maxLoop    = 256  // instructions of a round that are kept
)

// watchMotion looks several times at the threads that run, and then lets each execute instructions one by one to see whether
// it goes round in a circle. The target is frozen before and after; it is not meant to live on.
func (t *tracer) watchMotion() map[int]*crash.Motion {
	found := map[int]*crash.Motion{}
	moving := t.running()
	for _, th := range moving {
		found[th.tid] = &crash.Motion{Every: lookPause}
	}
	for n := range looks {
		for _, th := range moving {
			var r crash.Regs
			if getRegs(th.tid, &r) == nil {
				m := found[th.tid]
				m.Looks = append(m.Looks, crash.Look{PC: r.RIP, SP: r.RSP})
			}
		}
		if n < looks-1 && len(moving) > 0 {
			moving = t.letRun(moving)
		}
	}
	for i, th := range moving {
		if i == maxStepped {
			break
		}
		t.stepThrough(th, found[th.tid])
	}
	return found
}

// running are the frozen threads that were in no system call, or in one that only gives the processor away.
func (t *tracer) running() []*thread {
	var all []*thread
	for _, th := range t.target.threads {
		if th.state != stopped || th.hasPending || th.queued || th.held || th.exiting || th.aside != nil || th.entering != nil {
			continue
		}
		var r crash.Regs
		if getRegs(th.tid, &r) != nil {
			continue
		}
		if s, _ := r.Syscall(); s == nil || s.Number == unix.SYS_SCHED_YIELD {
			all = append(all, th)
		}
	}
	slices.SortFunc(all, func(a, b *thread) int { return a.tid - b.tid })
	return all[:min(len(all), maxMoving)]
}

// letRun lets threads run for a moment. It gives back those that were stopped by us again, and not by anything of their own.
func (t *tracer) letRun(threads []*thread) []*thread {
	for _, th := range threads {
		t.resume(th, 0)
	}
	time.Sleep(lookPause)
	for _, th := range threads {
		_ = interrupt(th.tid)
	}
	return slices.DeleteFunc(threads, func(th *thread) bool {
		t.await(th, freezePatience)
		return th.state != stopped || th.hasPending
	})
}

// moment is a thread's general registers with the flags that instructions set.
type moment [18]uint64

func momentOf(r *crash.Regs) moment {
	const untold = 1<<8 | 1<<16 // TF and RF: ours, and the processor's own
	return moment{r.RAX, r.RBX, r.RCX, r.RDX, r.RSI, r.RDI, r.RBP, r.RSP, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15,
		r.RIP, r.EFLAGS &^ untold}
}

// stepThrough executes instructions until two rounds of a loop were the same, or something comes up.
func (t *tracer) stepThrough(th *thread, m *crash.Motion) {
	var seen []moment
	var mark []byte // vector registers at the moment that may begin a round
	begin, limit := 0, 1
	for m.Steps < maxSteps {
		var r crash.Regs
		if getRegs(th.tid, &r) != nil || !t.steppable(th, &r) {
			return
		}
		if r.RSP > m.Shallow.SP {
			m.Shallow = crash.Look{PC: r.RIP, SP: r.RSP}
		}
		now := momentOf(&r)
		n := len(seen)
		if n > 0 && n > begin && now == seen[begin] && mark != nil {
			length := n - begin
			if sameRounds(seen, begin, length) && bytes.Equal(mark, xstate(th.tid)) {
				m.Loop = programCounters(seen[begin : begin+min(length, maxLoop)])
				return
			}
		}
		seen = append(seen, now)
		if n-begin >= limit || n == 0 { // Brent's search for the length of a circle
			begin, limit, mark = n, limit*2, xstate(th.tid)
		}
		if !t.stepQuickly(th) {
			return
		}
		m.Steps++
	}
}

// sameRounds reports whether the round before begin was the same as the one of that length that begins there. Where that
// long ago nothing was recorded, it is not known to be.
func sameRounds(seen []moment, begin, length int) bool {
	return begin >= length && slices.Equal(seen[begin-length:begin], seen[begin:begin+length])
}

func programCounters(round []moment) []uint64 {
	all := make([]uint64, len(round))
	for i := range round {
		all[i] = round[i][16]
	}
	return all
}

// steppable reports whether the next instruction can be executed alone: it is no system call that may wait, and none of our
// breakpoints stands there.
func (t *tracer) steppable(th *thread, r *crash.Regs) bool {
	var code [2]byte
	mem := &liveMemory{tid: th.tid}
	if n, _ := mem.ReadMemory(code[:], r.RIP); n < len(code) || code[0] == int3 {
		return false
	}
	return code != [2]byte{0x0f, 0x05} || r.RAX == unix.SYS_SCHED_YIELD
}

// stepQuickly executes one instruction; false when the thread stopped for another reason, which is kept for the thaw.
func (t *tracer) stepQuickly(th *thread) bool {
	if step(th.tid, 0) != nil {
		return false
	}
	th.state, th.stepping = running, true
	var ws unix.WaitStatus
	tid, err := wait4(th.tid, &ws, 0)
	if err != nil || tid != th.tid {
		return false
	}
	if !ws.Stopped() {
		t.backlog = append(t.backlog, waited{tid, ws})
		return false
	}
	th.state = stopped
	if ws.StopSignal() == unix.SIGTRAP && int(ws)>>16 == 0 {
		if info, err := getSiginfo(th.tid); err == nil && info.Code == trapTrace {
			th.stepping = false
			return true
		}
	}
	th.hasPending, th.pending = true, ws
	return false
}
