package tracer

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"meshdiag/crash"
)

// usage is what the kernel has counted of a thread since its start; a count is -1 when it is not known.
type usage struct {
	cpu                 time.Duration
	wakes, calls, bytes int64
}

// since is what a thread did after an earlier measurement; the zero usage is that of a thread which was not there yet.
func (u usage) since(before usage) *crash.Activity {
	less := func(now, then int64) int64 {
		if now < 0 || then < 0 {
			return -1
		}
		return now - then
	}
	return &crash.Activity{Wakes: less(u.wakes, before.wakes), Calls: less(u.calls, before.calls), Bytes: less(u.bytes, before.bytes)}
}

// usages measures all threads of a process.
func usages(pid int) map[int]usage {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil
	}
	all := make(map[int]usage, len(entries))
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if u, ok := usageOf(pid, tid); ok {
			all[tid] = u
		}
	}
	return all
}

func usageOf(pid, tid int) (usage, bool) {
	u := usage{wakes: -1, calls: -1, bytes: -1}
	var ok bool
	if u.cpu, ok = cpuTime(tid); !ok {
		return u, false
	}
	if status, err := procFile(tid, "status"); err == nil {
		if n, ok := statusNumber(status, "voluntary_ctxt_switches"); ok {
			u.wakes = int64(n)
		}
	}
	// /proc/TID/io is the whole process's; under task/ it is the thread's own (proc_pid_io(5)).
	if data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/io"); err == nil {
		u.calls, u.bytes = sumFields(data, "syscr", "syscw"), sumFields(data, "rchar", "wchar")
	}
	return u, true
}

// sumFields adds up lines "key: number"; -1 when one is missing.
func sumFields(data []byte, keys ...string) int64 {
	var sum int64
	found := 0
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(string(line), ":")
		for _, k := range keys {
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); key == k && err == nil {
				sum += n
				found++
			}
		}
	}
	if found < len(keys) {
		return -1
	}
	return sum
}

// cpuTime is the time a thread has spent on a processor, from schedstat (in nanoseconds).
func cpuTime(tid int) (time.Duration, bool) {
	data, err := procFile(tid, "schedstat")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(data), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns), err == nil
}
