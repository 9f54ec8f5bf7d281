package diagnose

import (
	"meshdiag/crash"
	"meshdiag/report"
	"meshdiag/waits"
)

// lookAtWaits asks what the threads wait for where that could be the answer: in a process that was alive when it was
// stopped. One that died of a fault was not waiting.
func (w *walk) lookAtWaits() {
	switch w.end.Outcome.End {
	case crash.EndStalled, crash.EndRunning:
		w.c.Waits = waits.Analyze(w.crash, w.c.Stacks, w.prof, w.sym)
	}
}

// waiting says what a thread is doing in the kernel, "" when it runs.
func (w *walk) waiting(i int) string {
	t := &w.crash.Threads[i]
	if w.c.Waits != nil {
		x := &w.c.Waits.Waits[i]
		if x.Call != "" && x.Text != "" {
			return x.Call + ", " + x.Text
		}
		if x.Call != "" {
			return x.Call
		}
	}
	if t.Syscall == nil || t.Syscall.Number < 0 {
		return ""
	}
	return crash.SyscallName(t.Syscall.Number)
}

func (w *walk) wait(i int) *report.Wait {
	if w.c.Waits == nil {
		return nil
	}
	x := &w.c.Waits.Waits[i]
	r := &report.Wait{Kind: string(x.Kind), Text: opt(x.Text), Primitive: opt(string(x.Primitive)), Address: optHex(x.Address, x.Address != 0), Name: opt(x.Name),
		FDs: []int{}, Timed: x.Timed, Rest: x.Rest, Pace: opt(string(x.Pace))}
	r.FDs = append(r.FDs, x.FDs...)
	if x.ChildID != 0 {
		r.Child = &x.ChildID
	}
	if x.Timed && x.LeftKnown {
		r.LimitS = seconds(x.Left.Seconds())
	}
	if len(x.Holders) > 0 {
		h := x.Holders[0]
		r.Holder = &report.Holder{TID: h.TID, Alive: h.Thread >= 0, Sure: h.Sure, Why: h.Why}
	}
	return r
}

// graph is who waits for whom.
func (w *walk) graph() *report.Waits {
	g := w.c.Waits
	if g == nil {
		return nil
	}
	r := &report.Waits{Cycles: []report.Cycle{}, Chains: []report.Chain{}, Closed: g.Closed}
	for _, c := range g.Cycles {
		r.Cycles = append(r.Cycles, report.Cycle{Threads: w.tids(c.Threads), Proven: c.Proven})
	}
	for _, c := range g.Chains {
		x := report.Chain{Threads: w.tids(c.Threads), Sure: c.Sure}
		if c.Dead != 0 {
			x.EndedTID = &c.Dead
		}
		r.Chains = append(r.Chains, x)
	}
	return r
}

func (w *walk) tids(threads []int) []int {
	out := make([]int, len(threads))
	for i, t := range threads {
		out[i] = w.crash.Threads[t].TID
	}
	return out
}
