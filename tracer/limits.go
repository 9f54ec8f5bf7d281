package tracer

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// limitsOf reads the limits of a process whose excess is answered by a signal; nil when they cannot be read.
func limitsOf(tid int) *crash.Limits {
	var cpu, size unix.Rlimit
	if unix.Prlimit(tid, unix.RLIMIT_CPU, nil, &cpu) != nil || unix.Prlimit(tid, unix.RLIMIT_FSIZE, nil, &size) != nil {
		return nil
	}
	return &crash.Limits{CPUSoft: limitTime(cpu.Cur), CPUHard: limitTime(cpu.Max), FileSize: size.Cur}
}

func limitTime(seconds uint64) time.Duration {
	if seconds > math.MaxInt64/uint64(time.Second) {
		return crash.NoTimeLimit
	}
	return time.Duration(seconds) * time.Second
}

// clockTick is USER_HZ, in which /proc counts processor time; it is 100 on x86-64 (linux/include/asm-generic/param.h).
const clockTick = time.Second / 100

// processCPU is the time that a whole process has spent on processors, from /proc/PID/stat: utime and stime are fields 14
// and 15, of which the ones before are counted from the end of the name.
func processCPU(pid int) (time.Duration, bool) {
	stat, err := procFile(pid, "stat")
	if err != nil {
		return 0, false
	}
	return parseCPU(stat)
}

func parseCPU(stat []byte) (time.Duration, bool) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	f := strings.Fields(string(stat[i+1:]))
	if len(f) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick, err1 == nil && err2 == nil
}
