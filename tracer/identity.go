package tracer

import (
	"os"
	"strconv"
	"strings"
	"time"

	"meshdiag/crash"
)

// seenNow says whose process it is and that it ended, or was looked at, just now. tid is any of its threads, 0 when all are
// gone.
func seenNow(tid int) *crash.Process {
	p := crash.UnknownProcess()
	if tid != 0 {
		p = Identity(tid)
	}
	p.Died, p.DiedFrom = time.Now(), crash.FromObserver
	return p
}

// Identity reads from /proc whose process pid is (any thread of it will do), in this machine's numbers. It does not say when
// it died. What cannot be read stays unknown.
func Identity(pid int) *crash.Process {
	p := crash.UnknownProcess()
	status, err := procFile(pid, "status")
	if err != nil {
		return p
	}
	p.PPID, _ = statusNumber(status, "PPid")
	p.UID, p.GID = realID(status, "Uid"), realID(status, "Gid")
	if data, err := procFile(pid, "cgroup"); err == nil {
		p.InCgroup(crash.ParseCgroup(string(data)))
	}
	p.Hostname, _ = os.Hostname()
	return p
}

// realID is the first of the four IDs in a line of /proc/PID/status (proc(5)); -1 when there is none.
func realID(status []byte, key string) int {
	text, _ := statusField(status, key)
	first, _, _ := strings.Cut(text, "\t")
	id, err := strconv.Atoi(first)
	if err != nil {
		return -1
	}
	return id
}

// Dumping reports whether the kernel is writing a core of the process right now (proc(5), CoreDumping): its entry in /proc
// is then that of the process that died, and of no later one with the same number.
func Dumping(pid int) bool {
	status, err := procFile(pid, "status")
	if err != nil {
		return false
	}
	n, ok := statusNumber(status, "CoreDumping")
	return ok && n == 1
}
