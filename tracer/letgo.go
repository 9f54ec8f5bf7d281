package tracer

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// A program can be let go: it is frozen for a moment, shown, and runs on without us. Its output must have a reader then, or
// its next line would end it.

// letGoPatience is how long its threads may take to stop; one in an uninterruptible wait cannot be let go before it wakes.
const letGoPatience = 5 * time.Second

// watchLeave pokes the target until the tracing thread has seen that it is to be let go.
func (t *tracer) watchLeave(quit <-chan struct{}) {
	select {
	case <-quit:
		return
	case <-t.o.Leave:
	}
	t.leaveWanted.Store(true)
	for {
		t.poke()
		select {
		case <-quit:
			return
		case <-time.After(time.Second): // and again, should the poke get lost
		}
	}
}

// letGo shows the target as it is and ends the loop; th is the thread that our poke stopped.
func (t *tracer) letGo(th *thread) {
	t.freeze(t.target)
	c := t.observe(th, crash.Outcome{End: crash.EndRunning})
	c.Focus = 0
	t.inspect(c)
	for _, other := range t.target.threads {
		if other.state == stopped && other.hasPending && (t.ranIntoOurs(other, other.pending) || isOurStop(other, other.pending)) {
			other.hasPending = false
		}
	}
	t.target.breaks.removeAll(th.tid)
	t.left = true
}

// ranIntoOurs takes back a breakpoint of ours that a thread has just run into: without us nobody would answer its SIGTRAP.
func (t *tracer) ranIntoOurs(th *thread, ws unix.WaitStatus) bool {
	b := th.proc.breaks
	if b == nil || int(ws)>>16 != 0 || unix.Signal(int(ws)>>8&0xff) != unix.SIGTRAP {
		return false
	}
	var r crash.Regs
	if getRegs(th.tid, &r) != nil || b.at[r.RIP-nearestByte] == nil {
		return false
	}
	r.RIP -= nearestByte
	return setRegs(th.tid, &r) == nil
}

// isOurStop reports whether a thread stopped for a poke that came twice.
func isOurStop(th *thread, ws unix.WaitStatus) bool {
	if int(ws)>>16 != 0 || unix.Signal(int(ws)>>8&0xff) != unix.SIGSTOP {
		return false
	}
	info, err := getSiginfo(th.tid)
	return err == nil && info.Code == siQueue && info.PID == ownPID
}

// errHeld says that the program could not be let go.
var errHeld = errors.New("the program could not be let go: one of its threads could not be stopped")

// goWithout lets everything go that is still traced, and finds readers for its output.
func (t *tracer) goWithout() error {
	t.leaveWithin(letGoPatience)
	if len(t.threads) > 0 {
		t.killAll = true
		_ = t.remote.signal(unix.SIGKILL, nil)
		return errHeld
	}
	return t.io.bequeath()
}

// bequeath gives each channel to a process that carries on for us.
func (s *stdio) bequeath() error {
	if s.term != nil {
		s.term.stopInput()
	}
	s.closeKept()
	var all []error
	for _, r := range s.relays {
		all = append(all, r.bequeath())
	}
	s.relays = nil
	return errors.Join(all...)
}

// bequeath stops a relay and lets cat(1) take its place until the channel ends.
func (r *relay) bequeath() error {
	r.trail.Store(time.Now().UnixNano())
	r.nudge()
	<-r.done
	defer r.discard()
	if r.in < 0 {
		return nil // its reader left before
	}
	in, err := unix.FcntlInt(uintptr(r.in), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	out, err := unix.FcntlInt(uintptr(r.out), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(in)
		return err
	}
	_ = unix.SetNonblock(in, false)
	from, to := os.NewFile(uintptr(in), "output"), os.NewFile(uintptr(out), "user")
	defer from.Close()
	defer to.Close()
	cat := exec.Command("cat")
	cat.Stdin, cat.Stdout = from, to
	cat.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C for somebody else is none for it
	if err := cat.Start(); err != nil {
		return err
	}
	return cat.Process.Release()
}
