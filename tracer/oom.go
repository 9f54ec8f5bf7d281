package tracer

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"meshdiag/crash"
)

// oomWatch counts the victims of the kernel's out-of-memory killer while the target runs: on this machine and in the
// target's control group, which is ours at its launch. Which process was killed the kernel tells only in its log.
type oomWatch struct {
	mu     sync.Mutex
	before int // on the machine, at the launch; -1 unknown
	group  memoryGroup
	kills  int           // in the group, at the launch; -1 unknown
	booted time.Duration // CLOCK_MONOTONIC at the launch, as the kernel's log counts
}

// begin may run beside the launch: what is killed in the first millisecond is not our target.
func (o *oomWatch) begin() {
	n, g, now := oomKills(), ownMemoryGroup(), monotonic()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before, o.group, o.kills, o.booted = n, g, g.kills(), now
}

// tell is what can be said after a SIGKILL of the process pid, whose name is comm.
func (o *oomWatch) tell(pid int, comm string) *crash.OOMKills {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := &crash.OOMKills{Machine: -1, Group: -1, GroupPath: o.group.path, GroupLimit: o.group.limit()}
	if now := oomKills(); o.before >= 0 && now >= 0 {
		out.Machine = now - o.before
	}
	if now := o.group.kills(); o.kills >= 0 && now >= 0 {
		out.Group = now - o.kills
	}
	if out.Machine == 0 {
		return out // nobody was killed: the log need not be read
	}
	for range recordTries {
		out.Record, out.ByName, out.Log = oomRecord(o.booted, pid, comm)
		if !out.Log || out.Record != "" && !out.ByName {
			break
		}
		time.Sleep(recordWait) // the kernel sends the signal before it writes to its log (mm/oom_kill.c, __oom_kill_process)
	}
	return out
}

// How often the log is read for a record that must come, and how long is waited in between.
const (
	recordTries = 6
	recordWait  = 4 * time.Millisecond
)

func oomKills() int {
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return -1
	}
	return parseOOMKills(data)
}

// parseOOMKills reads the counter oom_kill of a flat keyed file: /proc/vmstat (Linux 4.13), memory.events or
// memory.oom_control; -1 when there is none.
func parseOOMKills(data []byte) int {
	for line := range bytes.Lines(data) {
		if value, ok := strings.CutPrefix(string(line), "oom_kill "); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
				return n
			}
		}
	}
	return -1
}

// memoryGroup is the control group that accounts for a process's memory.
type memoryGroup struct {
	path      string // as /proc/PID/cgroup names it; "" unknown
	events    string // file with the counter oom_kill
	limitFile string
}

// ownMemoryGroup finds our own group.
func ownMemoryGroup() memoryGroup {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return memoryGroup{}
	}
	return memoryGroupOf(string(data), "/sys/fs/cgroup")
}

// memoryGroupOf finds the group that /proc/PID/cgroup names, in version 2 of the hierarchy or in the memory controller of
// version 1 (cgroups(7)); the root group, which has neither limit nor events, counts as none. root is where it is mounted.
func memoryGroupOf(cgroup, root string) memoryGroup {
	for line := range strings.Lines(cgroup) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[2] == "/" {
			continue
		}
		var g memoryGroup
		switch f[1] {
		case "":
			dir := filepath.Join(root, f[2])
			g = memoryGroup{f[2], filepath.Join(dir, "memory.events"), filepath.Join(dir, "memory.max")}
		case "memory":
			dir := filepath.Join(root, "memory", f[2])
			g = memoryGroup{f[2], filepath.Join(dir, "memory.oom_control"), filepath.Join(dir, "memory.limit_in_bytes")}
		}
		if g.kills() >= 0 {
			return g
		}
	}
	return memoryGroup{}
}

func (g memoryGroup) kills() int {
	if g.events == "" {
		return -1
	}
	data, err := os.ReadFile(g.events)
	if err != nil {
		return -1
	}
	return parseOOMKills(data)
}

// unlimitedGroup is the least that version 1 shows where no limit was set: the largest multiple of a page.
const unlimitedGroup = 1 << 62

func (g memoryGroup) limit() uint64 {
	if g.limitFile == "" {
		return crash.NoLimit
	}
	data, err := os.ReadFile(g.limitFile)
	if err != nil {
		return crash.NoLimit
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n >= unlimitedGroup {
		return crash.NoLimit
	}
	return n
}
