package tracer

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// maxChildren bounds how many children are looked at.
const maxChildren = 64

// world asks the kernel what a process's descriptors lead to and which children it has. tid is any of its threads.
func world(pid, tid int) *crash.World {
	w := &crash.World{Now: time.Now(), Monotonic: monotonic()}
	dir := filepath.Join("/proc", strconv.Itoa(tid))
	inodes := descriptors(w, dir)
	describeSockets(w, dir, inodes)
	findPeers(w, pid, inodes)
	w.Children = children(pid)
	return w
}

// descriptors lists what is open, and gives the inodes of sockets and pipes with the indexes of their descriptors.
func descriptors(w *crash.World, dir string) map[uint64][]int {
	inodes := map[uint64][]int{}
	for _, fd := range numbers(filepath.Join(dir, "fd"), crash.MaxFiles) {
		name := strconv.Itoa(fd)
		target, err := os.Readlink(filepath.Join(dir, "fd", name))
		if err != nil {
			continue // closed meanwhile
		}
		f := crash.File{FD: fd, Kind: fileKind(target), Target: target}
		switch f.Kind {
		case crash.FileEpoll:
			f.Watches = watches(filepath.Join(dir, "fdinfo", name))
		case crash.FileSocket, crash.FilePipe:
			if n, ok := inode(target); ok {
				inodes[n] = append(inodes[n], len(w.Files))
			}
		}
		w.Files = append(w.Files, f)
	}
	return inodes
}

// numbers are the names in a folder that are numbers, rising, at most limit.
func numbers(dir string, limit int) []int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var all []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all[:min(len(all), limit)]
}

// fileKind reads a link of /proc/PID/fd (proc_pid_fd(5)).
func fileKind(target string) crash.FileKind {
	switch {
	case strings.HasPrefix(target, "socket:["):
		return crash.FileSocket
	case strings.HasPrefix(target, "pipe:["):
		return crash.FilePipe
	case target == "anon_inode:[eventpoll]":
		return crash.FileEpoll
	case target == "anon_inode:[eventfd]":
		return crash.FileEvent
	case target == "anon_inode:[timerfd]":
		return crash.FileTimer
	case target == "anon_inode:[signalfd]":
		return crash.FileSignal
	case strings.HasPrefix(target, "/dev/pts/"), target == "/dev/tty":
		return crash.FileTerminal
	case !strings.HasPrefix(target, "/"), strings.HasPrefix(target, "/dev/"):
		return crash.FileOther
	}
	return crash.FileRegular
}

// inode is the number in "socket:[123]".
func inode(target string) (uint64, bool) {
	_, rest, ok := strings.Cut(target, ":[")
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return n, ok && err == nil
}

