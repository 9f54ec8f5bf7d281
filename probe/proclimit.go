package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Processes checks how many processes and threads a process may start: its user's limit (RLIMIT_NPROC), its control
// group's (pids.max) and the machine's.
func Processes(pid int) []Check {
	dir := "/proc/self"
	if pid > 0 {
		dir = "/proc/" + strconv.Itoa(pid)
	}
	var out []Check
	if c, ok := userProcesses(dir); ok {
		out = append(out, c)
	}
	if c, ok := groupProcesses(dir, "/sys/fs/cgroup"); ok {
		out = append(out, c)
	}
	return out
}

const nextProcesses = "look for what starts threads or processes and never ends them: ps -eLo user,pid,comm | sort | uniq -c | sort -n | tail"

// userProcesses holds the threads of a user against RLIMIT_NPROC, which root is exempt from.
func userProcesses(dir string) (Check, bool) {
	const id = "limit-processes"
	data, err := os.ReadFile(dir + "/limits")
	if err != nil {
		return Check{}, false
	}
	most, known := rlimits(data)["Max processes"]
	st, err := os.Stat(dir)
	if !known || most == unlimited || err != nil {
		return passed(id, "the number of processes is not limited"), true
	}
	uid := st.Sys().(*syscall.Stat_t).Uid
	if uid == 0 {
		return passed(id, "the limit of %d processes does not hold for root", most), true
	}
	n := threadsOf(uid)
	if n < most {
		return passed(id, "user %d has %d processes and threads of at most %d", uid, n, most), true
	}
	return Check{ID: id, Cause: causeExit, Kind: kindNoProcesses, Detail: fmt.Sprintf("user %d has %d processes and threads, and at most %d are allowed (ulimit -u)", uid, n, most),
		Next: []string{nextProcesses, "ulimit -u unlimited   (systemd: LimitNPROC=)"}}, true
}

// threadsOf counts the threads of a user.
func threadsOf(uid uint32) uint64 {
	all, _ := filepath.Glob("/proc/[0-9]*")
	n := uint64(0)
	for _, dir := range all {
		st, err := os.Stat(dir)
		if err != nil || st.Sys().(*syscall.Stat_t).Uid != uid {
			continue
		}
		tasks, err := os.ReadDir(dir + "/task")
		if err == nil {
			n += uint64(len(tasks))
		}
	}
	return n
}

// groupProcesses holds the threads of a control group against pids.max, in either version of the hierarchy. root is where
// it is mounted.
func groupProcesses(dir, root string) (Check, bool) {
	const id = "limit-cgroup-processes"
	data, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		return Check{}, false
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "" && f[1] != "pids" {
			continue
		}
		group := filepath.Join(root, f[1], filepath.Clean("/"+f[2]))
		most, ok1 := numberIn(filepath.Join(group, "pids.max"))
		now, ok2 := numberIn(filepath.Join(group, "pids.current"))
		if !ok1 || !ok2 {
			continue
		}
		if now < most {
			return passed(id, "the control group %s has %d processes and threads of at most %d", f[2], now, most), true
		}
		return Check{ID: id, Cause: causeExit, Kind: kindNoProcesses,
			Detail: fmt.Sprintf("the control group %s has %d processes and threads, and at most %d are allowed (pids.max)", f[2], now, most),
			Next:   []string{nextProcesses, "give the group more: systemd TasksMax=, docker run --pids-limit"}}, true
	}
	return Check{}, false
}

// numberIn reads a file that holds one number; "max" is none.
func numberIn(path string) (uint64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}
