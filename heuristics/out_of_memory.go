package heuristics

import (
	"golang.org/x/sys/unix"

	"meshdiag/startup"
)

var outOfMemory = Heuristic{Doc: docMemory, Run: runOutOfMemory}

func runOutOfMemory(c *Case) Finding {
	v := c.facts()
	describe := func(h *Hypothesis, text string) {
		h.Title = "The process was refused memory"
		h.Summary = upper(text) + "."
		h.next("compare its limits with its use: ulimit -v; cat /sys/fs/cgroup/memory.max; journalctl -k | grep -i oom")
	}
	hs := c.spoken(idOutOfMemory, func(h *Hypothesis, m *startup.Message) { describe(h, or(m.Text, m.Line.Text)) })
	hs = c.probed(idOutOfMemory, hs, describe)
	if v.is(unix.SIGKILL) && v.signal.PID == 0 && len(hs) == 0 {
		h := hypothesis(idOutOfMemory, "")
		h.fact(true, "sigkill", "end", wKernelKill, "it was ended by SIGKILL and no sender was seen, as when the kernel's out-of-memory killer does it")
		describe(h, "the kernel may have ended it for want of memory")
		hs = append(hs, h)
	}
	for _, h := range hs {
		h.fact(v.is(unix.SIGKILL), "sigkill", "end", wKernelKill, "it was ended by SIGKILL, as the kernel's out-of-memory killer does")
	}
	return finding(hs...)
}

var docMemory = Doc{
	ID:    idOutOfMemory,
	Title: "It was refused memory, or ended for taking too much",
	Text: `The kernel or a limit refused memory. Either the program noticed and said so, or the kernel's out-of-memory killer ended it
with SIGKILL, which no program can see coming. From inside, that looks like any SIGKILL; journalctl -k or the cgroup's
memory.events tell.

Example: exit by SIGKILL, and "Memory cgroup out of memory: Killed process 4711" in the kernel's log.`,
	For:            []string{"the target's own words", "SIGKILL whose sender is the kernel", "a check of limits and kernel log, where one was made"},
	Against:        []string{"the size that was asked for is absurd: then the size is the bug (see panic, allocation-failure)"},
	FalsePositives: []string{"kill -9 by a supervisor"},
	Fix:            []string{"cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.events; ulimit -v; journalctl -k | grep -i oom", "look for what grows"},
}