// watches reads the descriptors that an epoll instance watches: lines "tfd: 5 events: 19 data: ..." (proc_pid_fdinfo(5)).
func watches(path string) []int {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var all []int
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "tfd:" || len(all) == crash.MaxFiles {
			continue
		}
		if n, err := strconv.Atoi(f[1]); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// tcpStates are the states of include/net/tcp_states.h that say something about a wait.
var tcpStates = map[uint64]string{1: "established", 2: "connecting", 3: "connecting", 7: "closed", 8: "closed by the other end",
	10: crash.SocketListens}

// describeSockets looks the process's sockets up in the tables of its own network namespace, and adds the inodes of the
// other ends that lie on this machine.
func describeSockets(w *crash.World, dir string, inodes map[uint64][]int) {
	if !slices.ContainsFunc(w.Files, func(f crash.File) bool { return f.Kind == crash.FileSocket }) {
		return
	}
	table, err := procfs.NewFS(dir)
	if err != nil {
		return
	}
	// Netlink, which the library would rather see used, answers for our own network namespace; the target may have another.
	//lint:ignore SA1019 see above
	for _, read := range []func() (procfs.NetTCP, error){table.NetTCP, table.NetTCP6} {
		lines, _ := read() // a kernel without IPv6 has no such table
		ends := map[[2]netip.AddrPort]uint64{}
		for _, l := range lines {
			ends[[2]netip.AddrPort{address(l.LocalAddr, l.LocalPort), address(l.RemAddr, l.RemPort)}] = l.Inode
		}
		for _, l := range lines {
			local, remote := address(l.LocalAddr, l.LocalPort), address(l.RemAddr, l.RemPort)
			own := inodes[l.Inode]
			for _, i := range own {
				w.Files[i].Socket = socket("TCP", local, remote, tcpStates[l.St])
			}
			if other, ok := ends[[2]netip.AddrPort{remote, local}]; ok && len(own) > 0 && other != 0 && other != l.Inode {
				inodes[other] = append(inodes[other], own...)
			}
		}
	}
	for _, read := range []func() (procfs.NetUDP, error){table.NetUDP, table.NetUDP6} {
		lines, _ := read()
		for _, l := range lines {
			for _, i := range inodes[l.Inode] {
				w.Files[i].Socket = socket("UDP", address(l.LocalAddr, l.LocalPort), address(l.RemAddr, l.RemPort), "")
			}
		}
	}
	unixSockets(w, table, inodes)
}

// unixSockets describes the process's Unix sockets. Of a connection usually only the server's end has a name: it is where the
// client is connected to.
func unixSockets(w *crash.World, table procfs.FS, inodes map[uint64][]int) {
	lines, err := table.NetUNIX()
	if err != nil {
		return
	}
	const accepts = 1 << 16 // __SO_ACCEPTCON, include/uapi/linux/net.h
	found := false
	for _, l := range lines.Rows {
		for _, i := range inodes[l.Inode] {
			s := &crash.Socket{Proto: "Unix", Local: l.Path}
			switch {
			case uint64(l.Flags)&accepts != 0:
				s.State = crash.SocketListens
			case l.State == 2: // SS_CONNECTING
				s.State = "connecting"
			case l.State == 3: // SS_CONNECTED
				s.State = "established"
			}
			w.Files[i].Socket, found = s, true
		}
	}
	if !found {
		return
	}
	ends := unixEnds()
	for inode, own := range maps.Clone(inodes) {
		end, ok := ends[inode]
		if !ok || end.peer == 0 || end.peer == inode {
			continue
		}
		for _, i := range own {
			if s := w.Files[i].Socket; s != nil && s.Proto == "Unix" {
				s.Remote = ends[end.peer].name
				inodes[end.peer] = append(inodes[end.peer], i)
			}
		}
	}
}

func address(ip net.IP, port uint64) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

func socket(proto string, local, remote netip.AddrPort, state string) *crash.Socket {
	s := &crash.Socket{Proto: proto, Local: local.String(), State: state}
	if remote.Port() != 0 {
		s.Remote = remote.String()
	}
	return s
}

// findPeers looks through the descriptors of all other processes for the other ends of pipes and connections. Those of
// other users cannot be read without root's rights: then nothing is said about them.
func findPeers(w *crash.World, pid int, inodes map[uint64][]int) {
	if len(inodes) == 0 {
		return
	}
	hidden := false
	for _, other := range numbers("/proc", 1<<22) {
		if other == pid {
			continue
		}
		dir := filepath.Join("/proc", strconv.Itoa(other), "fd")
		entries, err := os.ReadDir(dir)
		hidden = hidden || errors.Is(err, fs.ErrPermission)
		for _, e := range entries {
			target, err := os.Readlink(filepath.Join(dir, e.Name()))
			if err != nil {
				continue
			}
			n, ok := inode(target)
			if !ok {
				continue
			}
			for _, i := range inodes[n] {
				f := &w.Files[i]
				if f.Kind != crash.FilePipe || opposite(pid, f.FD, other, e.Name()) {
					addPeer(f, other)
				}
			}
		}
	}
	for i := range w.Files {
		f := &w.Files[i]
		f.Alone = f.Kind == crash.FilePipe && len(f.Peers) == 0 && !hidden
	}
}

// opposite reports whether descriptors of two processes are different ends of a pipe, by their access modes; true when that is
// not known.
func opposite(pid, fd, other int, name string) bool {
	a, ok1 := accessMode(pid, strconv.Itoa(fd))
	b, ok2 := accessMode(other, name)
	return !ok1 || !ok2 || a != b || a == unix.O_RDWR
}

// accessMode is the access mode of a descriptor: "flags:" with an octal number (proc_pid_fdinfo(5)).
func accessMode(pid int, fd string) (int64, bool) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "fdinfo", fd))
	if err != nil {
		return 0, false
	}
	text, _ := statusField(data, "flags")
	n, err := strconv.ParseInt(text, 8, 64)
	return n & unix.O_ACCMODE, err == nil
}

// maxPeers bounds how many processes are named for one descriptor.
const maxPeers = 4

func addPeer(f *crash.File, pid int) {
	known := slices.ContainsFunc(f.Peers, func(p crash.Peer) bool { return p.PID == pid })
	if !known && len(f.Peers) < maxPeers {
		f.Peers = append(f.Peers, crash.Peer{PID: pid, Name: comm(pid)})
	}
}

// children lists the children of all threads of a process.
func children(pid int) []crash.Child {
	var all []crash.Child
	for _, tid := range numbers(filepath.Join("/proc", strconv.Itoa(pid), "task"), 1<<16) {
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(tid), "children"))
		if err != nil {
			continue // a kernel without CONFIG_PROC_CHILDREN
		}
		for _, word := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(word); err == nil && len(all) < maxChildren {
				all = append(all, crash.Child{PID: n, Name: comm(n), State: liveState(n)})
			}
		}
	}
	slices.SortFunc(all, func(a, b crash.Child) int { return a.PID - b.PID })
	return all
}
