package tracer

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// unixEnd is one Unix socket as the kernel's unix_diag tells it (linux/include/uapi/linux/unix_diag.h).
type unixEnd struct {
	peer uint64 // inode of the other end; 0 none
	name string // that it is bound to; "" none
}

const (
	sockDiagByFamily = 20
	unixRequestSize  = 24 // struct unix_diag_req
	unixMessageSize  = 16 // struct unix_diag_msg; its attributes follow
	unixShowName     = 1
	unixShowPeer     = 4
	unixAttrName     = 0
	unixAttrPeer     = 2
	netlinkPatience  = time.Second // a kernel that never answers is none that can be asked
)

// unixEnds asks for all Unix sockets of our own network namespace, by inode: /proc/net/unix does not tell who is connected to
// whom. It is nil where netlink is forbidden.
func unixEnds() map[uint64]unixEnd {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(netlinkPatience)) != nil {
		return nil
	}
	var request [unixRequestSize]byte
	request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[4:], 1<<32-1) // all states
	binary.NativeEndian.PutUint32(request[12:], unixShowName|unixShowPeer)
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump}, Data: request[:]})
	if err != nil {
		return nil
	}
	all := make(map[uint64]unixEnd, len(answers))
	for _, m := range answers {
		if inode, end, ok := parseUnixEnd(m.Data); ok {
			all[inode] = end
		}
	}
	return all
}

// parseUnixEnd reads one answer: family, type, state, padding, inode and cookie, then attributes.
func parseUnixEnd(data []byte) (inode uint64, end unixEnd, ok bool) {
	if len(data) < unixMessageSize {
		return 0, end, false
	}
	attributes, err := netlink.NewAttributeDecoder(data[unixMessageSize:])
	if err != nil {
		return 0, end, false
	}
	for attributes.Next() {
		switch attributes.Type() {
		case unixAttrPeer:
			end.peer = uint64(attributes.Uint32())
		case unixAttrName:
			end.name = strings.TrimRight(string(attributes.Bytes()), "\x00")
			if strings.HasPrefix(end.name, "\x00") {
				end.name = "@" + end.name[1:] // an abstract one, as ss(8) and /proc/net/unix write it
			}
		}
	}
	return uint64(binary.NativeEndian.Uint32(data[4:])), end, attributes.Err() == nil
}
