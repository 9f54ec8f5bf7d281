package diagnose

import (
	"slices"

	"meshdiag/crash"
	"meshdiag/report"
	"meshdiag/waits"
)

// lookAtWaits asks what the threads wait for where that could be the answer: in a process that was alive when it was
// stopped, and in one of which the kernel dumped a core because another process ended it, as a supervisor ends one that
// hangs. One that died of a fault was not waiting; and of one that is ended without a core, threads go one after another.
func (w *walk) lookAtWaits() {
	o := w.end.Outcome
	fromOutside := w.end.Target.Source == crash.SourceCore && o.CoreDumped && o.End == crash.EndSignal && o.Signal != nil &&
		o.Signal.Sent() && o.Signal.PID != w.end.Target.PID
	if o.End == crash.EndStalled || o.End == crash.EndRunning || fromOutside {
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

// maxActors bounds how many actors a report lists.
const maxActors = 64

// graph is who waits for whom.
func (w *walk) graph() *report.Waits {
	g := w.c.Waits
	if g == nil {
		return nil
	}
	r := &report.Waits{Cycles: []report.Cycle{}, Chains: []report.Chain{}, Closed: g.Closed, Actors: []report.Actor{}}
	for _, c := range g.Cycles {
		r.Cycles = append(r.Cycles, report.Cycle{Members: w.members(c.Threads), Proven: c.Proven})
	}
	for _, c := range g.Chains {
		x := report.Chain{Members: w.members(c.Threads), Sure: c.Sure, Waiters: c.Waiters}
		if c.Dead != 0 {
			x.EndedTID = &c.Dead
		}
		r.Chains = append(r.Chains, x)
	}
	for i := range g.Actors[:min(len(g.Actors), maxActors)] {
		x := &g.Actors[i]
		a := report.Actor{Name: opt(x.Name), State: string(x.State), Text: opt(g.Waits[len(w.crash.Threads)+i].Text)}
		if x.Thread >= 0 {
			a.TID = &w.crash.Threads[x.Thread].TID
		}
		r.Actors = append(r.Actors, a)
	}
	return r
}

// maxMembers bounds how many members of a ring or chain a report lists: the first and the last.
const maxMembers = 256

func (w *walk) members(nodes []int) []report.Member {
	out := []report.Member{}
	if n := len(nodes); n > maxMembers {
		nodes = slices.Concat(nodes[:maxMembers/2], nodes[n-maxMembers/2:])
	}
	for _, n := range nodes {
		m := report.Member{Text: opt(w.c.Waits.Waits[n].Text), Function: opt(w.c.OwnFunction(n))}
		if x := w.c.Waits.Actor(n); x != nil {
			name := said(x.Name)
			m.Actor = &name
		} else {
			m.TID = &w.crash.Threads[n].TID
		}
		out = append(out, m)
	}
	return out
}
