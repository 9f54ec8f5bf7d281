package tracer

import (
	"os"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// runState is what a traced thread is doing as far as ptrace is concerned.
type runState uint8

const (
	running   runState = iota
	stopped            // waits for our answer
	listening          // in a job control stop, will notice SIGCONT
)

// thread is one traced thread.
type thread struct {
	tid   int
	proc  *process
	state runState

	pending    unix.WaitStatus // a stop found while freezing, to be handled at the thaw
	hasPending bool
	queued     bool      // its pending stop is in the backlog: it stays stopped until that is handled
	entering   *sighting // stepping into the handler of this sighting's signal
	aside      *scratch  // it executes one instruction away from its place
	mask       *uint64   // the signal mask to give back before it is let go
	stepping   bool      // a single step that has not reported yet
	exiting    bool      // its exit event was seen
	held       bool      // kept at its exit event until all threads of the process are there
}

// process is one traced process.
type process struct {
	pid     int
	threads map[int]*thread
	breaks  *breakSet // shared with a vfork parent; nil when there are none
	mem     *os.File  // only for the target

	groupExit bool           // all its threads are exiting
	exitSig   int            // the signal that ends it, 0 for an exit
	exitCode  int            // wait status of an exit, shifted
	caller    int            // the thread that called exit_group, 0 unknown
	departed  []crash.Thread // threads as they were at their exit event

	lastSent *crash.Signal    // of a child: the last signal that was delivered to it
	dead     *crash.DeadChild // of a child: what was seen when it died of a signal
}

func (p *process) closeMem() {
	if p.mem != nil {
		_ = p.mem.Close()
		p.mem = nil
	}
}

// holding reports whether threads are kept at their exit events.
func (p *process) holding() bool {
	if !p.groupExit {
		return false
	}
	for _, th := range p.threads {
		if th.held {
			return true
		}
	}
	return false
}

// remaining counts threads that have not reached their exit event.
func (p *process) remaining() int {
	n := 0
	for _, th := range p.threads {
		if !th.exiting {
			n++
		}
	}
	return n
}

func (t *tracer) addProcess(pid int) *process {
	p := t.processes[pid]
	if p == nil {
		p = &process{pid: pid, threads: map[int]*thread{}}
		t.processes[pid] = p
	}
	return p
}

func (t *tracer) addThread(p *process, tid int) *thread {
	th := t.threads[tid]
	if th == nil {
		th = &thread{tid: tid, proc: p}
		t.threads[tid] = th
		p.threads[tid] = th
	}
	return th
}

// adopt enters a thread whose first stop came before its creator's event.
func (t *tracer) adopt(tid int) *thread {
	status, err := procFile(tid, "status")
	if err != nil {
		return nil
	}
	pid, ok := statusNumber(status, "Tgid")
	if !ok {
		return nil
	}
	known := t.processes[pid] != nil
	th := t.addThread(t.addProcess(pid), tid)
	th.state = stopped
	if parent, ok := statusNumber(status, "PPid"); ok && !known && t.processes[parent] != nil {
		t.inheritBreakpoints(t.processes[parent], th)
	}
	return th
}

func (t *tracer) forget(th *thread) {
	delete(t.threads, th.tid)
	delete(th.proc.threads, th.tid)
	if len(th.proc.threads) == 0 && th.proc != t.target {
		delete(t.processes, th.proc.pid)
	}
}

// onBirth answers the creation of a thread or a process.
func (t *tracer) onBirth(th *thread, event int) {
	msg, err := eventMessage(th.tid)
	child := int(msg)
	if err == nil && child > 0 {
		if event == unix.PTRACE_EVENT_CLONE && threadOf(th.proc.pid, child) {
			t.addThread(th.proc, child)
		} else {
			t.newProcess(th, child)
		}
	}
	t.resume(th, 0)
}

// newProcess enters a forked child. It must not run into an int3 of ours, so when there are any it is waited for here.
func (t *tracer) newProcess(parent *thread, pid int) {
	if t.processes[pid] != nil {
		return // its first stop came before this event, see adopt
	}
	th := t.addThread(t.addProcess(pid), pid)
	if parent.proc.breaks.planted() == 0 {
		return
	}
	t.await(th, birthPatience)
	if th.state != stopped {
		return
	}
	t.inheritBreakpoints(parent.proc, th)
	t.thawThread(th)
}

// onExec answers a new program image: all other threads are gone, and so are the breakpoints.
func (t *tracer) onExec(th *thread) {
	p := th.proc
	for tid, other := range p.threads {
		if other != th {
			delete(t.threads, tid)
			delete(p.threads, tid)
		}
	}
	th.exiting, th.held, th.entering = false, false, nil
	p.breaks, p.groupExit, p.departed = nil, false, nil
	if p == t.target {
		p.closeMem()
		p.mem = openMem(p.pid)
		t.sightings.reset()
		t.caught = [65]bool{}
		t.plantBreakpoints(th)
	}
	t.resume(th, 0)
}

// gone answers the end of a thread or process.
func (t *tracer) gone(w waited, th *thread) {
	if th == nil {
		return
	}
	p := th.proc
	t.forget(th)
	if w.tid == p.pid {
		t.childDied(p, w.ws)
	}
	if p != t.target {
		return
	}
	if w.tid == p.pid {
		ws := w.ws
		t.final = &ws
		return
	}
	if p.groupExit && p.remaining() == 0 {
		t.inspectExit()
	}
}

const maxWarnings = 20

func (t *tracer) warn(sentence string) {
	if len(t.warnings) < maxWarnings {
		t.warnings = append(t.warnings, sentence)
	}
}
