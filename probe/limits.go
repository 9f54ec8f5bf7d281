package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const causeMemory = "out-of-memory"

// Ids of checks that a caller may have to judge by what else happened.
const (
	AddressSpace  = "limit-address-space"
	OpenFileLimit = "limit-files"
)

// unlimited is a limit that does not exist.
const unlimited = math.MaxUint64

// rlimits reads /proc/PID/limits (proc_pid_limits(5)): soft limits by the kernel's name, unlimited for none.
func rlimits(data []byte) map[string]uint64 {
	all := map[string]uint64{}
	scan := bufio.NewScanner(bytes.NewReader(data))
	for scan.Scan() {
		line := scan.Text()
		if len(line) < 27 || strings.HasPrefix(line, "Limit ") {
			continue
		}
		// The name fills 26 columns (fs/proc/base.c: "%-25s %-20s %-20s %-10s").
		fields := strings.Fields(line[26:])
		if len(fields) < 2 {
			continue
		}
		if fields[0] == "unlimited" {
			all[strings.TrimSpace(line[:26])] = unlimited
		} else if n, err := strconv.ParseUint(fields[0], 10, 64); err == nil {
			all[strings.TrimSpace(line[:26])] = n
		}
	}
	return all
}

// Limits checks what a process may use: 0 stands for this process, whose limits a child inherits.
func Limits(pid int) []Check {
	dir := "/proc/self"
	if pid > 0 {
		dir = "/proc/" + strconv.Itoa(pid)
	}
	data, err := os.ReadFile(dir + "/limits")
	if err != nil {
		return nil
	}
	limits := rlimits(data)
	out := []Check{memoryLimit(limits, dir), files(limits, dir), stack(limits)}
	if c, ok := cgroupMemory(dir, "/sys/fs/cgroup"); ok {
		out = append(out, c)
	}
	return out
}

// lowMemory is an address space below which programs with threads and a collector commonly fail.
const lowMemory = 4 << 30

func memoryLimit(limits map[string]uint64, dir string) Check {
	const id = AddressSpace
	as, known := limits["Max address space"]
	if !known || as >= lowMemory {
		return passed(id, "the address space is not limited to less than 4 GiB")
	}
	used := ""
	if n, ok := virtualSize(dir); ok {
		used = ", of which it uses " + bytesText(n)
	}
	return Check{ID: id, Detail: fmt.Sprintf("the program's address space is limited to %s (ulimit -v)%s", bytesText(as), used),
		Cause: causeMemory, Next: []string{"ulimit -v unlimited"}}
}

// virtualSize is the size of a process's address space in bytes (/proc/PID/statm, in pages).
func virtualSize(dir string) (uint64, bool) {
	data, err := os.ReadFile(dir + "/statm")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(data), " ")
	n, err := strconv.ParseUint(first, 10, 64)
	return n * uint64(os.Getpagesize()), err == nil
}

// usualStack is what distributions give a main thread.
const usualStack = 8 << 20

func stack(limits map[string]uint64) Check {
	const id = "limit-stack"
	n, known := limits["Max stack size"]
	if !known || n >= usualStack {
		return passed(id, "the main thread's stack may grow to 8 MiB or more")
	}
	return Check{ID: id, Cause: "stack-overflow", Detail: fmt.Sprintf("the main thread's stack may only grow to %s (ulimit -s); 8 MiB are usual", bytesText(n)),
		Next: []string{"ulimit -s 8192"}}
}

// CgroupMemory is the id of the check that counts the victims of a control group's memory limit since it was made.
const CgroupMemory = "limit-cgroup-memory"

