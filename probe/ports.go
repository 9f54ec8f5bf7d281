package probe

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"meshdiag/profile"
)

// Holder is a process that listens on a TCP port.
type Holder struct {
	Address netip.AddrPort
	V6Only  bool   // it takes every IPv6 address and leaves IPv4 to others
	PID     int    // 0: its process could not be found (another user's, without root's rights)
	Command string // its command line, cut; "" unknown
	UID     int
	Since   time.Time // start of the process; zero unknown
}

const (
	causePort       = "port-in-use"
	stateListen     = "0A" // include/net/tcp_states.h: TCP_LISTEN
	maxSocketLines  = 1 << 20
	maxCommandBytes = 200
)

// Holders lists who listens on a TCP port in the network namespace of this process.
func Holders(port int) []Holder {
	var all []Holder
	inodes := map[uint64]int{} // socket -> index in all
	for _, s := range listeners() {
		if int(s.local.Port()) == port {
			inodes[s.inode] = len(all)
			all = append(all, Holder{Address: s.local, V6Only: s.v6only, UID: s.uid})
		}
	}
	if len(all) > 0 {
		findProcesses(all, inodes)
	}
	return all
}

// parseSockets reads the listening ones of /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst). Lines that
// it does not understand are left out.
func parseSockets(r io.Reader) []socket {
	var all []socket
	scan := bufio.NewScanner(r)
	for n := 0; scan.Scan() && n < maxSocketLines; n++ {
		f := strings.Fields(scan.Text())
		if len(f) < 10 || f[3] != stateListen {
			continue
		}
		local, ok := parseAddress(f[1])
		uid, err1 := strconv.Atoi(f[7])
		inode, err2 := strconv.ParseUint(f[9], 10, 64)
		if ok && err1 == nil && err2 == nil {
			all = append(all, socket{local: local, uid: uid, inode: inode})
		}
	}
	return all
}

// parseAddress reads "0100007F:1F90": the address in words of the machine's byte order, the port in the network's.
func parseAddress(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	raw, err1 := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err1 != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(number)), ok
}

// Listens reports whether a process listens on a port. It looks at this process alone, so it can be asked often.
func Listens(pid, port int) bool {
	for _, s := range listeners() {
		if int(s.local.Port()) == port && slices.Contains(socketsOf(pid), s.inode) {
			return true
		}
	}
	return false
}

// socketsOf lists the inodes of a process's sockets; none of another user's process.
func socketsOf(pid int) []uint64 {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	names, _ := os.ReadDir(dir)
	var all []uint64
	for _, fd := range names {
		link, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if number, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
			inode, _ := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
			all = append(all, inode)
		}
	}
	return all
}

// findProcesses looks through the descriptors of all processes for the sockets.
func findProcesses(all []Holder, inodes map[uint64]int) {
	entries, _ := os.ReadDir("/proc")
	left := len(inodes)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || left == 0 {
			continue
		}
		for _, inode := range socketsOf(pid) {
			if i, wanted := inodes[inode]; wanted && all[i].PID == 0 {
				all[i].describe(pid)
				left--
			}
		}
	}
}

func (h *Holder) describe(pid int) {
	h.PID = pid
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		h.Command = strings.TrimSpace(strings.ReplaceAll(string(data[:min(len(data), maxCommandBytes)]), "\x00", " "))
	}
	h.Since = started(pid)
}

// started is when a process was started; the zero time when that is not known.
func started(pid int) time.Time {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}
	}
	ticks, ok := startTicks(string(data))
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil || !ok {
		return time.Time{}
	}
	up, err := strconv.ParseFloat(strings.Fields(string(uptime) + " x")[0], 64)
	if err != nil {
		return time.Time{}
	}
	age := up - float64(ticks)/userHz
	return time.Now().Add(-time.Duration(age * float64(time.Second)))
}

// userHz is the unit of times in /proc: it is 100 on every architecture that Linux shows to user space this way.
const userHz = 100

