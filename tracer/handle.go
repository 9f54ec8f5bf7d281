package tracer

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handle sends signals to the target from any goroutine, and never to a stranger who got the same process id.
type handle struct {
	mu    sync.Mutex
	pid   int // 0 before the launch and after the end
	pidfd int // -1 on kernels without (before 5.3)
}

func (h *handle) open(pid int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		fd = -1
	}
	h.pid, h.pidfd = pid, fd
}

// signal sends sig, with a siginfo of our own making if info is not nil.
func (h *handle) signal(sig unix.Signal, info *unix.Siginfo) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.pid == 0:
		return unix.ESRCH
	case h.pidfd >= 0:
		return unix.PidfdSendSignal(h.pidfd, sig, info, 0)
	case info == nil:
		return unix.Kill(h.pid, sig)
	}
	_, _, e := unix.RawSyscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(h.pid), uintptr(sig), uintptr(unsafe.Pointer(info)))
	if e != 0 {
		return e
	}
	return nil
}

// close is called when the target was reaped.
func (h *handle) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pid != 0 && h.pidfd >= 0 {
		_ = unix.Close(h.pidfd)
	}
	h.pid = 0
}

// setSender fills si_pid, at offset 16.
func setSender(info *unix.Siginfo, pid int) {
	*(*int32)(unsafe.Add(unsafe.Pointer(info), 16)) = int32(pid)
}
