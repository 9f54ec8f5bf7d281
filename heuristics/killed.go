package heuristics

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

var killed = Heuristic{Doc: docKilled, Run: runKilled}

func runKilled(c *Case) Finding {
	s := c.Crash.Outcome.Signal
	if s == nil || s.Number == int(unix.SIGPIPE) {
		return Finding{}
	}
	h := hypothesis(idKilled, "")
	switch {
	case s.Number == int(unix.SIGSYS) && !s.Sent():
		c.forbiddenCall(h)
		return finding(h)
	case c.Kind != crash.Killed:
		return Finding{}
	}
	h.fact(true, "signal", "signal", wKillSignal, "it was ended by %s", s.Name())
	h.fact(c.failedInWords(), "was-failing", "before", wWasFailing, "before that it had already said that something failed")
	h.fact(c.stuckForGood(), "was-stuck", "before", wWasStuck, "its threads could not go on when it was ended: that is a reason to end it")
	switch unix.Signal(s.Number) {
	case unix.SIGKILL:
		switch {
		case c.overCPULimit(h):
		case s.CodeUnknown:
			c.killedUnseen(h)
		case s.Code == crash.SIKernel:
			c.killedByKernel(h)
		default:
			c.sent(h, s)
		}
	case unix.SIGXCPU:
		if !c.overCPULimit(h) {
			c.sent(h, s)
		}
	case unix.SIGXFSZ:
		c.overFileSize(h, s)
	default:
		c.sent(h, s)
	}
	return finding(h)
}

// SentBy says who sent the fatal signal, in half a sentence; "" when nobody did or nothing is known.
func (c *Case) SentBy() string {
	o := &c.Crash.Outcome
	s := o.Signal
	switch {
	case s == nil || s.CodeUnknown:
		return ""
	case o.Forwarded:
		return "meshdiag was sent it and passed it on"
	case s.Code == crash.SIKernel:
		return byKernel[unix.Signal(s.Number)]
	case s.Code == siTimer:
		return "a timer of its own (timer_create) sent it"
	case !s.Sent():
		return ""
	case s.PID == c.Crash.Target.PID && inItsName(s):
		return "the kernel sent it in answer to what it did"
	case s.PID == c.Crash.Target.PID:
		return "it sent the signal to itself"
	case s.PID == 0:
		return "a process outside of its PID namespace sent it (from the host, when it runs in a container)"
	case o.Sender == nil:
		return fmt.Sprintf("process %d (user %d) sent it", s.PID, s.UID)
	}
	return processWords(o.Sender, s.UID) + " sent it"
}

// inItsName tells the signals that the kernel sends in the name of the process itself, in answer to a system call
// (linux/mm/filemap.c, fs/pipe.c: send_sig with no siginfo).
func inItsName(s *crash.Signal) bool {
	switch unix.Signal(s.Number) {
	case unix.SIGXFSZ, unix.SIGPIPE:
		return s.Code == 0
	}
	return false
}

const siTimer = -2 // SI_TIMER (asm-generic/siginfo.h)

// byKernel says what the kernel means by a signal that it sends on its own.
var byKernel = map[unix.Signal]string{
	unix.SIGINT:    "the terminal sent it: somebody pressed Ctrl-C",
	unix.SIGQUIT:   "the terminal sent it: somebody pressed Ctrl-\\",
	unix.SIGHUP:    "the kernel sent it: its terminal was closed",
	unix.SIGALRM:   "the kernel sent it: a timer that the program itself had set (alarm, setitimer) went off",
	unix.SIGVTALRM: "the kernel sent it: a timer that the program itself had set (setitimer) went off",
	unix.SIGPROF:   "the kernel sent it: a timer that the program itself had set (setitimer) went off",
	unix.SIGXCPU:   "the kernel sent it: the limit of processor time was reached",
}

