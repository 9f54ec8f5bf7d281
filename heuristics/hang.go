package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
)

var hang = Heuristic{Doc: docHang, Run: runHang}

// waiting sorts system calls (arch/x86/entry/syscalls/syscall_64.tbl) by what a thread that stays in one waits for.
var waiting = map[int64]string{
	202: "lock", 449: "lock", 454: "lock", // futex, futex_waitv, futex_wait
	0: "io", 1: "io", 17: "io", 19: "io", 20: "io", 42: "io", 44: "io", 45: "io", 46: "io", 47: "io", // read, write, pread64, readv, writev, connect, sendto, recvfrom, sendmsg, recvmsg
	72: "io", 73: "io", 74: "io", // fcntl (locks), flock, fsync
	7: "poll", 23: "poll", 232: "poll", 270: "poll", 271: "poll", 281: "poll", 441: "poll", // poll, select, epoll_wait, pselect6, ppoll, epoll_pwait, epoll_pwait2
	43: "accept", 288: "accept", // accept, accept4
	35: "sleep", 230: "sleep", 34: "sleep", // nanosleep, clock_nanosleep, pause
	61: "child", 247: "child", // wait4, waitid
}

// stalled is what the threads of a process that makes no progress do.
type stalled struct {
	locked, io, poll, running, other int // threads in the middle of the program's or runtime's work
	awaiting                         int // threads that wait for a signal or the end of another thread: at work or at rest
	idle                             int // threads that wait for work
	who                              int // thread that tells most, -1 none
}

func runHang(c *Case) Finding {
	if c.Kind != crash.Hung {
		return Finding{}
	}
	s := c.lookAtThreads()
	kind := s.kind()
	h := hypothesis(idHang, kind)
	h.fact(true, "stalled", "end", wStalled, "it made no progress for the time that was set, and was frozen alive")
	h.fact(kind == kindSpin, "running", "threads", wSpinning, "%s running in its code without a system call", plural(s.running, "thread"))
	h.fact(kind == kindDeadlock, "locked", "threads", wLocked, "%s in the middle of work for a lock or another thread (futex), none runs", waits(s.locked))
	h.fact(kind == kindBlockedIO, "blocked", "threads", wBlockedIO, "%s in the middle of work for a read, write or connection", waits(s.io+s.poll))
	h.fact(kind == kindNoProgress && s.awaiting == 0, "idle", "threads", wIdle, "every thread waits for something to do")
	h.fact(kind == kindNoProgress && s.awaiting > 0, "awaiting", "threads", wAwaiting,
		"%s for a signal or the end of another thread: one that was forgotten, or work that nobody gave", waits(s.awaiting))
	h.fact(c.Startup.Done && kind == kindNoProgress, "started", "phase", wStartedUp, "its start-up was complete: a server that nobody asks looks like this")
	h.fact(!c.Startup.Done && c.Startup.Last >= 0, "not-started", "phase", wNotStarted, "its start-up was not complete")
	h.fact(fatalMessage(c) != nil, "explained", "words", wHangExplained, "it had said before why it cannot do its job")
	h.fact(kind == kindBlockedIO && c.unreachable(), "peer-unreachable", "words", wHangExplained, "a check from outside found that the database does not answer: that is what it waits for")
	h.fact(kind == kindBlockedIO && c.lockedOut(), "locked-out", "words", wHangExplained, "a check from outside found a lock in the database: that is what it waits for")
	c.describeHang(h, s)
	return finding(h)
}

// lookAtThreads sorts the threads by what they wait for. A thread counts as busy when the program's own code is on its
// stack below nothing but calls of libraries; waiting in accept, or in the loop of a scheduler, is a server's rest.
func (c *Case) lookAtThreads() stalled {
	s := stalled{who: -1}
	rank := 0
	for i := range c.Crash.Threads {
		t := &c.Crash.Threads[i]
		busy := i < len(c.Stacks) && c.busy(i)
		what := "run"
		if t.Syscall != nil && t.Syscall.Number >= 0 {
			if what = waiting[t.Syscall.Number]; what == "lock" {
				what = c.lockKind(i)
			}
		} else if t.State == "S" || t.State == "D" {
			what = ""
		}
		r := s.count(what, busy, t.State)
		if r > rank {
			rank, s.who = r, i
		}
	}
	return s
}

// mutexContended is the value of a locked mutex that somebody waits for, in glibc as in Rust's standard library: what a
// thread that waits for a lock expects to find (third argument of futex(2)).
const mutexContended = 2

// lockKind tells what a thread in futex waits for: "lock" for a lock, or an answer that it asked another actor for, and
// "signal" for a condition, a semaphore or a thread's end, which a thread without work waits for just as well.
func (c *Case) lockKind(i int) string {
	kind := ""
	if i < len(c.Stacks) {
		for j := range c.Stacks[i].Frames {
			switch c.classified(&c.Stacks[i].Frames[j]).Part {
			case profile.PartServiceCall, profile.PartLockWait:
				return "lock"
			case profile.PartConditionWait, profile.PartJoin:
				kind = "signal"
			}
		}
	}
	if kind == "" && c.Crash.Threads[i].Syscall.Args[2] == mutexContended {
		return "lock"
	}
	return "signal"
}

