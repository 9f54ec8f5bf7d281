package tracer

import (
	"encoding/binary"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// unixEnd is one Unix socket as the kernel's unix_diag tells it (linux/include/uapi/linux/unix_diag.h).
type unixEnd struct {
	peer uint64 // inode of the other end; 0 none
	name string // that it is bound to; "" none
}

const (
	sockDiagByFamily  = 20
	unixRequestSize   = 16 + 24 // struct nlmsghdr, struct unix_diag_req
	unixMessageSize   = 16      // struct unix_diag_msg
	unixShowName      = 1
	unixShowPeer      = 4
	unixAttrName      = 0
	unixAttrPeer      = 2
	maxUnixSockets    = 1 << 17
	netlinkPatience   = 1 // seconds; a kernel that never answers is none that can be asked
	netlinkBufferSize = 64 << 10
)

// unixEnds asks for all Unix sockets of our own network namespace, by inode: /proc/net/unix does not tell who is connected to
// whom. It is nil where netlink is forbidden.
func unixEnds() map[uint64]unixEnd {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: netlinkPatience})
	var req [unixRequestSize]byte
	ne := binary.NativeEndian
	ne.PutUint32(req[0:], unixRequestSize)
	ne.PutUint16(req[4:], sockDiagByFamily)
	ne.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	req[16] = unix.AF_UNIX
	ne.PutUint32(req[20:], 1<<32-1) // all states
	ne.PutUint32(req[28:], unixShowName|unixShowPeer)
	if unix.Sendto(fd, req[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return nil
	}
	all := map[uint64]unixEnd{}
	buf := make([]byte, netlinkBufferSize)
	for len(all) < maxUnixSockets {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return all
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return all
		}
		for _, m := range messages {
			if m.Header.Type != sockDiagByFamily {
				return all // the end, or a refusal
			}
			if inode, end, ok := parseUnixEnd(m.Data); ok {
				all[inode] = end
			}
		}
	}
	return all
}

// parseUnixEnd reads one answer: family, type, state, padding, inode, cookie, then attributes of a length, a kind and a value,
// at multiples of 4.
func parseUnixEnd(data []byte) (inode uint64, end unixEnd, ok bool) {
	if len(data) < unixMessageSize {
		return 0, end, false
	}
	ne := binary.NativeEndian
	inode = uint64(ne.Uint32(data[4:]))
	for rest := data[unixMessageSize:]; len(rest) >= 4; {
		n, kind := int(ne.Uint16(rest)), ne.Uint16(rest[2:])
		if n < 4 || n > len(rest) {
			break
		}
		switch value := rest[4:n]; {
		case kind == unixAttrPeer && len(value) >= 4:
			end.peer = uint64(ne.Uint32(value))
		case kind == unixAttrName:
			end.name = strings.TrimRight(string(value), "\x00")
			if strings.HasPrefix(end.name, "\x00") {
				end.name = "@" + end.name[1:] // an abstract one, as ss(8) and /proc/net/unix write it
			}
		}
		rest = rest[min(len(rest), (n+3)&^3):]
	}
	return inode, end, true
}