// processWords is "its own child process 12 (kill)", "process 77 (timeout 5 ./app, user 0)".
func processWords(p *crash.OtherProcess, uid int) string {
	who := "process"
	if p.Kin {
		who = "its own child process"
	}
	about := p.Name
	if len(p.Args) > 0 {
		about = commandLine(p.Args)
	}
	if uid >= 0 {
		about = strings.TrimPrefix(fmt.Sprintf("%s, user %d", about, uid), ", ")
	}
	if about != "" {
		about = " (" + about + ")"
	}
	if p.Name == "" && len(p.Args) == 0 {
		about += ", which is gone since,"
	}
	return fmt.Sprintf("%s %d%s", who, p.PID, about)
}

// commandLine is argv as one types it, cut to a length that fits into a sentence.
func commandLine(args []string) string {
	line := ""
	for i, a := range args {
		if i > 0 {
			line += " "
		}
		line += quote(a)
	}
	return short(line)
}

// sent tells of a signal that somebody sent, or the kernel for a reason of its own.
func (c *Case) sent(h *Hypothesis, s *crash.Signal) {
	by := c.SentBy()
	own := s.Sent() && s.PID == c.Crash.Target.PID
	h.fact(by != "", "sender", "sender", wSender, "%s", by)
	h.Title = "It was ended from outside by " + s.Name()
	h.Summary = "The program did not fail by itself: another process or the user ended it."
	if by != "" {
		h.Title += ": " + by
	}
	switch p := c.Crash.Outcome.Sender; {
	case s.Code == crash.SIKernel || s.Code == siTimer:
		c.ownTimer(h, s)
	case own:
		h.Kind = kindItself
		c.blameSuspect(h)
		h.Title = "It sent " + s.Name() + " to itself, and does not handle it"
		h.Summary = "The signal comes from the process itself (kill or raise), and its default action is to end the process."
		h.next("look for kill, raise or tgkill in " + or(c.suspectOrNone(), "the program"))
	case p != nil && p.Kin:
		h.next(fmt.Sprintf("look why its child %s sends it", or(commandLine(p.Args), p.Name)))
	case p != nil && (p.Name != "" || len(p.Args) > 0):
		h.next(fmt.Sprintf("ps -o pid,ppid,lstart,args -p %d", p.PID))
	case s.PID != 0:
		h.next(fmt.Sprintf("find out what process %d is: ps -o pid,ppid,args -p %d", s.PID, s.PID))
	default:
		h.next("look for who ends it: a supervisor's time limit, systemd (journalctl -u UNIT), a container's runtime")
	}
}

// ownTimer tells of a signal that the kernel sent: for timers the program has only itself to thank.
func (c *Case) ownTimer(h *Hypothesis, s *crash.Signal) {
	switch unix.Signal(s.Number) {
	case unix.SIGALRM, unix.SIGVTALRM, unix.SIGPROF:
	default:
		if s.Code != siTimer {
			h.next("start it again")
			return
		}
	}
	h.Kind = kindTimer
	h.Title = fmt.Sprintf("A timer of its own went off, and it does not handle %s", s.Name())
	h.Summary = "The program, or a library of it, had set a timer; its signal found no handler, so its default action ended the process."
	h.next("install a handler for "+s.Name()+" before the timer is set, or cancel the timer in time: alarm(0)",
		"find who sets it: strace -f -e trace=alarm,setitimer,timer_create "+quote(c.exe()))
}

// suspectOrNone is the name of the program's function to read first; "" when it has none.
func (c *Case) suspectOrNone() string {
	if v := c.facts(); v.suspect >= 0 && v.suspectSymbol() != "" {
		return v.suspectName()
	}
	return ""
}

