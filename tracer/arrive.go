package tracer

import (
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// onSignal answers a signal-delivery stop: the signal has not reached the program yet.
func (t *tracer) onSignal(th *thread, sig unix.Signal) {
	info, err := getSiginfo(th.tid)
	if err != nil {
		t.resume(th, sig) // killed meanwhile
		return
	}
	if t.isOurs(th, sig, info) {
		return
	}
	if sig == unix.SIGTRAP && t.onTrap(th, info) {
		return
	}
	th.entering = nil
	if t.suspends(th, sig) {
		t.resume(th, unix.SIGSTOP)
		return
	}
	if th.proc != t.target {
		if t.isHangup(sig, info) {
			sig = 0
		}
		th.proc.lastSent = info
		t.resume(th, sig)
		return
	}
	t.seen[sig].Store(int64(time.Since(t.start)))
	if sig == unix.SIGWINCH {
		t.io.resize()
	}
	t.deliver(th, sig, info)
}

// isOurs answers the signals that we sent for our own purposes.
func (t *tracer) isOurs(th *thread, sig unix.Signal, info *crash.Signal) bool {
	switch {
	case sig == unix.SIGSTOP && info.Code == siQueue && info.PID == ownPID:
		t.onPoke(th)
	case sig == unix.SIGCONT && t.ownCont && info.PID == ownPID:
		t.ownCont = false
		t.resume(th, 0)
	default:
		return false
	}
	return true
}

// disposition is what a process does with a signal.
type disposition uint8

const (
	dispDefault disposition = iota
	dispHandled
	dispIgnored
)

func dispositionOf(tid int, sig unix.Signal) disposition {
	status, err := procFile(tid, "status")
	if err != nil {
		return dispDefault
	}
	if mask, ok := statusMask(status, "SigCgt"); ok && mask&signalBit(sig) != 0 {
		return dispHandled
	}
	if mask, ok := statusMask(status, "SigIgn"); ok && mask&signalBit(sig) != 0 {
		return dispIgnored
	}
	return dispDefault
}

// deliver decides whether a signal is the end of the target, is taken by a handler, or means nothing to us.
func (t *tracer) deliver(th *thread, sig unix.Signal, info *crash.Signal) {
	// A signal storm (timers, profilers) must stay cheap: the disposition of a signal that is no fault is looked up until a
	// handler is found. Should the handler be removed later, the exit event still shows the death.
	if !defaultKills(sig) || t.caught[sig] && !isGrave(sig) {
		t.resume(th, sig)
		return
	}
	switch dispositionOf(th.tid, sig) {
	case dispIgnored:
		t.resume(th, sig)
	case dispHandled:
		t.caught[sig] = true
		if !isGrave(sig) {
			t.resume(th, sig)
			return
		}
		t.enterHandler(th, sig, info)
	default:
		t.lastSent = info
		t.dieBySignal(th, sig, info)
	}
}

// enterHandler remembers the fault, then steps over the boundary into the handler, which shows where its frame lies.
func (t *tracer) enterHandler(th *thread, sig unix.Signal, info *crash.Signal) {
	th.entering = t.sightSignal(th, info)
	th.state = running
	_ = step(th.tid, sig)
}

// onTrap answers a SIGTRAP; false when it is the program's own.
func (t *tracer) onTrap(th *thread, info *crash.Signal) bool {
	if s := th.entering; s != nil && info.Code != siKernel {
		th.entering = nil
		s.entered(th.tid)
		t.resume(th, 0)
		return true
	}
	if th.stepping && info.Code == trapTrace {
		th.stepping = false
		t.resume(th, 0)
		return true
	}
	return t.onBreakpoint(th, info)
}

// dieBySignal freezes the target with the fatal signal not yet delivered, shows it, and lets it die of the signal.
func (t *tracer) dieBySignal(th *thread, sig unix.Signal, info *crash.Signal) {
	if t.inspected {
		t.resume(th, sig)
		return
	}
	t.freeze(t.target)
	c := t.observe(th, crash.Outcome{End: crash.EndSignal, Signal: info})
	t.inspect(c)
	t.target.breaks.removeAll(th.tid) // the core dump shows the program's own code
	// The signal goes first, so that the other threads do as little as possible between the fault and the end.
	t.resume(th, sig)
	t.thaw(t.target, th)
}
