package tracer

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const maxCPUWindow = time.Second

// stallWatch is the watchdog's state. A helper goroutine measures; the tracing thread judges and reads the result.
type stallWatch struct {
	awake  atomic.Int64 // nanoseconds since start: the last moment that counts as a new beginning, e.g. after SIGCONT
	wanted atomic.Bool  // a stall was seen and the tracing thread was poked

	mu     sync.Mutex
	before map[int]usage // of the threads at the window's start
	at     time.Time

	after  map[int]usage // set at the freeze, tracing thread only
	window time.Duration
}

func (s *stallWatch) touch(now time.Duration) { s.awake.Store(int64(now)) }

func (s *stallWatch) sample(pid int) {
	all, at := usages(pid), time.Now()
	s.mu.Lock()
	s.before, s.at = all, at
	s.mu.Unlock()
}

// conclude ends the window; call it before the threads are stopped.
func (s *stallWatch) conclude(pid int) {
	s.after = usages(pid)
	s.mu.Lock()
	s.window = time.Since(s.at)
	s.mu.Unlock()
}

// fill gives a thread its CPU time and activity over the window.
func (s *stallWatch) fill(th *crash.Thread) {
	if s.after == nil {
		return
	}
	before, ok1 := s.before[th.TID]
	after, ok2 := s.after[th.TID]
	if ok2 && (ok1 || s.before != nil) {
		th.CPU, th.CPUWindow = after.cpu-before.cpu, s.window
		th.Activity = after.since(before)
	}
}

// silent is how long the target has said nothing.
func (t *tracer) silent() time.Duration {
	last := max(t.out.lastOutput(), time.Duration(t.stall.awake.Load()))
	return t.out.now() - last
}

// watchForStall runs beside the loop. Near the end of a silence it measures CPU times, at its end it pokes the target so
// that the tracing thread wakes up and looks.
func (t *tracer) watchForStall(quit <-chan struct{}) {
	limit := t.o.StallAfter
	window := min(maxCPUWindow, limit/2)
	sampled := false
	for {
		wait := limit - t.silent()
		switch {
		case t.stopped.Load():
			wait, sampled = limit, false
			t.stall.touch(t.out.now())
		case wait > window:
			wait, sampled = wait-window, false
		case !sampled:
			t.stall.sample(t.target.pid)
			sampled = true
		case wait <= 0:
			t.stall.wanted.Store(true)
			t.poke()
			wait = time.Second // and again, should the poke get lost
		}
		select {
		case <-quit:
			return
		case <-time.After(max(wait, 0)):
		}
	}
}

// poke makes the tracing thread's wait4 return: a SIGSTOP of ours, marked, which never reaches the program. No other
// signal works on a program that blocks signals.
func (t *tracer) poke() {
	info := unix.Siginfo{Signo: int32(unix.SIGSTOP), Code: siQueue}
	setSender(&info, ownPID)
	_ = t.remote.signal(unix.SIGSTOP, &info)
}

// onPoke lets the target go if that is wanted; else it looks whether it really stalls, and if so shows and ends it.
func (t *tracer) onPoke(th *thread) {
	if th.proc == t.target && !t.inspected && t.leaveWanted.Load() {
		t.letGo(th)
		return
	}
	wanted := t.stall.wanted.Swap(false)
	if th.proc != t.target || t.inspected || !wanted || t.silent() < t.o.StallAfter {
		t.resume(th, 0)
		return
	}
	t.stall.conclude(t.target.pid)
	doing := t.doing()
	t.freeze(t.target)
	motion := t.watchMotion()
	c := t.observe(th, crash.Outcome{End: crash.EndStalled})
	for i := range c.Threads {
		doing[c.Threads[i].TID].fill(&c.Threads[i])
		c.Threads[i].Motion = motion[c.Threads[i].TID]
	}
	c.Focus = 0 // no thread is known to be the reason: the leader, which is first
	c.World = world(t.target.pid, th.tid)
	t.inspect(c)
	t.killAll = true
	_ = t.remote.signal(unix.SIGKILL, nil)
	t.resume(th, 0)
	t.thaw(t.target, th)
}

// activity is what a thread was doing before it was stopped.
type activity struct{ state, wchan string }

func (a activity) fill(th *crash.Thread) {
	if a.state != "" {
		th.State = a.state
	}
	th.Wchan = a.wchan
}

// doing asks the kernel where the threads wait; once they are stopped it would only say that they are.
func (t *tracer) doing() map[int]activity {
	all := make(map[int]activity, len(t.target.threads))
	for tid, th := range t.target.threads {
		if th.state == stopped {
			continue
		}
		a := activity{state: liveState(tid)}
		if data, err := procFile(tid, "wchan"); err == nil && string(data) != "0" {
			a.wchan = string(data)
		}
		all[tid] = a
	}
	return all
}
