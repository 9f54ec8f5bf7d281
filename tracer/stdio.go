package tracer

import (
	"fmt"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// stdio are the target's standard streams. Each stays of the kind the user gave: what was a terminal is a
// pseudo-terminal, anything else a pipe; what was one channel stays one, so that the order of lines does.
type stdio struct {
	child  [3]int // descriptors for the target
	ours   []int  // of them, those to close once it is launched
	relays []*relay
	going  bool // the relays have begun
	shared bool // stdout and stderr are one channel
	full   bool // the target has a terminal of its own
	term   *terminal
	real   int // the user's terminal that window sizes are taken from, -1 none

	mu   sync.Mutex
	kept []int // our copies of the target's sides of pseudo-terminals, which would otherwise end with each last close
}

// newStdio decides on the channels and makes them.
func newStdio(o *Options, c *capture) (*stdio, error) {
	in, out, err := int(o.Stdin.Fd()), int(o.Stdout.Fd()), int(o.Stderr.Fd())
	s := &stdio{child: [3]int{in, -1, -1}, real: -1, shared: sameChannel(out, err)}
	if s.shared && isTerminal(out) && sameChannel(in, out) && inForeground(in) {
		return s, s.ownTerminal(in, out, c)
	}
	stream := crash.Stdout
	if s.shared {
		stream = crash.UnknownStream
	}
	if e := s.channel(1, out, stream, c); e != nil {
		return nil, e
	}
	if s.shared {
		s.child[2] = s.child[1]
		return s, nil
	}
	return s, s.channel(2, err, crash.Stderr, c)
}

// channel makes one output channel of the kind that the user's descriptor is.
func (s *stdio) channel(fd, out int, stream crash.Stream, c *capture) error {
	read, write, err := -1, -1, error(nil)
	tty := isTerminal(out)
	if tty {
		read, write, err = openPty()
	} else {
		var p [2]int
		err = unix.Pipe2(p[:], unix.O_CLOEXEC)
		read, write = p[0], p[1]
	}
	if err != nil {
		return err
	}
	if tty {
		s.real = out
		s.kept = append(s.kept, write)
		copySize(out, write)
		copyTermios(out, write, true)
	} else {
		s.ours = append(s.ours, write)
	}
	r, err := newRelay(stream, read, out, tty, c)
	if err != nil {
		return err
	}
	s.child[fd] = write
	s.relays = append(s.relays, r)
	return nil
}

// ownTerminal gives the target a pseudo-terminal for all three streams, as its controlling terminal.
func (s *stdio) ownTerminal(in, out int, c *capture) error {
	master, slave, err := openPty()
	if err != nil {
		return err
	}
	s.full, s.real = true, in
	s.kept = []int{slave}
	copySize(in, slave)
	copyTermios(in, slave, false)
	r, err := newRelay(crash.UnknownStream, master, out, true, c)
	if err != nil {
		return err
	}
	s.relays = []*relay{r}
	s.child = [3]int{slave, slave, slave}
	s.term, err = newTerminal(in, master)
	if err == nil {
		r.before = s.term.stopInput
	}
	return err
}

func (s *stdio) childFiles() []uintptr {
	return []uintptr{uintptr(s.child[0]), uintptr(s.child[1]), uintptr(s.child[2])}
}

func (s *stdio) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Ptrace: true, Setsid: s.full, Setctty: s.full}
}

// launched closes our copies of the target's ends.
func (s *stdio) launched() {
	for _, fd := range s.ours {
		_ = unix.Close(fd)
	}
	s.ours = nil
}

// start begins to carry bytes.
func (s *stdio) start() {
	s.going = true
	for _, r := range s.relays {
		go r.run()
	}
	if s.term != nil {
		s.term.start()
	}
}

// sync makes sure that everything the frozen target wrote has been captured.
func (s *stdio) sync() {
	for _, r := range s.relays {
		r.sync()
	}
}

// finish passes on the rest and ends all carrying.
func (s *stdio) finish() {
	if s.term != nil {
		s.term.stopInput()
	}
	s.closeKept()
	for _, r := range s.relays {
		r.drain()
	}
	s.relays = nil
}

// close gives the user's terminal back, and drops what was made for a launch that failed.
func (s *stdio) close() {
	if s.term != nil {
		s.term.close()
	}
	s.closeKept()
	if !s.going {
		for _, r := range s.relays {
			r.discard()
		}
		s.relays = nil
	}
}

func (s *stdio) closeKept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range s.kept {
		_ = unix.Close(fd)
	}
	s.kept = nil
}

// resize gives our pseudo-terminals the size of the user's.
func (s *stdio) resize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slave := range s.kept {
		copySize(s.real, slave)
	}
}

// foregroundGroup is the process group that has the target's own terminal.
func (s *stdio) foregroundGroup() (int, bool) { return s.relays[0].foregroundGroup() }

// foreground is called when we were continued.
func (s *stdio) foreground() {
	if s.term != nil {
		s.term.raw()
	}
	s.resize()
}

// sameChannel reports whether two descriptors lead to one place where the order of writes shows.
func sameChannel(a, b int) bool {
	if a == b {
		return true
	}
	var sa, sb unix.Stat_t
	if unix.Fstat(a, &sa) != nil || unix.Fstat(b, &sb) != nil || sa.Dev != sb.Dev || sa.Ino != sb.Ino {
		return false
	}
	if sa.Mode&unix.S_IFMT != unix.S_IFREG {
		return true
	}
	// A file opened twice has two positions, and its writers overwrite each other unless both append.
	return sameDescription(a, b) || appends(a) && appends(b)
}

// sameDescription asks the kernel whether two descriptors are duplicates; true when it cannot say.
func sameDescription(a, b int) bool {
	const kcmpFile = 0
	r, _, e := unix.RawSyscall6(unix.SYS_KCMP, uintptr(ownPID), uintptr(ownPID), kcmpFile, uintptr(a), uintptr(b), 0)
	return e != 0 || r == 0
}

func appends(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_APPEND != 0
}

// failures are the reasons why output could not be passed on.
func (s *stdio) failures() []string {
	var list []string
	for _, r := range s.relays {
		if err := r.lost(); err != nil {
			list = append(list, fmt.Sprintf("Some of the program's output could not be written to %s: %v.", nameOf(r.stream), err))
		}
	}
	return list
}

func nameOf(stream crash.Stream) string {
	if stream == crash.UnknownStream {
		return "its standard streams"
	}
	return string(stream)
}