// count adds one thread and says how much it tells.
func (s *stalled) count(what string, busy bool, state string) int {
	switch {
	case what == "run" && (state == "R" || state == ""):
		s.running++
		return 4
	case !busy || what == "accept" || what == "sleep":
		s.idle++
		return 0
	case what == "lock":
		s.locked++
		return 3
	case what == "signal":
		s.awaiting++
		return 1
	case what == "io" || what == "child":
		s.io++
		return 3
	case what == "poll":
		s.poll++
		return 2
	}
	s.other++
	return 1
}

func (s *stalled) kind() string {
	switch {
	case s.running > 0:
		return kindSpin
	case s.locked > 0 && s.locked >= s.io+s.poll:
		return kindDeadlock
	case s.io+s.poll > 0:
		return kindBlockedIO
	}
	return kindNoProgress
}

// busy reports whether a thread was stopped in the middle of the program's own code.
func (c *Case) busy(i int) bool {
	st := &c.Stacks[i]
	for j := range st.Frames {
		f := &st.Frames[j]
		k := c.classified(f)
		switch k.Part {
		case profile.PartAcceptLoop, profile.PartScheduler:
			return false
		case profile.PartStart:
			continue
		}
		if k.Kind == profile.KindProgram || k.Kind == profile.KindOther && c.Profile == nil && f.Symbol.Name != "" {
			return true
		}
	}
	return false
}

func waits(n int) string {
	if n == 1 {
		return "1 thread waits"
	}
	return fmt.Sprintf("%d threads wait", n)
}

func (c *Case) describeHang(h *Hypothesis, s stalled) {
	v := c.facts()
	c.blameThread(h, s.who)
	who := "the program"
	if h.Blame.Symbol != "" {
		who = c.readable(h.Blame.Symbol)
	}
	switch h.Kind {
	case kindSpin:
		h.Title = "It hangs: " + who + " runs for ever"
		h.next("look for a loop in " + who + " whose condition never changes")
	case kindDeadlock:
		h.Title = "It hangs: " + who + " waits for something that never comes (deadlock)"
		h.next("compare what each waiting thread holds and waits for; look for two services that call each other, or a service that calls itself")
	case kindBlockedIO:
		h.Title = "It hangs: " + who + " waits for input or output that never comes"
		h.next("find the other end: ls -l /proc/PID/fd; ss -tnp; give the operation a time limit")
	default:
		h.Title = "It makes no progress: every thread waits"
		h.next("if it is a server that nobody asked, give --stall-after a longer time")
	}
	h.Summary = "The process is alive and does nothing visible. " + c.threadSummary()
	if v.suspect >= 0 {
		h.next(c.disassemble(h.Blame.Symbol))
	}
}

// blameThread blames the program's function on the stack of the thread that tells most.
func (c *Case) blameThread(h *Hypothesis, i int) {
	if i < 0 || i == c.Crash.Focus {
		c.blameSuspect(h)
		return
	}
	frames := c.Stacks[i].Frames
	st := stack{frames, make([]FrameInfo, len(frames)), c.Profile != nil}
	for j := range frames {
		f := &frames[j]
		k := c.classified(f)
		st.infos[j] = FrameInfo{Kind: k.Kind, Part: k.Part, Readable: k.Readable, Rule: k.Rule, Extern: c.Profile.Extern(f.Symbol.Name)}
	}
	suspect := st.program()
	extern := ""
	if op := st.operation(suspect); op >= 0 {
		extern = st.symbol(op)
	}
	c.blame(h, st.symbol(suspect), extern)
}

// threadSummary is what the threads wait for, in one sentence.
func (c *Case) threadSummary() string {
	var parts []string
	counts := map[string]int{}
	var order []string
	for i := range c.Crash.Threads {
		t := &c.Crash.Threads[i]
		what := "running"
		if t.Syscall != nil && t.Syscall.Number >= 0 {
			what = "in " + crash.SyscallName(t.Syscall.Number)
		} else if t.State != "R" && t.State != "" {
			what = "state " + t.State
		}
		if counts[what] == 0 {
			order = append(order, what)
		}
		counts[what]++
	}
	for _, w := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[w], w))
	}
	if len(parts) == 0 {
		return "Its threads could not be read."
	}
	return "Threads: " + strings.Join(parts, ", ") + "."
}

var docHang = Doc{
	ID:    idHang,
	Title: "It lives and makes no progress",
	Kinds: map[string]string{
		kindDeadlock:   "threads in the middle of work wait for locks or for each other",
		kindBlockedIO:  "a thread in the middle of work waits for input, output or a connection",
		kindSpin:       "a thread runs and gets nowhere",
		kindNoProgress: "every thread waits for something to do",
	},
	Text: `Nothing was seen of the program for the time that --stall-after allows; then all its threads were frozen and looked at. A
thread counts as in the middle of work when the program's own code is on its stack. Waiting in accept, in a timer or in
the loop of a scheduler is a server's rest and tells nothing.

Example: service A calls B and B calls A: both worker threads are in futex, with the call helpers of A and B on their
stacks.`,
	For:            []string{"the watchdog froze it alive", "what the threads in the middle of work wait for: futex, read, connect, or nothing"},
	Against:        []string{"its start-up was complete and all threads rest: a server that nobody asks looks the same", "it had said before why it cannot do its job"},
	FalsePositives: []string{"a long computation without output", "an idle server"},
	Fix: []string{
		"freeze it twice: a thread that stands at the same place both times is stuck there",
		"for a deadlock write down what each thread holds and waits for",
		"give input and output a time limit",
	},
}
