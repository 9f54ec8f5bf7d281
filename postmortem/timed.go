package postmortem

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Timed reads from a file descriptor until a deadline and then fails with os.ErrDeadlineExceeded, also while the other end
// of a pipe neither writes nor closes it. The descriptor stays as it is: it may be shared with another process, so that it
// must not be made non-blocking.
func Timed(fd int, deadline time.Time) io.Reader { return &timed{fd: fd, deadline: deadline} }

type timed struct {
	fd       int
	deadline time.Time
}

// Read implements io.Reader.
func (t *timed) Read(p []byte) (int, error) {
	for {
		left := time.Until(t.deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if err == nil && ready == 0 {
			continue
		}
		n := 0
		if err == nil {
			n, err = unix.Read(t.fd, p)
		}
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
