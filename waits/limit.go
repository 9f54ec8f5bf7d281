package waits

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// milliseconds notes a time limit as poll(2) has it: negative for none.
func (w *Wait) milliseconds(ms int32) {
	if ms >= 0 {
		w.limit(time.Duration(ms) * time.Millisecond)
	}
}

// limit notes a time limit that counts from the call. How much of it is left is not known, only that it is no more.
func (w *Wait) limit(d time.Duration) { w.Timed, w.Left, w.LeftKnown = true, max(d, 0), true }

// relative reads a struct timespec that counts from the call; address 0 means no limit.
func (a *analysis) relative(w *Wait, addr uint64) {
	if addr == 0 {
		return
	}
	w.Timed = true
	if d, ok := a.timespec(addr, time.Nanosecond); ok {
		w.limit(d)
	}
}

// timeval reads a struct timeval.
func (a *analysis) timeval(w *Wait, addr uint64) {
	if addr == 0 {
		return
	}
	w.Timed = true
	if d, ok := a.timespec(addr, time.Microsecond); ok {
		w.limit(d)
	}
}

// timespec reads seconds and a fraction in units; a limit beyond what a Duration holds is the largest one.
func (a *analysis) timespec(addr uint64, unit time.Duration) (time.Duration, bool) {
	var b [16]byte
	if n, _ := a.c.Memory.ReadMemory(b[:], addr); n < len(b) {
		return 0, false
	}
	sec, part := int64(binary.LittleEndian.Uint64(b[:])), int64(binary.LittleEndian.Uint64(b[8:]))
	if sec < 0 || part < 0 || part > int64(time.Second/unit) {
		return 0, false
	}
	if sec >= math.MaxInt64/int64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(sec)*time.Second + time.Duration(part)*unit, true
}

// clockSleep reads clock_nanosleep(2): a relative time, or an absolute one on a clock.
func (a *analysis) clockSleep(w *Wait, args [6]uint64) {
	w.Timed = true
	d, ok := a.timespec(args[2], time.Nanosecond)
	switch {
	case !ok:
	case args[1]&unix.TIMER_ABSTIME == 0:
		w.limit(d)
	default:
		a.until(w, d, args[0] == unix.CLOCK_REALTIME)
	}
}

// until notes an absolute time limit, when the time of the stop is known.
func (a *analysis) until(w *Wait, at time.Duration, realtime bool) {
	now := a.now(realtime)
	if now > 0 {
		w.limit(at - now)
	}
}

func (a *analysis) now(realtime bool) time.Duration {
	switch {
	case a.c.World == nil:
		return 0
	case realtime:
		return time.Duration(a.c.World.Now.UnixNano())
	}
	return a.c.World.Monotonic
}

// futexLimit reads the time limit of a futex wait: relative for FUTEX_WAIT, absolute for the others (futex(2)).
func (a *analysis) futexLimit(w *Wait, op uint64, args [6]uint64) {
	addr := args[3]
	if addr == 0 {
		return
	}
	w.Timed = true
	d, ok := a.timespec(addr, time.Nanosecond)
	switch {
	case !ok:
	case op == futexWait:
		w.limit(d)
	default:
		a.until(w, d, args[1]&futexRealtime != 0 || op == futexLockPI)
	}
}
