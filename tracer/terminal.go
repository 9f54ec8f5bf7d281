package tracer

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// inForeground reports whether our process group may read from and change the terminal.
func inForeground(fd int) bool {
	pgrp, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && pgrp == unix.Getpgrp()
}

// openPty makes a pseudo-terminal.
func openPty() (master, slave int, err error) {
	master, err = unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, err
	}
	if err = unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err == nil {
		slave, err = openPeer(master)
	}
	if err != nil {
		_ = unix.Close(master)
		return -1, -1, err
	}
	return master, slave, nil
}

// openPeer opens the other side, by its master where the kernel can (4.13), so that no /dev/pts is needed.
func openPeer(master int) (int, error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
	if e == 0 {
		return int(fd), nil
	}
	n, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		return -1, err
	}
	return unix.Open("/dev/pts/"+strconv.Itoa(int(n)), flags, 0)
}

func copySize(from, to int) {
	if ws, err := unix.IoctlGetWinsize(from, unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(to, unix.TIOCSWINSZ, ws)
	}
}

// copyTermios gives a pseudo-terminal the user's settings. Where the user's own terminal stays cooked, output must not be
// processed twice.
func copyTermios(from, to int, rawOutput bool) {
	tio, err := unix.IoctlGetTermios(from, unix.TCGETS)
	if err != nil {
		return
	}
	if rawOutput {
		tio.Oflag &^= unix.OPOST
	}
	_ = unix.IoctlSetTermios(to, unix.TCSETS, tio)
}

// terminal is the user's terminal while the target has one of its own: raw, every key passed on.
type terminal struct {
	fd     int
	master int
	wake   int

	mu     sync.Mutex
	saved  *unix.Termios // as it was before us
	isRaw  bool
	closed bool
	done   chan struct{} // closed when carryInput has ended; nil before it began
}

func newTerminal(fd, master int) (*terminal, error) {
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &terminal{fd: fd, master: master, wake: wake, saved: saved}, nil
}

// raw passes keys on unprocessed, Ctrl-C included: the target's own terminal makes signals of them. It does nothing while
// we are in the background, where changing the terminal would stop us.
func (t *terminal) raw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isRaw || t.closed || !inForeground(t.fd) {
		return
	}
	tio := *t.saved
	tio.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	tio.Oflag &^= unix.OPOST
	tio.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	tio.Cflag = tio.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(t.fd, unix.TCSETSW, &tio) == nil {
		t.isRaw = true
	}
}

// restore gives the terminal its own settings back.
func (t *terminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isRaw && inForeground(t.fd) {
		_ = unix.IoctlSetTermios(t.fd, unix.TCSETSW, t.saved)
	}
	t.isRaw = false
}

// stopInput ends the carrying of keys and waits until it has ended; it may be called more than once.
func (t *terminal) stopInput() {
	t.mu.Lock()
	done := t.done
	if !t.closed {
		_, _ = unix.Write(t.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	t.mu.Unlock()
	if done != nil {
		<-done
	}
}

// close ends everything and restores the terminal.
func (t *terminal) close() {
	t.stopInput()
	t.restore()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true // raw is not to be set again by a late signal
		_ = unix.Close(t.wake)
	}
}

// start goes raw and begins to carry keys.
func (t *terminal) start() {
	t.raw()
	t.mu.Lock()
	t.done = make(chan struct{})
	t.mu.Unlock()
	go t.carryInput()
}

// carryInput copies keys to the target until close.
func (t *terminal) carryInput() {
	defer close(t.done)
	buf := make([]byte, 4096)
	for {
		if !t.ready(t.fd, unix.POLLIN) {
			return
		}
		if !inForeground(t.fd) {
			time.Sleep(100 * time.Millisecond) // what is typed now is for somebody else
			continue
		}
		n, err := unix.Read(t.fd, buf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if n <= 0 || !t.pass(buf[:n]) {
			return
		}
	}
}

// pass writes keys to the target's terminal; false when that is over.
func (t *terminal) pass(keys []byte) bool {
	for len(keys) > 0 {
		n, err := unix.Write(t.master, keys)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if !t.ready(t.master, unix.POLLOUT) {
				return false
			}
		case err != nil:
			return false
		default:
			keys = keys[n:]
		}
	}
	return true
}

// ready waits for a descriptor; false when carrying is to end.
func (t *terminal) ready(fd int, events int16) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(t.wake), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		return err == nil && fds[1].Revents == 0
	}
}
