package tracer

import (
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const leavePatience = time.Second

// leave lets go of the processes that outlive the target, as if they had never been traced; after a stall or a
// cancellation it ends them.
func (t *tracer) leave() { t.leaveWithin(leavePatience) }

func (t *tracer) leaveWithin(patience time.Duration) {
	t.leaving = true
	for _, w := range t.backlog {
		if th := t.threads[w.tid]; th != nil {
			th.hasPending, th.queued, th.pending = true, false, w.ws
		}
	}
	t.backlog = nil
	for _, th := range t.snapshotThreads() {
		switch {
		case t.killAll:
			_ = unix.Kill(th.proc.pid, unix.SIGKILL)
		case th.state == stopped && th.hasPending:
			t.release(th, th.pending)
		case th.state == stopped:
			t.resume(th, 0)
			_ = interrupt(th.tid)
		default:
			_ = interrupt(th.tid)
		}
	}
	deadline := time.Now().Add(patience)
	for len(t.threads) > 0 && time.Now().Before(deadline) {
		var w waited
		tid, err := t.waitFor(&w.ws, time.Until(deadline))
		if err != nil || tid == 0 {
			return
		}
		w.tid = tid
		t.handle(w)
	}
}

func (t *tracer) snapshotThreads() []*thread {
	list := make([]*thread, 0, len(t.threads))
	for _, th := range t.threads {
		list = append(list, th)
	}
	return list
}

// release detaches a stopped thread; false when its stop must first be answered in the usual way.
func (t *tracer) release(th *thread, ws unix.WaitStatus) bool {
	if t.killAll {
		return false
	}
	sig := unix.Signal(0)
	switch event := int(ws) >> 16; event {
	case 0:
		sig = unix.Signal(int(ws) >> 8 & 0xff)
		if info, err := getSiginfo(th.tid); err == nil && t.isHangup(sig, info) {
			sig = 0
			t.interruptSiblings(th)
		}
		if t.left && (t.ranIntoOurs(th, ws) || isOurStop(th, ws)) {
			sig = 0
		}
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, eventStop:
		if t.awaitsHangup(th) {
			return false // its signal stop comes next
		}
		if msg, err := eventMessage(th.tid); err == nil && event != eventStop && t.threads[int(msg)] == nil {
			t.adopt(int(msg))
		}
	}
	if th.mask != nil {
		setBlockedSignals(th.tid, *th.mask)
	}
	th.proc.breaks.removeAll(th.tid)
	_ = detach(th.tid, sig)
	t.forget(th)
	return true
}

// isHangup tells the SIGHUP and SIGCONT that the kernel sends to the foreground of our pseudo-terminal when its session
// leader, the target, ends. Under the user's own terminal the session leader is the shell, and nobody gets them.
func (t *tracer) isHangup(sig unix.Signal, info *crash.Signal) bool {
	return t.io.full && (sig == unix.SIGHUP || sig == unix.SIGCONT) && info.Code == siKernel && t.target.remaining() == 0
}

// awaitsHangup reports that such a SIGHUP is on its way to a thread. One that is blocked is unblocked for the moment,
// because a signal can only be taken away when it is delivered.
func (t *tracer) awaitsHangup(th *thread) bool {
	if !t.io.full {
		return false
	}
	status, err := procFile(th.tid, "status")
	if err != nil {
		return false
	}
	pending, _ := statusMask(status, "ShdPnd")
	if pending&signalBit(unix.SIGHUP) == 0 {
		return false
	}
	mask, ok := blockedSignals(th.tid)
	if ok && th.mask == nil && mask&signalBit(unix.SIGHUP) != 0 {
		th.mask = &mask
		setBlockedSignals(th.tid, mask&^signalBit(unix.SIGHUP))
	}
	return ok
}

// interruptSiblings calls the threads back that were let go to meet a signal which another thread has taken.
func (t *tracer) interruptSiblings(th *thread) {
	for _, other := range th.proc.threads {
		if other != th && other.state != stopped {
			_ = interrupt(other.tid)
		}
	}
}
