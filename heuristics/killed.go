package heuristics

import (
	"fmt"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

var killed = Heuristic{Doc: docKilled, Run: runKilled}

func runKilled(c *Case) Finding {
	s := c.Crash.Outcome.Signal
	if c.Kind != crash.Killed || s == nil || s.Number == int(unix.SIGPIPE) {
		return Finding{}
	}
	h := hypothesis(idKilled, "")
	h.fact(true, "signal", "signal", wKillSignal, "it was ended by %s", s.Name())
	h.fact(s.PID != 0 && s.PID != c.Crash.Target.PID, "sender", "sender", wSender, "process %d sent it (user %d)", s.PID, s.UID)
	h.fact(c.failedInWords(), "was-failing", "before", wWasFailing, "before that it had already said that something failed")
	h.fact(c.stuckForGood(), "was-stuck", "before", wWasStuck, "its threads could not go on when it was ended: that is a reason to end it")
	h.Title = "It was ended from outside by " + s.Name()
	h.Summary = "The program did not fail by itself: another process or the user ended it."
	if s.PID != 0 {
		h.next(fmt.Sprintf("find out what process %d is: ps -o pid,ppid,args -p %d", s.PID, s.PID))
	} else {
		h.next("look for who ends it: a supervisor's time limit, systemd (journalctl -u UNIT), a shell's ulimit -t, journalctl -k")
	}
	return finding(h)
}

var docKilled = Doc{
	ID:    idKilled,
	Title: "Somebody else ended it",
	Text: `A signal from outside ended the process: a supervisor's time limit, a deploy, a user. The program did not fail by itself as far
as can be seen. The sender's process id is told where the kernel tells it.

Example: SIGTERM from process 1, because systemd's TimeoutStartSec ran out.`,
	For: []string{"a signal that is not about an instruction, sent by another process"},
	Against: []string{
		"before that it had said that it cannot do its job: then that is the cause",
		"the kernel's core shows threads that wait for each other: then it was ended because it hung",
	},
	FalsePositives: []string{"SIGKILL by the kernel's out-of-memory killer"},
	Fix:            []string{"ps -o pid,ppid,args -p SENDER", "journalctl -u UNIT; journalctl -k"},
}
