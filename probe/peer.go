package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Peer says what a descriptor that a write failed on leads to, and who was at its other end as far as the kernel still
// knows: of a pipe nobody is left, of a TCP connection that was reset only our own address, of a Unix socket the process
// that made the connection.
func Peer(pid, fd int) (Check, bool) {
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	if err != nil {
		return Check{}, false
	}
	c := Check{ID: "peer", Cause: "broken-pipe"}
	name := descriptor(fd)
	switch {
	case strings.HasPrefix(to, "pipe:"), strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/dev/"):
		c.Detail = fmt.Sprintf("it wrote to %s, a pipe that nobody has open for reading any more", name)
		if fd == 1 {
			c.Next = []string{"look at what the program is piped into: it ended first, as head does"}
		}
	case strings.HasPrefix(to, "socket:"):
		c.Detail = fmt.Sprintf("it wrote to %s, %s", name, socketWords(pid, fd))
	default:
		c.Detail = fmt.Sprintf("it wrote to %s, which is %s", name, to)
	}
	return c, true
}

func descriptor(fd int) string {
	switch fd {
	case 1:
		return "its standard output"
	case 2:
		return "its standard error"
	}
	return fmt.Sprintf("descriptor %d", fd)
}

// socketWords asks the kernel about a socket of another process through a descriptor of our own to it (pidfd_getfd(2), Linux
// 5.6); nothing is read from it.
func socketWords(pid, fd int) string {
	const unknown = "a socket whose other end was closed"
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return unknown
	}
	defer unix.Close(pidfd)
	s, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return unknown
	}
	defer unix.Close(s)
	local, err := unix.Getsockname(s)
	if err != nil {
		return unknown
	}
	if _, ok := local.(*unix.SockaddrUnix); ok {
		return unixWords(s)
	}
	here, ok := address(local)
	if !ok {
		return unknown
	}
	remote, err := unix.Getpeername(s)
	if there, ok := address(remote); err == nil && ok {
		return fmt.Sprintf("a TCP connection from %s to %s, which cannot be written to any more", here, there)
	}
	if errors.Is(err, unix.ENOTCONN) {
		return fmt.Sprintf("a TCP connection of its address %s, which the other end has closed", here)
	}
	return unknown
}

// unixWords names the process that a Unix socket was connected with.
func unixWords(s int) string {
	cred, err := unix.GetsockoptUcred(s, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || cred.Pid <= 0 {
		return "a Unix socket whose other end was closed"
	}
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cred.Pid)); err == nil {
		return fmt.Sprintf("a Unix socket that was connected with process %d (%s), which lives and has closed it", cred.Pid, strings.TrimSpace(string(comm)))
	}
	return fmt.Sprintf("a Unix socket that was connected with process %d, which is gone", cred.Pid)
}

func address(a unix.Sockaddr) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)), true
	}
	return netip.AddrPort{}, false
}
