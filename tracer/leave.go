package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

const leavePatience = time.Second

// leave lets go of the processes that outlive the target, as if they had never been traced; after a stall or a
// cancellation it ends them.
func (t *tracer) leave() {
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
	deadline := time.Now().Add(leavePatience)
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
	switch event := int(ws) >> 16; {
	case event == 0:
		sig = unix.Signal(int(ws) >> 8 & 0xff)
		if t.isHangup(th, sig) {
			sig = 0
		}
	case event == unix.PTRACE_EVENT_CLONE, event == unix.PTRACE_EVENT_FORK, event == unix.PTRACE_EVENT_VFORK:
		if msg, err := eventMessage(th.tid); err == nil && t.threads[int(msg)] == nil {
			t.adopt(int(msg))
		}
	case event == eventStop && t.hangupPending(th):
		t.resume(th, 0) // its signal stop comes next
		return true
	}
	th.proc.breaks.removeAll(th.tid)
	_ = detach(th.tid, sig)
	t.forget(th)
	return true
}

// isHangup tells the SIGHUP and SIGCONT that the kernel sends to the foreground of our pseudo-terminal because its session
// leader, the target, has ended. Under the user's own terminal the session leader is the shell, and nobody gets them.
func (t *tracer) isHangup(th *thread, sig unix.Signal) bool {
	if !t.io.full || sig != unix.SIGHUP && sig != unix.SIGCONT {
		return false
	}
	info, err := getSiginfo(th.tid)
	return err == nil && info.Code == siKernel
}

// hangupPending reports that such a SIGHUP is about to be delivered.
func (t *tracer) hangupPending(th *thread) bool {
	if !t.io.full {
		return false
	}
	status, err := procFile(th.tid, "status")
	if err != nil {
		return false
	}
	pending, _ := statusMask(status, "ShdPnd")
	blocked, _ := statusMask(status, "SigBlk")
	return pending&^blocked&signalBit(unix.SIGHUP) != 0
}
