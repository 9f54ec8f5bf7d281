package tracer

import (
	"slices"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// onExit answers PTRACE_EVENT_EXIT: the thread is about to end, its registers and memory are still there.
//
// A thread may end alone (exit), end the process (exit_group), or be ended because another did, because of a signal, or
// because another thread calls exec. The last two cannot always be told apart at the victim, so victims with status 0 are
// noted and let go; only when it is certain that the process ends are its threads kept, until all have come.
func (t *tracer) onExit(th *thread) {
	status, _ := eventMessage(th.tid)
	th.exiting = true
	p := th.proc
	if p != t.target {
		t.childDies(p, status)
		t.part(p, th.tid)
		t.resume(th, 0)
		return
	}
	if t.inspected {
		t.resume(th, 0)
		return
	}
	seen := threadRegs(th.tid)
	call := int64(-1)
	if seen.RegsOK {
		call = int64(seen.Regs.OrigRAX)
	}
	last := p.remaining() == 0
	if call == unix.SYS_EXIT && status&0x7f == 0 && !last && !p.groupExit {
		t.resume(th, 0)
		return
	}
	seen.Name = comm(th.tid)
	p.departed = append(p.departed, seen)
	if call == unix.SYS_EXIT_GROUP && p.caller == 0 {
		p.caller = th.tid
	}
	if !p.groupExit {
		p.groupExit = last || call == unix.SYS_EXIT_GROUP || status != 0
		p.exitSig, p.exitCode = int(status&0x7f), int(status>>8&0xff)
	}
	// After a core dump, old kernels (before 5.16) have the dumping thread wait for the others inside their exit: go on.
	dumped := status&0x80 != 0
	if !p.groupExit {
		t.resume(th, 0)
		return
	}
	th.held = true
	if last || dumped {
		t.inspectExit()
	}
}

// inspectExit shows the target, all of whose threads are at their exit events, and lets them end.
func (t *tracer) inspectExit() {
	p := t.target
	var focus *thread
	for _, th := range p.threads {
		if th.held && (focus == nil || th.tid == p.caller || focus.tid != p.caller && th.tid < focus.tid) {
			focus = th
		}
	}
	if focus == nil {
		return // killed out of their exit events: inspectRemains reports what was noted
	}
	if !t.inspected {
		out := crash.Outcome{End: crash.EndExit, ExitCode: p.exitCode}
		if p.exitSig != 0 {
			out = crash.Outcome{End: crash.EndSignal, Signal: t.sentSignal(p.exitSig)}
		}
		t.inspect(t.observe(focus, out))
	}
	t.releaseHeld()
}

// releaseHeld lets the threads that were kept at their exit events end.
func (t *tracer) releaseHeld() {
	if !t.inspected {
		for _, th := range t.target.threads {
			th.exiting = true // some never came (they were beyond stopping); go on without them
		}
		t.inspectExit()
		return
	}
	for _, th := range t.target.threads {
		if th.held {
			th.held = false
			t.resume(th, 0)
		}
	}
}

// inspectRemains reports a target that vanished without any stop.
func (t *tracer) inspectRemains() {
	if t.inspected {
		return
	}
	t.warn("The process was gone before it could be looked at: its memory could not be read.")
	out := t.outcome()
	t.ending(&out, t.target.pid)
	out.Elapsed = t.out.now()
	c := &crash.Crash{
		Target:  t.describe(0),
		Process: seenNow(0),
		Outcome: out,
		Threads: t.target.departed,
		Focus:   -1,
		Memory:  crash.NoMemory{},
		Panics:  t.sightings.list(),
	}
	sortThreads(c.Threads, t.target.pid)
	if len(c.Threads) > 0 {
		c.Focus = max(0, slices.IndexFunc(c.Threads, func(th crash.Thread) bool { return th.TID == t.target.caller }))
	}
	t.inspect(c)
}
