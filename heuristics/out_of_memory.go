package heuristics

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
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
	m := c.Crash.Outcome.OOM
	if v.is(unix.SIGKILL) && !v.signal.Sent() && (m == nil || m.Machine != 0) {
		h := hypothesis(idOutOfMemory, "")
		if len(hs) > 0 {
			h = hs[0]
		} else {
			hs = append(hs, h)
		}
		h.fact(true, "sigkill", "end", wKernelKill, "it was ended by SIGKILL, as the kernel's out-of-memory killer does")
		if m != nil {
			c.kernelKilled(h, m)
		}
		if h.Title == "" {
			describe(h, "the kernel may have ended it for want of memory")
		}
	}
	if v.is(unix.SIGKILL) && v.signal.Sent() {
		return finding(hs...).ruledOut(idOutOfMemory, "a process sent the SIGKILL, not the kernel")
	}
	if v.is(unix.SIGKILL) && m != nil && m.Machine == 0 {
		return finding(hs...).ruledOut(idOutOfMemory, "the kernel's out-of-memory killer ended no process on this machine while it ran (oom_kill in /proc/vmstat)")
	}
	return finding(hs...)
}

// kernelKilled weighs what the kernel tells of its out-of-memory killer.
func (c *Case) kernelKilled(h *Hypothesis, m *crash.OOMKills) {
	group := m.Group > 0
	limit := ""
	if m.GroupLimit != crash.NoLimit {
		limit = ", which may use " + size(m.GroupLimit)
	}
	h.fact(m.Record != "" && !m.ByName, "kernel-record", "kernel", wOOMRecord, "the kernel's log: %s", m.Record)
	h.fact(m.Record != "" && m.ByName, "kernel-record", "kernel", wOOMByName, "the kernel's log, which counts process ids in another namespace: %s", m.Record)
	h.fact(group, "group-kills", "kernel", wOOMGroup, "while it ran, the kernel's out-of-memory killer ended %s in its control group %s%s", processes(m.Group), m.GroupPath, limit)
	h.fact(m.Machine > 0 && m.Group <= 0, "machine-kills", "kernel", wOOMMachine, "while it ran, the kernel's out-of-memory killer ended %s on this machine", processes(m.Machine))
	h.fact(m.Machine > 0 && m.Log && m.Record == "", "other-victims", "log", wOOMOthers, "the kernel's log names other victims, and not this process")
	if m.Record == "" && !group {
		return
	}
	h.Title = "The kernel ended it for want of memory (out-of-memory killer)"
	h.Summary = "The machine's memory was used up, and the kernel chose this process."
	if group || strings.Contains(m.Record, "CONSTRAINT_MEMCG") || strings.Contains(m.Record, "Memory cgroup") {
		h.Title = "The kernel ended it: its control group had used up its memory"
		h.Summary = fmt.Sprintf("The memory of the control group %s%s was used up, and the kernel's out-of-memory killer chose this process.", m.GroupPath, limit)
		h.next("give the group more: systemd MemoryMax=, docker run --memory, a pod's resources.limits.memory")
	}
	h.next("look for what grows: watch VmRSS in /proc/PID/status over time; journalctl -k | grep -i -A30 'invoked oom-killer' lists all processes of that moment")
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

var docMemory = Doc{
	ID:    idOutOfMemory,
	Title: "It was refused memory, or ended for taking too much",
	Text: `The kernel or a limit refused memory. Either the program noticed and said so, or the kernel's out-of-memory killer ended it
with SIGKILL, which no program can see coming. From inside, that looks like any SIGKILL. The kernel counts its victims, on
the machine and in each control group: the counters are read at the launch and at the end. Its log names each one; where
it may be read, the record is quoted.

Example: exit by SIGKILL, and "Memory cgroup out of memory: Killed process 4711" in the kernel's log.`,
	For:            []string{"the target's own words", "the kernel's record of the kill, or its counters of the control group", "a check of limits"},
	Against:        []string{"the kernel counted no victim while it ran, or its log names others", "the size that was asked for is absurd: then the size is the bug (see panic, allocation-failure)"},
	FalsePositives: []string{"kill -9 by a supervisor"},
	Fix:            []string{"cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.events; ulimit -v; journalctl -k | grep -i oom", "look for what grows"},
}
