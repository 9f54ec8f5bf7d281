package crash

import "time"

// World is what the kernel said about a stopped process's connections to others: what its descriptors lead to, its
// children, the time. It is asked only where threads are seen waiting (a stall, a snapshot); a core of the kernel has none.
type World struct {
	Files    []File  // by rising descriptor; at most MaxFiles
	Children []Child // by rising PID
	Now      time.Time
	// Monotonic is CLOCK_MONOTONIC at Now, in which absolute time limits of system calls are given.
	Monotonic time.Duration
}

// MaxFiles bounds how many descriptors are looked at.
const MaxFiles = 1024

// FileKind says what a descriptor leads to.
type FileKind string

// The kinds of descriptors that threads are found waiting for.
const (
	FileRegular  FileKind = "file"
	FilePipe     FileKind = "pipe"
	FileSocket   FileKind = "socket"
	FileEpoll    FileKind = "epoll"
	FileEvent    FileKind = "eventfd"
	FileTimer    FileKind = "timerfd"
	FileSignal   FileKind = "signalfd"
	FileTerminal FileKind = "terminal"
	FileOther    FileKind = "other"
)

// File is one open descriptor.
type File struct {
	FD      int
	Kind    FileKind
	Target  string  // as /proc/PID/fd names it: a path, "pipe:[123]"
	Socket  *Socket // of a socket that /proc/PID/net lists; nil otherwise
	Peers   []Peer  // other processes at the other end of a pipe or of a connection within this machine
	Alone   bool    // of a pipe: no other process has its other end open
	Watches []int   // of an epoll instance: the descriptors that it watches
}

// Socket is one line of /proc/PID/net/{tcp,tcp6,udp,udp6,unix}.
type Socket struct {
	Proto  string // "TCP", "UDP", "Unix"
	Local  string // address:port, or the path of a Unix socket; "" none
	Remote string // address:port of the other end; "" none
	State  string // "established", "listening", "connecting" ...; "" unknown
}

// Listens reports whether the socket waits for new connections.
func (s *Socket) Listens() bool { return s != nil && s.State == SocketListens }

// SocketListens is the state of a socket that takes connections.
const SocketListens = "listening"

// Peer is another process.
type Peer struct {
	PID  int
	Name string // comm, at most 15 bytes
}

// Child is a child of the process.
type Child struct {
	PID   int
	Name  string // comm
	State string // R, S, D, Z, T as in /proc/PID/stat
}

// File is the descriptor with that number; nil when it is not known.
func (w *World) File(fd int) *File {
	if w == nil {
		return nil
	}
	for i := range w.Files {
		if w.Files[i].FD == fd {
			return &w.Files[i]
		}
	}
	return nil
}
