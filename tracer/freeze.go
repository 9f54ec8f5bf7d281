package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	freezePatience = 500 * time.Millisecond // a thread in an uninterruptible wait stays away longer than this
	birthPatience  = time.Second
	holdPatience   = 2 * time.Second
)

// freeze stops all threads of a process. Other stops that turn up meanwhile are kept for the thaw.
func (t *tracer) freeze(p *process) {
	var moving []*thread
	for _, th := range p.threads {
		if th.state == stopped || th.exiting {
			continue
		}
		if interrupt(th.tid) == nil {
			moving = append(moving, th)
		}
	}
	deadline := time.Now().Add(freezePatience)
	for i := 0; i < len(moving); i++ {
		th := moving[i]
		t.await(th, time.Until(deadline))
		if born := t.bornWhile(th); born != nil {
			moving = append(moving, born)
		}
	}
}

// bornWhile enters the thread that th was just creating: it is stopped at its birth and belongs to the frozen picture.
func (t *tracer) bornWhile(th *thread) *thread {
	if !th.hasPending || int(th.pending)>>16 != unix.PTRACE_EVENT_CLONE {
		return nil
	}
	msg, err := eventMessage(th.tid)
	if err != nil || t.threads[int(msg)] != nil || !threadOf(th.proc.pid, int(msg)) {
		return nil
	}
	return t.addThread(th.proc, int(msg))
}

// await waits for one thread's next stop and keeps it as pending unless it is our own interrupt. The thread is left
// running when it does not stop in time.
func (t *tracer) await(th *thread, patience time.Duration) {
	deadline := time.Now().Add(patience)
	for nap := 10 * time.Microsecond; ; nap = min(2*nap, time.Millisecond) {
		var ws unix.WaitStatus
		tid, err := wait4(th.tid, &ws, unix.WNOHANG)
		switch {
		case err != nil:
			return
		case tid == th.tid && ws.Stopped():
			th.state = stopped
			th.comeHome()
			th.hasPending = int(ws)>>16 != eventStop || unix.Signal(int(ws)>>8&0xff) != unix.SIGTRAP
			th.pending = ws
			return
		case tid == th.tid:
			t.backlog = append(t.backlog, waited{tid, ws})
			return
		case time.Now().After(deadline):
			return
		}
		time.Sleep(nap)
	}
}

// thaw lets the threads that a freeze stopped go on, and hands their own stops to the loop.
func (t *tracer) thaw(p *process, except *thread) {
	for _, th := range p.threads {
		if th != except {
			t.thawThread(th)
		}
	}
}

func (t *tracer) thawThread(th *thread) {
	switch {
	case th.state != stopped || th.held || th.queued:
	case th.hasPending:
		th.hasPending, th.queued = false, true
		t.backlog = append(t.backlog, waited{th.tid, th.pending})
	default:
		t.resume(th, 0)
	}
}