// overCPULimit reports whether the process used up its processor time (RLIMIT_CPU): at the soft limit the kernel sends
// SIGXCPU, at the hard one SIGKILL.
func (c *Case) overCPULimit(h *Hypothesis) bool {
	o := &c.Crash.Outcome
	limit, text, weight := crash.NoTimeLimit, "the kernel sends SIGXCPU for nothing but the limit of processor time (RLIMIT_CPU)", wOverLimit
	switch {
	case o.Signal.Number == int(unix.SIGXCPU):
		if o.Signal.Code != crash.SIKernel {
			return false
		}
		if o.Limits != nil && o.Limits.CPUSoft != crash.NoTimeLimit {
			limit = o.Limits.CPUSoft - time.Second // the kernel raises it by that with each signal (linux/kernel/time/posix-cpu-timers.c)
			text = fmt.Sprintf("it had used %.2f s of processor time, and its soft limit is %.0f s (RLIMIT_CPU)", o.CPU.Seconds(), limit.Seconds())
		}
	case o.Limits == nil || o.Limits.CPUHard == crash.NoTimeLimit || o.CPU < o.Limits.CPUHard-o.Limits.CPUHard/cpuSlack:
		return false
	default:
		limit = o.Limits.CPUHard
		text = fmt.Sprintf("it had used %.2f s of processor time, and its hard limit is %.0f s (RLIMIT_CPU)", o.CPU.Seconds(), limit.Seconds())
		if o.CPU < limit {
			weight = wNearLimit
		}
	}
	h.Kind = kindCPULimit
	h.fact(true, "cpu-limit", "sender", weight, "%s", text)
	c.blameSuspect(h)
	h.Title = "It used up the processor time that it is allowed (ulimit -t)"
	if limit != crash.NoTimeLimit {
		h.Title = fmt.Sprintf("It used up its processor time: %.0f s are allowed (ulimit -t)", limit.Seconds())
	}
	h.Summary = "The kernel ends a process that runs for longer than its limit of processor time. Either the limit is too low for the job, or the program runs in circles."
	if name := c.suspectOrNone(); name != "" {
		h.Summary += " It was in " + name + " then."
	}
	h.next("ulimit -t unlimited   (systemd: LimitCPU=)", "if it should not have taken that long: look at what it was doing, in the stack below")
	return true
}

// cpuSlack is the part of the limit by which two accounts of processor time may differ: the limit is held against ticks of
// the clock, /proc/PID/stat shows time as measured (linux/kernel/time/posix-cpu-timers.c, kernel/sched/cputime.c).
const cpuSlack = 4

// overFileSize tells of SIGXFSZ: a write beyond RLIMIT_FSIZE. The kernel sends it in the name of the process itself.
func (c *Case) overFileSize(h *Hypothesis, s *crash.Signal) {
	l := c.Crash.Outcome.Limits
	if s.Code != 0 || s.PID != c.Crash.Target.PID || l != nil && l.FileSize == crash.NoLimit {
		c.sent(h, s)
		return
	}
	h.Kind = kindFileSize
	limit := ""
	if l != nil {
		limit = ": " + size(l.FileSize)
	}
	h.fact(true, "file-size-limit", "sender", wOverLimit, "the kernel sends SIGXFSZ for nothing but a write beyond the limit of a file's size%s (RLIMIT_FSIZE)", limit)
	c.blameSuspect(h)
	for _, k := range c.Checks {
		h.fact(k.ID == "limit-file-size" && !k.OK, "check-"+k.ID, "check", wCheckFailed, "%s", k.Detail)
	}
	h.Title = "It wrote a file beyond the size that is allowed" + limit + " (ulimit -f)"
	h.Summary = "The kernel answers a write beyond the limit of a file's size with SIGXFSZ, which ends a process that does not handle it."
	h.next("ulimit -f unlimited   (systemd: LimitFSIZE=)", "or look why the file grows so large")
}

// forbiddenCall tells of a system call that a seccomp filter answers with death.
func (c *Case) forbiddenCall(h *Hypothesis) {
	s := c.Crash.Outcome.Signal
	call := "a system call"
	if t := c.Crash.FocusThread(); t != nil && t.Syscall != nil {
		call = fmt.Sprintf("%s (number %d)", crash.SyscallName(t.Syscall.Number), t.Syscall.Number)
	}
	h.Kind = kindSeccomp
	seen := "by SIGSYS, which the kernel only sends for a system call that a filter forbids"
	if !s.CodeUnknown {
		seen = "by SIGSYS " + s.CodeName()
	}
	h.fact(true, "signal", "signal", wKillSignal, "it was ended %s", seen)
	h.fact(call != "a system call", "call", "call", wForbiddenCall, "it was in the system call %s", call)
	c.blameSuspect(h)
	h.Title = "A seccomp filter forbids the system call " + call
	h.Summary = "The process, or who started it (a container's runtime, systemd, a sandbox), had set a filter of system calls that answers this one with death."
	if name := c.suspectOrNone(); name != "" {
		h.Summary += " The call was made for " + name + "."
	}
	h.next("grep Seccomp /proc/PID/status of a run that lives; journalctl -k | grep type=1326 has the kernel's record",
		"allow the call where the filter comes from: docker run --security-opt seccomp=FILE, systemd SystemCallFilter=, or the program's own sandbox")
}

