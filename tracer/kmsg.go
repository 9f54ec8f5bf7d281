package tracer

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/lazyregexp"
)

const (
	maxRecord  = 8192                  // bytes of one record (linux/kernel/printk: CONSOLE_LOG_MAX and its prefix)
	maxRecords = 1 << 17               // more than any log buffer holds
	logSlack   = 10 * time.Millisecond // the log's clock and ours differ by little
)

// monotonic is the time since the machine was started, without what it slept; 0 when the kernel does not tell.
func monotonic() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// oomRecord looks in the kernel's log for what the out-of-memory killer wrote since a moment of the monotonic clock about
// a process. Inside a PID namespace the ids in the log are of another one: then a record on a process of the same name
// is given, and byName set. known is false when the log may not be read (kernel.dmesg_restrict).
func oomRecord(since time.Duration, pid int, comm string) (record string, byName, known bool) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false, false
	}
	defer unix.Close(fd)
	named := ""
	buf := make([]byte, maxRecord)
	for range maxRecords {
		n, err := unix.Read(fd, buf)
		switch err {
		case nil:
		case unix.EPIPE: // the oldest records were overwritten meanwhile
			continue
		default:
			return named, named != "", err == unix.EAGAIN
		}
		at, text := kmsgRecord(string(buf[:n]))
		if at < since-logSlack {
			continue
		}
		victim, name, ok := oomVictim(text)
		switch {
		case ok && victim == pid:
			return text, false, true
		case ok && name == comm && comm != "":
			named = text
		}
	}
	return named, named != "", true
}

// kmsgRecord takes apart one record of /dev/kmsg: "prefix,sequence,microseconds,flags[,...];text" and more lines
// (linux/Documentation/ABI/testing/dev-kmsg).
func kmsgRecord(record string) (at time.Duration, text string) {
	head, rest, ok := strings.Cut(record, ";")
	fields := strings.Split(head, ",")
	if !ok || len(fields) < 4 {
		return 0, ""
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return 0, ""
	}
	text, _, _ = strings.Cut(rest, "\n")
	return time.Duration(micros) * time.Microsecond, text
}

// oomVictims are the two lines that name a victim (linux/mm/oom_kill.c: dump_oom_victim, __oom_kill_process); the first is
// written before the signal is sent, the second after.
var oomVictims = []func() *regexp.Regexp{
	lazyregexp.New(`^oom-kill:.*,task=(?P<name>.*),pid=(?P<pid>\d+),uid=\d+$`),
	lazyregexp.New(`(?:Killed|Out of memory: Killed) process (?P<pid>\d+) \((?P<name>.*)\)`),
}

func oomVictim(text string) (pid int, name string, ok bool) {
	for _, re := range oomVictims {
		if m := re().FindStringSubmatch(text); m != nil {
			pid, err := strconv.Atoi(m[re().SubexpIndex("pid")])
			return pid, m[re().SubexpIndex("name")], err == nil
		}
	}
	return 0, "", false
}
