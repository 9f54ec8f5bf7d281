package tracer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// tracer is one run. Everything but the atomics, io and out belongs to the tracing thread.
type tracer struct {
	o     Options
	start time.Time
	io    *stdio
	out   *capture

	target    *process
	processes map[int]*process
	threads   map[int]*thread
	backlog   []waited // stops that were collected during a freeze and are not handled yet
	ownCont   bool     // the SIGCONT of our launch has not come by yet
	suspended bool     // the target is being stopped for a Ctrl-Z

	sightings sightings
	warnings  []string
	blind     string               // why panics of the present image are not seen, "" when they are
	parted    []crash.OtherProcess // processes that the target had started and that are gone, the last ones
	children  []crash.DeadChild    // those that died of a signal
	lastSent  *crash.Signal        // the last signal that was delivered to the target and may have killed it
	caught    [65]bool             // signals (by number) that the target had a handler for when last looked at
	inspected bool
	final     *unix.WaitStatus // set when the target was reaped
	ended     crash.Outcome    // what was told to Inspect
	leaving   bool             // the target is gone; let the others go
	left      bool             // the target lives on without us
	killAll   bool             // the others are to end, not to go on

	stall     stallWatch
	oom       oomWatch
	kills     killWatch
	signals   chan os.Signal
	remote    handle
	seen      [65]atomic.Int64 // when (nanoseconds since start) the target last got each signal
	stopped   atomic.Bool      // the target is in a job control stop
	cancelled atomic.Bool

	leaveWanted atomic.Bool // see Options.Leave
}

type waited struct {
	tid int
	ws  unix.WaitStatus
}

func newTracer(o Options) (*tracer, error) {
	t := &tracer{o: o, start: time.Now(), processes: map[int]*process{}, threads: map[int]*thread{}, oom: oomWatch{before: -1, kills: -1}}
	t.out = newCapture(func() time.Duration { return time.Since(t.start) })
	io, err := newStdio(&t.o, t.out)
	if err != nil {
		return nil, fmt.Errorf("set up the program's standard streams: %w", err)
	}
	t.io = io
	return t, nil
}

// close gives the terminal back in any case, also when Inspect panicked.
func (t *tracer) close() {
	t.io.close()
	t.dropSignals()
	t.remote.close()
	if t.target != nil {
		t.target.closeMem()
	}
}

func (t *tracer) run(ctx context.Context) (crash.Outcome, error) {
	t.catchSignals()
	if err := t.launch(); err != nil {
		var failed *launchError
		if errors.As(err, &failed) {
			return t.failedLaunch(failed), nil
		}
		return crash.Outcome{}, err
	}
	t.io.start()
	endWatchers := t.startWatchers(ctx)
	err := t.loop()
	endWatchers()
	if err != nil {
		_ = t.remote.signal(unix.SIGKILL, nil)
		return crash.Outcome{}, err
	}
	if t.left {
		return t.ended, t.goWithout()
	}
	t.killAll = t.killAll || t.cancelled.Load()
	t.inspectRemains()
	t.leave()
	t.io.finish()
	return t.outcome(), nil
}

// loop handles stops until the target is reaped or let go.
func (t *tracer) loop() error {
	for t.final == nil && !t.left {
		w, err := t.next()
		if err != nil {
			return fmt.Errorf("wait for the traced program: %w", err)
		}
		t.handle(w)
	}
	return nil
}

// next is the next stop: one left over from a freeze, or the kernel's.
func (t *tracer) next() (waited, error) {
	if len(t.backlog) > 0 {
		w := t.backlog[0]
		t.backlog = t.backlog[1:]
		return w, nil
	}
	for {
		var w waited
		var err error
		if t.target.holding() {
			w.tid, err = t.waitFor(&w.ws, holdPatience)
			if w.tid == 0 && err == nil {
				t.releaseHeld()
				continue
			}
			return w, err
		}
		w.tid, err = wait4(-1, &w.ws, 0)
		return w, err
	}
}

// waitFor waits for any stop until the deadline has passed; tid 0 then.
func (t *tracer) waitFor(ws *unix.WaitStatus, patience time.Duration) (int, error) {
	deadline := time.Now().Add(patience)
	for nap := 20 * time.Microsecond; ; nap = min(2*nap, time.Millisecond) {
		tid, err := wait4(-1, ws, unix.WNOHANG)
		if tid != 0 || err != nil || time.Now().After(deadline) {
			return tid, err
		}
		time.Sleep(nap)
	}
}

// handle answers one report of wait4.
func (t *tracer) handle(w waited) {
	th := t.threads[w.tid]
	if w.ws.Exited() || w.ws.Signaled() {
		t.gone(w, th)
		return
	}
	if !w.ws.Stopped() {
		return
	}
	if th == nil {
		// The first stop of a new thread may come before its creator's event.
		if th = t.adopt(w.tid); th == nil {
			_ = cont(w.tid, 0)
			return
		}
	}
	th.state, th.queued = stopped, false
	th.comeHome()
	if t.leaving && t.release(th, w.ws) {
		return
	}
	sig := unix.Signal(int(w.ws) >> 8 & 0xff)
	switch event := int(w.ws) >> 16; event {
	case 0:
		t.onSignal(th, sig)
	case eventStop:
		t.onStop(th, sig)
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		t.onBirth(th, event)
	case unix.PTRACE_EVENT_EXEC:
		t.onExec(th)
	case unix.PTRACE_EVENT_EXIT:
		t.onExit(th)
	default:
		t.resume(th, 0)
	}
}

// onStop answers PTRACE_EVENT_STOP: a group stop, the first stop of a new thread, or an interrupt.
func (t *tracer) onStop(th *thread, sig unix.Signal) {
	if stopsProcess(sig) {
		th.state = listening
		_ = listen(th.tid)
		if th.proc == t.target && !t.stopped.Swap(true) {
			t.onJobStop(sig)
		}
		return
	}
	if th.proc == t.target && t.stopped.Swap(false) {
		t.stall.touch(time.Since(t.start))
	}
	t.resume(th, 0)
}

// resume lets a stopped thread go on, delivering sig. A thread that was killed meanwhile tells so itself.
func (t *tracer) resume(th *thread, sig unix.Signal) {
	th.state = running
	_ = cont(th.tid, sig)
}

// outcome is the kernel's final word.
func (t *tracer) outcome() crash.Outcome {
	out := t.ended
	switch ws := *t.final; {
	case out.End == crash.EndStalled:
	case ws.Exited():
		out.End, out.ExitCode, out.Signal = crash.EndExit, ws.ExitStatus(), nil
	case ws.Signaled():
		out.End, out.ExitCode, out.CoreDumped = crash.EndSignal, 0, ws.CoreDump()
		if out.Signal == nil || out.Signal.Number != int(ws.Signal()) {
			out.Signal = t.sentSignal(int(ws.Signal()))
			out.Sender, out.Forwarded = nil, false
		}
	}
	return out
}

// sentSignal is what is known of the signal that ended the target.
func (t *tracer) sentSignal(number int) *crash.Signal {
	if t.lastSent != nil && t.lastSent.Number == number {
		return t.lastSent
	}
	return &crash.Signal{Number: number, CodeUnknown: true}
}
