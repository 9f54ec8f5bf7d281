package tracer

import (
	"os"
	"slices"
	"strconv"

	"meshdiag/crash"
)

// inspect hands an observation over, once.
func (t *tracer) inspect(c *crash.Crash) {
	if t.inspected {
		return
	}
	t.inspected = true
	t.io.sync()
	c.Output = t.out.snapshot()
	if t.blind != "" {
		t.warn(t.blind)
	}
	c.Warnings = append(append(c.Warnings, t.warnings...), t.io.failures()...)
	t.ended = c.Outcome
	t.o.Inspect(c)
	if mem, ok := c.Memory.(*liveMemory); ok {
		mem.gone = true // whoever keeps the Crash gets errors, not another process's bytes
	}
}

// observe takes the whole picture of the frozen target. focus is the thread the report is about; it is stopped.
func (t *tracer) observe(focus *thread, out crash.Outcome) *crash.Crash {
	out.Elapsed = t.out.now()
	t.ending(&out, focus.tid)
	mem := &liveMemory{tid: focus.tid, file: t.target.mem, breaks: t.target.breaks}
	c := &crash.Crash{
		Target:  t.describe(focus.tid),
		Process: seenNow(focus.tid),
		Outcome: out,
		Memory:  mem,
		Focus:   -1,
	}
	maps, err := mappings(focus.tid)
	c.Mappings, mem.maps = maps, maps
	if err != nil {
		t.warn("The memory map is incomplete: " + err.Error() + ".")
	}
	if t.o.ForCore {
		pageTraits(focus.tid, maps)
	}
	if data, err := procFile(focus.tid, "auxv"); err == nil {
		c.Auxv = parseAuxv(data)
	}
	c.Threads = t.observeThreads(focus, out.Signal)
	c.Focus = slices.IndexFunc(c.Threads, func(th crash.Thread) bool { return th.TID == focus.tid })
	t.sightings.settle(c)
	c.Panics = t.sightings.list()
	return c
}

// describe says which program it is; tid 0 when it is gone.
func (t *tracer) describe(tid int) crash.Target {
	d := crash.Target{
		Source: crash.SourceLive, Path: t.o.Path, Args: append([]string{t.o.Path}, t.o.Args...), Env: t.o.Env,
		PID: t.target.pid, Arch: "amd64", CWD: t.o.Dir, StdioShared: t.io.shared,
	}
	if tid == 0 {
		return d
	}
	dir := "/proc/" + strconv.Itoa(tid) + "/"
	d.ExePath, _ = os.Readlink(dir + "exe")
	if cwd, err := os.Readlink(dir + "cwd"); err == nil {
		d.CWD = cwd
	}
	if data, err := procFile(tid, "cmdline"); err == nil && len(data) > 0 {
		d.Args = splitNUL(data)
	}
	if data, err := procFile(tid, "environ"); err == nil {
		d.Env = splitNUL(data)
	}
	return d
}

// observeThreads lists all threads, the leader first, then by rising TID.
func (t *tracer) observeThreads(focus *thread, sig *crash.Signal) []crash.Thread {
	list := slices.Clone(t.target.departed)
	for tid, th := range t.target.threads {
		if th.exiting {
			continue // noted in departed at its exit, or it had ended alone
		}
		seen := crash.Thread{TID: tid}
		if th.state == stopped {
			seen = threadRegs(tid)
		} else {
			seen.State = liveState(tid)
			t.warn("Thread " + strconv.Itoa(tid) + " could not be stopped (state " + seen.State + "): its registers are unknown.")
		}
		seen.Name = comm(tid)
		t.stall.fill(&seen)
		list = append(list, seen)
	}
	for i := range list {
		if list[i].TID == focus.tid {
			list[i].Signal = sig
			list[i].FP = xstate(focus.tid)
		}
	}
	sortThreads(list, t.target.pid)
	return list
}

// sortThreads puts the leader first, then the others by rising TID.
func sortThreads(list []crash.Thread, leader int) {
	slices.SortFunc(list, func(a, b crash.Thread) int {
		switch {
		case a.TID == b.TID:
			return 0
		case a.TID == leader:
			return -1
		case b.TID == leader:
			return 1
		}
		return a.TID - b.TID
	})
}

func liveState(tid int) string {
	data, err := procFile(tid, "stat")
	if err != nil {
		return ""
	}
	return parseState(data)
}

// threadRegs reads a stopped thread's registers and what they tell of the system call it was interrupted in.
func threadRegs(tid int) crash.Thread {
	th := crash.Thread{TID: tid}
	if getRegs(tid, &th.Regs) != nil {
		return th
	}
	th.RegsOK = true
	th.State = "R"
	var waits bool
	if th.Syscall, waits = th.Regs.Syscall(); waits {
		th.State = "S"
	}
	return th
}
