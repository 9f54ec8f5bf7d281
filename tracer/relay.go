package tracer

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const (
	relayBuffer  = 64 << 10
	smallRead    = 16 << 10 // a read below this is no flood
	firstNap     = time.Millisecond
	longestNap   = 8 * time.Millisecond
	syncLimit    = 4 << 20 // bytes taken at a freeze: more than a pipe holds; children may write on
	drainIdle    = 50 * time.Millisecond
	drainAtMost  = time.Second
	pollInterval = 20 // milliseconds, while draining
)

// relay carries bytes from the target's end of a channel to the user's descriptor and shows them to the capture.
type relay struct {
	stream crash.Stream
	out    int // the user's descriptor
	pty    bool
	cap    *capture
	wake   int    // eventfd
	before func() // runs before our end is closed; may be nil
	done   chan struct{}
	trail  atomic.Int64 // when draining began (unix nanoseconds), 0 before

	mu      sync.Mutex // guards the following, and that what is read is captured in order
	in      int        // our end, non-blocking; -1 when closed
	pending []byte     // read by sync, not yet written
	failure error      // why output could not be passed on, other than that the reader left
}

func newRelay(stream crash.Stream, in, out int, pty bool, c *capture) (*relay, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &relay{stream: stream, in: in, out: out, pty: pty, cap: c, wake: wake, done: make(chan struct{})}, unix.SetNonblock(in, true)
}

// run carries bytes until the channel ends or draining is over.
func (r *relay) run() {
	defer close(r.done)
	buf := make([]byte, relayBuffer)
	nap := firstNap
	lastData := time.Now()
	for {
		data, open := r.take(buf)
		if len(data) > 0 {
			r.deliver(data)
			lastData = time.Now()
			// A writer that finds nobody waiting need not wake anybody: on a stream of small lines a short sleep here saves the
			// target a few microseconds per line. A flood is carried at full speed.
			if len(data) < smallRead && r.trail.Load() == 0 {
				r.nap(nap)
				nap = min(2*nap, longestNap)
			}
			continue
		}
		if !open || r.drained(lastData) {
			return
		}
		nap = firstNap
		r.wait()
	}
}

// nap sleeps for d, or until somebody wakes us.
func (r *relay) nap(d time.Duration) {
	fds := []unix.PollFd{{Fd: int32(r.wake), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(int64(d))
	if n, err := unix.Ppoll(fds, &timeout, nil); err == nil && n > 0 {
		r.awake()
	}
}

// awake takes back what nudge did; whoever was nudged looks at everything again.
func (r *relay) awake() {
	var count [8]byte
	_, _ = unix.Read(r.wake, count[:])
}

// drained tells when to stop listening to a channel that strangers keep open after the target's end.
func (r *relay) drained(lastData time.Time) bool {
	began := r.trail.Load()
	if began == 0 {
		return false
	}
	start := time.Unix(0, began)
	if lastData.Before(start) {
		lastData = start
	}
	return time.Since(lastData) > drainIdle || time.Since(start) > drainAtMost
}

// take returns the next bytes; open is false at the end of the channel.
func (r *relay) take(buf []byte) (data []byte, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) > 0 {
		data, r.pending = r.pending, nil
		return data, true
	}
	n, open := r.read(buf)
	return buf[:n], open || n > 0
}

// read reads what is there, up to len(buf), and shows it to the capture. r.mu is held.
func (r *relay) read(buf []byte) (n int, open bool) {
	for r.in >= 0 && n < len(buf) {
		got, err := unix.Read(r.in, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN {
			break
		}
		if got <= 0 { // end of file, or EIO on a pseudo-terminal that nobody has open
			r.cap.add(r.stream, buf[:n])
			return n, false
		}
		n += got
		if !r.pty {
			break // one read empties a pipe; a pseudo-terminal gives 4 KiB at a time
		}
	}
	r.cap.add(r.stream, buf[:n])
	return n, r.in >= 0
}

// deliver writes to the user. When there is no reader any more, the target is to notice as it would have.
func (r *relay) deliver(data []byte) {
	for len(data) > 0 {
		n, err := unix.Write(r.out, data)
		switch {
		case err == nil:
			data = data[n:]
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(r.out), Events: unix.POLLOUT}}, -1)
		case err == unix.EPIPE, err == unix.EIO, err == unix.ECONNRESET:
			r.hangUp()
			return
		default:
			r.fail(err)
			return
		}
	}
}

// fail remembers why output was lost. The target is not told: it may live with a full disk, but not with a closed pipe.
func (r *relay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = err
	}
}

// lost is why output could not be passed on; nil when all was.
func (r *relay) lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// hangUp closes our end: the target gets SIGPIPE or EPIPE, from a terminal SIGHUP, as from the user's own.
func (r *relay) hangUp() {
	if r.before != nil {
		r.before()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in >= 0 {
		_ = unix.Close(r.in)
		r.in = -1
	}
}

// wait sleeps until there is something to read, the user's reader leaves, or somebody wakes us.
func (r *relay) wait() {
	timeout := -1
	if r.trail.Load() != 0 {
		timeout = pollInterval
	}
	r.mu.Lock()
	in := r.in
	r.mu.Unlock()
	fds := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}, {Fd: int32(r.wake), Events: unix.POLLIN}, {Fd: int32(r.out)}}
	if _, err := unix.Poll(fds, timeout); err != nil {
		return
	}
	if fds[1].Revents != 0 {
		r.awake()
	}
	if fds[2].Revents&unix.POLLERR != 0 && fds[0].Revents&unix.POLLIN == 0 {
		r.hangUp()
	}
}

func (r *relay) nudge() {
	var one [8]byte
	binary.LittleEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(r.wake, one[:])
}

// sync reads what a frozen target has written so far. Writing it out is left to the relay, for the user's reader may be
// slow or stopped. Polling a pseudo-terminal also waits for bytes that are still on their way inside the kernel.
func (r *relay) sync() {
	r.mu.Lock()
	defer r.mu.Unlock()
	buf := make([]byte, relayBuffer)
	for len(r.pending) < syncLimit && r.in >= 0 {
		fds := []unix.PollFd{{Fd: int32(r.in), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err == unix.EINTR {
			continue
		} else if n <= 0 || fds[0].Revents&unix.POLLIN == 0 {
			break
		}
		n, open := r.read(buf)
		r.pending = append(r.pending, buf[:n]...)
		if !open || n == 0 {
			break
		}
	}
	if len(r.pending) > 0 {
		r.nudge()
	}
}

// drain ends the relay: everything the target wrote is passed on; for others that keep the channel open there is a short
// grace.
func (r *relay) drain() {
	r.sync()
	r.trail.Store(time.Now().UnixNano())
	r.nudge()
	<-r.done
	r.discard()
}

// discard closes a relay that does not run.
func (r *relay) discard() {
	r.hangUp()
	_ = unix.Close(r.wake)
}

// foregroundGroup asks the pseudo-terminal for its foreground process group.
func (r *relay) foregroundGroup() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	group, err := unix.IoctlGetInt(r.in, unix.TIOCGPGRP)
	return group, err == nil && group > 0
}
