package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

// settleStop is how long a stop of our own process group may take to reach us.
const settleStop = 20 * time.Millisecond

// suspends reports that a terminal's stop signal must be made a SIGSTOP to stop a thread. Under a terminal of its own the
// target has no shell in its session, its process group is orphaned, and the kernel ignores Ctrl-Z there.
func (t *tracer) suspends(th *thread, sig unix.Signal) bool {
	if !t.io.full || sig != unix.SIGTSTP || dispositionOf(th.tid, sig) != dispDefault {
		return false
	}
	group, err := unix.Getpgid(th.proc.pid)
	if err != nil || group != t.target.pid {
		return false
	}
	t.suspended = t.suspended || th.proc == t.target
	return true
}

// onJobStop follows the target into a Ctrl-Z, so that the user's shell sees its job stop. A SIGSTOP is not followed: it
// comes from another process, which will continue the target itself and needs us to be awake then.
func (t *tracer) onJobStop(sig unix.Signal) {
	switch {
	case t.suspended:
		t.suspended = false
		t.stopWithTerminal()
	case sig == unix.SIGTSTP && t.io.real >= 0 && inForeground(t.io.real):
		_ = unix.Tgkill(ownPID, unix.Gettid(), unix.SIGSTOP)
		t.stall.touch(t.out.now())
	}
}

// stopWithTerminal hands the terminal back, stops our whole job as the terminal would have, and when the shell continues it
// goes on with the target.
func (t *tracer) stopWithTerminal() {
	t.io.sync()
	t.io.term.restore()
	_ = unix.Kill(0, unix.SIGTSTP)
	time.Sleep(settleStop)
	t.io.foreground()
	t.stall.touch(t.out.now())
	group, ok := t.io.foregroundGroup()
	if !ok {
		group = t.target.pid
	}
	_ = unix.Kill(-group, unix.SIGCONT)
}