// killedUnseen tells of a SIGKILL, whose sender the kernel shows nobody: what can be excluded is.
func (c *Case) killedUnseen(h *Hypothesis) {
	m := c.Crash.Outcome.OOM
	h.fact(m != nil && m.Record != "" && !m.ByName, "kernel-record", "sender", wKernelRecord, "the kernel's log says that the kernel itself did it, for want of memory")
	h.fact(m != nil && m.Machine == 0, "no-oom", "sender", wSender, "the kernel's out-of-memory killer ended nothing on this machine while it ran: another process sent it")
	h.fact(m != nil && m.Machine > 0 && m.Record == "" && m.Log, "no-record", "sender", wSender, "the kernel's log has no record that it ended this process for want of memory")
	h.Title = "It was ended from outside by SIGKILL"
	h.Summary = "Another process ended it. Nobody is told who sends SIGKILL: the kernel keeps no record of that."
	h.next("look for who ends it: a supervisor's time limit, systemd (journalctl -u UNIT), a container's runtime, a shell's history",
		"to see it the next time, as root: perf trace -e signal:signal_generate --filter 'sig==9', or auditctl -a always,exit -S kill -F a1=9")
}

// killedByKernel tells of a SIGKILL that was seen to come from the kernel itself.
func (c *Case) killedByKernel(h *Hypothesis) {
	m := c.Crash.Outcome.OOM
	h.fact(true, "kernel-sent", "sender", wSender, "the kernel itself sent it, for a reason of its own")
	h.fact(m != nil && m.Machine > 0, "kernel-record", "memory", wKernelRecord, "its out-of-memory killer was at work then")
	h.Title = "The kernel ended it by SIGKILL"
	h.Summary = "No process sent the signal. The kernel ends a process so for want of memory, beyond a limit of processor time, or with its control group (cgroup.kill)."
	h.next("journalctl -k -n 50")
}

var docKilled = Doc{
	ID:    idKilled,
	Title: "Somebody else ended it",
	Kinds: map[string]string{
		kindCPULimit: "its limit of processor time was used up (RLIMIT_CPU): SIGXCPU, or SIGKILL at the hard limit",
		kindFileSize: "it wrote a file beyond the size that is allowed (RLIMIT_FSIZE): SIGXFSZ",
		kindSeccomp:  "a seccomp filter forbids a system call on pain of death: SIGSYS",
		kindTimer:    "a timer that it had set itself went off, and nothing handled the signal: SIGALRM and its kin",
		kindItself:   "it sent itself a signal that it does not handle",
	},
	Text: `A signal from outside ended the process: a supervisor's time limit, a deploy, a user, or the kernel for a limit. The program did
not fail by itself as far as can be seen. The sender is named with its command line while it lives; what the kernel sent for
a reason of its own (a key at the terminal, a limit, a timer) is told apart. Nobody is shown who sends SIGKILL. Root can
see it all the same, through the kernel's tracepoint signal_generate, in a program that ran for more than a second, where
tracefs is mounted; elsewhere the kernel's counters and log are asked whether it was the out-of-memory killer, and the
limits whether they were reached.

Example: SIGTERM from process 1, because systemd's TimeoutStartSec ran out.`,
	For: []string{"a signal that is not about an instruction, sent by another process", "a limit that was reached, by the kernel's account"},
	Against: []string{
		"before that it had said that it cannot do its job: then that is the cause",
		"the kernel's log says that it ended the process for want of memory",
		"the kernel's core shows threads that wait for each other: then it was ended because it hung",
	},
	FalsePositives: []string{"SIGKILL by the kernel's out-of-memory killer, where neither its counters nor its log can be read"},
	Fix:            []string{"ps -o pid,ppid,args -p SENDER", "journalctl -u UNIT; journalctl -k", "ulimit -a"},
}