// cgroupMemory reads what the control group of a process (version 2) says of memory: its limit, and how many of its
// processes the kernel has killed. root is where the hierarchy is mounted.
func cgroupMemory(dir, root string) (Check, bool) {
	const id = CgroupMemory
	data, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		return Check{}, false
	}
	path, ok := cgroupPath(string(data))
	if !ok {
		return Check{}, false
	}
	group := filepath.Join(root, path)
	events, err := os.ReadFile(filepath.Join(group, "memory.events"))
	if err != nil {
		return Check{}, false
	}
	limit := "without a limit"
	if m, err := os.ReadFile(filepath.Join(group, "memory.max")); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(m)), 10, 64); err == nil {
			limit = "limited to " + bytesText(n)
		}
	}
	kills := counter(events, "oom_kill")
	if kills == 0 {
		return passed(id, "the control group %s is %s, and the kernel has killed nothing in it", path, limit), true
	}
	victims := "1 process"
	if kills > 1 {
		victims = fmt.Sprintf("%d processes", kills)
	}
	return Check{ID: id, Detail: fmt.Sprintf("the kernel has killed %s in the control group %s for want of memory (%s)", victims, path, limit),
		Cause: causeMemory, Next: []string{"cat " + shellQuote(filepath.Join(group, "memory.max")), "give the group more memory, or the program less to do"}}, true
}

// cgroupPath is the path in the unified hierarchy: the line that begins with "0::" (cgroups(7)).
func cgroupPath(data string) (string, bool) {
	for line := range strings.Lines(data) {
		if path, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "0::"); ok {
			return filepath.Clean("/" + path), true
		}
	}
	return "", false
}

// counter is the number behind a key in a flat keyed file; 0 when it is not there.
func counter(data []byte, key string) uint64 {
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			return n
		}
	}
	return 0
}

func bytesText(n uint64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Debugging says what the kernel allows a debugger, and what becomes of core dumps of a process (0 is this one, whose limits
// a child inherits).
func Debugging(pid int) []Check {
	out := []Check{coreLimit(pid)}
	if scope, ok := kernelNumber("/proc/sys/kernel/yama/ptrace_scope"); ok {
		c := passed("ptrace-scope", "processes of one user may be traced (kernel.yama.ptrace_scope = %d)", scope)
		if scope >= 2 {
			c = Check{ID: "ptrace-scope", Detail: fmt.Sprintf("only root may attach to a process, or nobody (kernel.yama.ptrace_scope = %d)", scope),
				Next: []string{"sudo sysctl kernel.yama.ptrace_scope=1"}}
		}
		out = append(out, c)
	}
	if data, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err == nil {
		out = append(out, corePattern(strings.TrimSpace(string(data))))
	}
	return out
}

// coreLimit judges RLIMIT_CORE. A handler behind a pipe gets cores whatever the limit, unless it is 1 (core(5)).
func coreLimit(pid int) Check {
	const id = "limit-core"
	dir := "/proc/self"
	if pid > 0 {
		dir = "/proc/" + strconv.Itoa(pid)
	}
	data, err := os.ReadFile(dir + "/limits")
	n, known := rlimits(data)["Max core file size"]
	pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	switch {
	case err != nil || !known:
		return passed(id, "the limit of a core's size is not known")
	case n == unlimited:
		return passed(id, "cores may have any size")
	case strings.HasPrefix(string(pattern), "|") && n != 1:
		return passed(id, "cores go to a program, for which the limit of their size (%s) does not hold", bytesText(n))
	case n == 0:
		return Check{ID: id, Detail: "no core is written: its size is limited to 0 (ulimit -c)", Next: []string{"ulimit -c unlimited", "or meshdiag run --save-core FILE, which needs no limit"}}
	}
	return Check{ID: id, Detail: fmt.Sprintf("a core is cut at %s (ulimit -c)", bytesText(n)), Next: []string{"ulimit -c unlimited"}}
}

// corePattern judges where cores go (core(5)).
func corePattern(pattern string) Check {
	const id = "core-pattern"
	handler, piped := strings.CutPrefix(pattern, "|")
	switch {
	case pattern == "":
		return Check{ID: id, Detail: "kernel.core_pattern is empty: no core is written", Next: []string{"sudo sysctl kernel.core_pattern=core.%p"}}
	case piped && strings.Contains(handler, "/bin/false"), piped && strings.Contains(handler, "/bin/true"):
		return Check{ID: id, Detail: "kernel.core_pattern throws cores away: " + pattern, Next: []string{"sudo sysctl kernel.core_pattern=core.%p"}}
	case piped:
		return passed(id, "cores are given to %s", strings.Fields(handler + " ?")[0])
	}
	return passed(id, "cores are written to %s", pattern)
}

func kernelNumber(path string) (int, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return n, err == nil
}
