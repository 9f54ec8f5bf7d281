package waits

import (
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Numbers of x/sys/unix that it does not name.
const (
	sysRestart    = unix.SYS_RESTART_SYSCALL
	maxPolled     = 1024
	fcntlOFDWait  = 38 // F_OFD_SETLKW
	waitIDProcess = 1  // P_PID of waitid(2)
)

// system reads what the other system calls that block were asked for.
func (a *analysis) system(w *Wait, call crash.Syscall) {
	args := call.Args
	switch call.Number {
	case unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_CONNECT,
		unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_IOCTL,
		unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FLOCK:
		w.Kind = IO
		a.waitFor(w, int(int32(args[0])))
	case unix.SYS_FCNTL:
		if args[1] == unix.F_SETLKW || args[1] == fcntlOFDWait {
			w.Kind = IO
			a.waitFor(w, int(int32(args[0])))
		}
	case unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		w.Kind = Accept
		a.waitFor(w, int(int32(args[0])))
	case unix.SYS_POLL, unix.SYS_PPOLL:
		w.Kind = Poll
		a.waitFor(w, a.polled(args[0], args[1])...)
		if call.Number == unix.SYS_POLL {
			w.milliseconds(int32(args[2]))
		} else {
			a.relative(w, args[2])
		}
	case unix.SYS_SELECT, unix.SYS_PSELECT6:
		w.Kind = Poll
		a.waitFor(w, a.selected(args)...)
		if call.Number == unix.SYS_SELECT {
			a.timeval(w, args[4])
		} else {
			a.relative(w, args[4])
		}
	case unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2:
		w.Kind = Poll
		a.epoll(w, int(int32(args[0])))
		if call.Number == unix.SYS_EPOLL_PWAIT2 {
			a.relative(w, args[3])
		} else {
			w.milliseconds(int32(args[3]))
		}
	case unix.SYS_NANOSLEEP:
		w.Kind = Sleep
		a.relative(w, args[0])
	case unix.SYS_CLOCK_NANOSLEEP:
		w.Kind = Sleep
		a.clockSleep(w, args)
	case unix.SYS_WAIT4:
		w.Kind, w.ChildID = Child, childID(int(int32(args[0])))
	case unix.SYS_WAITID:
		w.Kind, w.ChildID = Child, -1
		if args[0] == waitIDProcess {
			w.ChildID = int(int32(args[1]))
		}
	case unix.SYS_PAUSE, unix.SYS_RT_SIGSUSPEND:
		w.Kind = Signal
	case unix.SYS_RT_SIGTIMEDWAIT:
		w.Kind = Signal
		a.relative(w, args[2])
	}
}

// pollsNothing reports whether a wait for descriptors names none: programs sleep that way, too.
func pollsNothing(w *Wait) bool { return w.Kind == Poll && len(w.FDs) == 0 && w.Timed }

// childID is a process id, or -1 for the forms of wait4(2) that mean any child of a set.
func childID(pid int) int {
	if pid > 0 {
		return pid
	}
	return -1
}

// restartable are functions of libc and the restartable system call that each makes. A thread whose call was restarted
// after a stop stands in restart_syscall(2), which does not say what it restarts.
var restartable = []struct {
	part   string
	number int64
}{
	{"futex", sysFutex}, {"nanosleep", unix.SYS_CLOCK_NANOSLEEP}, {"poll", unix.SYS_POLL},
}

// restarted is the system call behind restart_syscall.
func (a *analysis) restarted(i int) (number int64, ok bool) {
	if a.c.Threads[i].Syscall.Number != sysRestart || i >= len(a.stacks) {
		return 0, false
	}
	for j := range min(len(a.stacks[i].Frames), 3) {
		name := a.stacks[i].Frames[j].Symbol.Name
		for _, r := range restartable {
			if strings.Contains(name, r.part) {
				return r.number, true
			}
		}
	}
	return 0, false
}

// waitFor notes descriptors, each once.
func (a *analysis) waitFor(w *Wait, fds ...int) {
	for _, fd := range fds {
		if fd < 0 || slices.Contains(w.FDs, fd) {
			continue
		}
		w.FDs = append(w.FDs, fd)
		if f := a.c.World.File(fd); f != nil {
			w.Files = append(w.Files, f)
		}
	}
}

// polled reads an array of struct pollfd: descriptor, events, returned events (poll(2)).
func (a *analysis) polled(addr, count uint64) []int {
	buf := make([]byte, 8*min(count, maxPolled))
	n, _ := a.c.Memory.ReadMemory(buf, addr)
	var fds []int
	for ; n >= 8; n, buf = n-8, buf[8:] {
		fds = append(fds, int(int32(binary.LittleEndian.Uint32(buf))))
	}
	return fds
}

// selected reads the three sets of select(2), bit by bit. The kernel writes to them only when the call ends.
func (a *analysis) selected(args [6]uint64) []int {
	count := min(args[0], maxPolled)
	var fds []int
	for _, addr := range args[1:4] {
		buf := make([]byte, (count+63)/64*8)
		if addr == 0 {
			continue
		}
		if n, _ := a.c.Memory.ReadMemory(buf, addr); n < len(buf) {
			continue
		}
		for fd := range int(count) {
			if buf[fd/8]>>(fd%8)&1 != 0 {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// epoll notes what an epoll instance watches.
func (a *analysis) epoll(w *Wait, fd int) {
	f := a.c.World.File(fd)
	if f == nil || len(f.Watches) == 0 {
		a.waitFor(w, fd)
		return
	}
	a.waitFor(w, f.Watches...)
}

// rests reports whether a wait is one for work from outside: a new connection, a request on one that a client made, a
// signal, the next tick of a clock.
func (a *analysis) rests(w *Wait) bool {
	switch w.Kind {
	case Accept, Sleep, Signal:
		return true
	case IO, Poll:
	default:
		return false
	}
	if len(w.Files) == 0 || len(w.Files) < len(w.FDs) {
		return false
	}
	if w.Kind == Poll && slices.ContainsFunc(w.Files, func(f *crash.File) bool { return f.Socket.Listens() }) {
		return true // the loop of a server: what else it has open, it keeps for the next request
	}
	for _, f := range w.Files {
		switch {
		case w.Kind == Poll && (f.Kind == crash.FileEvent || f.Kind == crash.FileTimer || f.Kind == crash.FileSignal):
		case f.Socket.Listens(), a.fromClient(f.Socket):
		case w.Kind == Poll && f.Kind == crash.FilePipe && f.Alone: // how threads of one process wake each other
		default:
			return false
		}
	}
	return true
}

// fromClient reports whether the other end made the connection: its local port is one on which the process listens.
func (a *analysis) fromClient(s *crash.Socket) bool {
	if s == nil || s.Remote == "" {
		return false
	}
	port := s.Local[strings.LastIndexByte(s.Local, ':')+1:]
	return slices.ContainsFunc(a.c.World.Files, func(f crash.File) bool {
		return f.Socket.Listens() && f.Socket.Proto == s.Proto && strings.HasSuffix(f.Socket.Local, ":"+port)
	})
}