// startTicks is field 22 of /proc/PID/stat (proc_pid_stat(5)); the name in field 2 may contain anything.
func startTicks(stat string) (uint64, bool) {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	f := strings.Fields(stat[i+1:])
	if len(f) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	return n, err == nil
}

// User is the name of the holder's user, or its number.
func (h *Holder) User() string {
	if u, err := user.LookupId(strconv.Itoa(h.UID)); err == nil {
		return u.Username
	}
	return strconv.Itoa(h.UID)
}

// String says who it is in half a sentence.
func (h *Holder) String() string {
	where := h.Address.String()
	switch addr := h.Address.Addr(); {
	case addr == netip.IPv6Unspecified() && h.V6Only:
		where += " (every IPv6 address)"
	case addr == netip.IPv6Unspecified():
		where += " (every address, IPv4 as well)"
	case addr.IsUnspecified():
		where += " (every IPv4 address)"
	}
	if h.PID == 0 {
		return fmt.Sprintf("a process of user %s, which only that user or root can name, holds %s", h.User(), where)
	}
	s := fmt.Sprintf("process %d of user %s", h.PID, h.User())
	if h.Command != "" {
		s = fmt.Sprintf("process %d (%s) of user %s", h.PID, h.Command, h.User())
	}
	if !h.Since.IsZero() {
		s += ", running since " + h.Since.Format("2006-01-02 15:04:05")
	}
	return s + ", holds " + where
}

// PortFree checks that a program can listen on a port. own is its process, 0 if there is none (any more); what is the
// server's name for people; kind is the cause's kind ("http", "websocket", "other").
func PortFree(port, own int, what, kind string) Check {
	id := "port-" + strconv.Itoa(port)
	holders := Holders(port)
	if len(holders) == 0 {
		if c, bad := privileged(id, port, what, kind); bad {
			return c
		}
		return passed(id, "nobody else listens on port %d", port)
	}
	h := holders[0]
	slices.SortStableFunc(holders, func(a, b Holder) int { // who leaves IPv4 to others is in the way least
		switch {
		case a.V6Only == b.V6Only:
			return 0
		case a.V6Only:
			return 1
		}
		return -1
	})
	if i := slices.IndexFunc(holders, func(h Holder) bool { return h.PID != own }); i >= 0 {
		h = holders[i]
	} else {
		return Check{ID: id, Detail: fmt.Sprintf("port %d is held by the program itself: two of its servers want the same one", port),
			Cause: causePort, Kind: kind, Next: []string{"give its servers different ports"}}
	}
	c := Check{ID: id, Detail: fmt.Sprintf("port %d, which the %s wants, is taken: %s", port, what, h.String()), Cause: causePort, Kind: kind}
	if h.PID != 0 {
		c.Next = []string{fmt.Sprintf("end it, if it may go: kill %d", h.PID)}
	} else {
		c.Next = []string{fmt.Sprintf("find the holder: sudo ss -ltnp 'sport = :%d'", port)}
	}
	return c
}

// ServerPort is the port that a server of a profile listens on in an environment.
func ServerPort(s profile.Server, env []string) int {
	if s.Env != "" {
		if n, err := strconv.Atoi(lookup(env, s.Env)); err == nil {
			return n
		}
	}
	return s.Port
}

// privileged reports a port that only root may take.
func privileged(id string, port int, what, kind string) (Check, bool) {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil || os.Geteuid() == 0 {
		return Check{}, false
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || port >= first {
		return Check{}, false
	}
	return Check{ID: id, Detail: fmt.Sprintf("port %d, which the %s wants, is below %d: only root, or CAP_NET_BIND_SERVICE, may take it", port, what, first),
		Cause: causePort, Kind: kind, Next: []string{"choose a higher port", fmt.Sprintf("or: sudo sysctl net.ipv4.ip_unprivileged_port_start=%d", port)}}, true
}
