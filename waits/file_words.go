package waits

import (
	"fmt"
	"strings"

	"meshdiag/crash"
)

func ioVerb(call string) string {
	switch call {
	case "write", "pwrite64", "writev":
		return "writes to"
	case "sendto", "sendmsg":
		return "sends to"
	case "recvfrom", "recvmsg", "recvmmsg":
		return "receives from"
	case "connect":
		return "is connecting"
	case "fsync", "fdatasync":
		return "waits for the disk to take"
	case "flock", "fcntl":
		return "waits for the lock of"
	case "ioctl":
		return "waits for"
	}
	return "reads from"
}

// maxNamed bounds how many descriptors are named.
const maxNamed = 3

// files names what a thread waits for.
func (a *analysis) files(w *Wait) string {
	if len(w.FDs) == 0 {
		return "a descriptor"
	}
	var parts []string
	for _, fd := range w.FDs {
		parts = append(parts, a.file(fd))
	}
	if n := len(parts); n > maxNamed {
		parts = append(parts[:maxNamed], fmt.Sprintf("%d more", n-maxNamed))
	}
	return strings.Join(parts, ", ")
}

// file says what a descriptor leads to: "fd 3 (the TCP connection to 127.0.0.1:5432, where process 99, postgres, is)".
func (a *analysis) file(fd int) string {
	f := a.c.World.File(fd)
	if f == nil {
		return fmt.Sprintf("fd %d", fd)
	}
	return fmt.Sprintf("fd %d (%s)", fd, fileWords(f))
}

func fileWords(f *crash.File) string {
	switch f.Kind {
	case crash.FileSocket:
		return socketWords(f) + peers(f)
	case crash.FilePipe:
		if f.Alone {
			return "a pipe whose other end no other process has"
		}
		return "a pipe" + peers(f)
	case crash.FileTerminal:
		return "the terminal " + f.Target
	case crash.FileEvent, crash.FileTimer, crash.FileSignal:
		return article(string(f.Kind)) + " " + string(f.Kind)
	case crash.FileEpoll:
		return "an epoll instance"
	case crash.FileRegular:
		return "the file " + f.Target
	}
	return f.Target
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func socketWords(f *crash.File) string {
	s := f.Socket
	switch {
	case s == nil:
		return "a socket"
	case s.Listens():
		return "the " + s.Proto + " socket that listens on " + orElse(s.Local, "an unnamed address")
	case s.State == "connecting":
		return "the " + s.Proto + " connection to " + orElse(s.Remote, s.Local) + ", which is not established"
	case s.State == "closed by the other end":
		return "the " + s.Proto + " connection to " + s.Remote + ", which the other end has closed"
	case s.Remote != "":
		return "the " + s.Proto + " connection to " + s.Remote
	case s.Proto == "Unix" && s.State == "established" && s.Local == "":
		return "a Unix connection"
	case s.Proto == "Unix" && s.Local != "":
		return "the Unix socket " + s.Local
	case s.Proto == "Unix":
		return "a Unix socket"
	}
	return "the " + s.Proto + " socket on " + s.Local
}

// peers names the processes at the other end.
func peers(f *crash.File) string {
	var names []string
	for _, p := range f.Peers {
		names = append(names, fmt.Sprintf("process %d (%s)", p.PID, p.Name))
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "; at the other end is " + names[0]
	}
	return "; at the other end are " + strings.Join(names, " and ")
}

// child names a child process with what it does.
func (a *analysis) child(pid int) string {
	var children []crash.Child
	if a.c.World != nil {
		children = a.c.World.Children
	}
	for _, c := range children {
		if c.PID == pid || pid < 0 && len(children) == 1 {
			s := fmt.Sprintf("child process %d (%s)", c.PID, c.Name)
			if what := childStates[c.State]; what != "" {
				s += ", which " + what + ","
			}
			return s
		}
	}
	if pid > 0 {
		return fmt.Sprintf("child process %d", pid)
	}
	if len(children) > 0 {
		return fmt.Sprintf("any of its %d child processes", len(children))
	}
	return "any child process"
}

var childStates = map[string]string{"R": "runs", "S": "sleeps", "D": "is in an uninterruptible wait", "T": "is stopped",
	"Z": "has ended already"}
