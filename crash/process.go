package crash

import (
	"strings"
	"time"
)

// Process says whose death it was: which process of which machine, and when. It tells a reader of many cores which is
// which, and no cause rests on it.
type Process struct {
	// PPID, UID and GID are as the process itself saw them, in its own namespaces; Target.PID is as well. PPID 0: unknown, or
	// the parent was outside of its PID namespace. UID and GID are the real ones; -1 unknown.
	PPID int
	UID  int
	GID  int
	// HostPID and HostUID are how the machine saw it, where that differs, as it does in containers; 0 and -1 when it does
	// not, or is unknown.
	HostPID int
	HostUID int

	Died     time.Time // when it died, or when the core of a living process was made; zero: unknown
	DiedFrom string    // which witness says so, one of the From constants; "" when Died is zero

	Hostname  string // of the machine; "" unknown
	Cgroup    string // path in the cgroup hierarchy, "/" left out as it says nothing; "" unknown
	Unit      string // systemd unit; "" none or unknown
	Container string // ID or name of the container; "" none or unknown
}

// What a time of death is known from, best first. The last two are weak: names and times of files change when files are
// copied.
const (
	FromObserver = "observer"  // meshdiag saw it
	FromHandler  = "handler"   // the kernel told meshdiag handler
	FromXattr    = "xattr"     // extended attributes that systemd-coredump gave the core's file
	FromJournal  = "journal"   // systemd-coredump's entry in the journal
	FromFileName = "file-name" // the name of the core's file
	FromFileTime = "file-time" // when the core's file was last written
)

// UnknownProcess is a Process of which nothing is known.
func UnknownProcess() *Process { return &Process{UID: -1, GID: -1, HostUID: -1} }

// AddMissing takes over what p does not know yet.
func (p *Process) AddMissing(q *Process) {
	number := func(to *int, from, unknown int) {
		if *to == unknown {
			*to = from
		}
	}
	word := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	number(&p.PPID, q.PPID, 0)
	number(&p.UID, q.UID, -1)
	number(&p.GID, q.GID, -1)
	number(&p.HostPID, q.HostPID, 0)
	number(&p.HostUID, q.HostUID, -1)
	if p.Died.IsZero() {
		p.Died, p.DiedFrom = q.Died, q.DiedFrom
	}
	word(&p.Hostname, q.Hostname)
	word(&p.Cgroup, q.Cgroup)
	word(&p.Unit, q.Unit)
	word(&p.Container, q.Container)
}

// containerIn is the container that one component of a cgroup path names. Runtimes give it the container's ID of 64
// hexadecimal digits, bare or as a scope of systemd: docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope. LXC gives it a
// name: lxc.payload.NAME.
func containerIn(part string) string {
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok {
		return name
	}
	const digits = 64
	part = strings.TrimSuffix(part, ".scope")
	at := len(part) - digits
	if at < 0 || at > 0 && part[at-1] != '-' || strings.Trim(part[at:], "0123456789abcdef") != "" {
		return ""
	}
	return part[at:]
}

// InCgroup notes the cgroup, and the unit and container that its path names (systemd's CGROUP_DELEGATION, "one unit, one
// cgroup": the first component below the slices is the unit).
func (p *Process) InCgroup(path string) {
	if path == "" || path == "/" {
		return
	}
	p.Cgroup = path
	for _, part := range strings.Split(path, "/") {
		if p.Unit == "" && (strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope")) {
			p.Unit = part
		}
		if c := containerIn(part); c != "" {
			p.Container = c // the innermost one
		}
	}
}

// ParseCgroup is the path of /proc/PID/cgroup (cgroups(7)): of the unified hierarchy, or where that says nothing of
// systemd's own in version 1.
func ParseCgroup(data string) string {
	best := ""
	for line := range strings.Lines(data) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) < 3 || parts[2] == "/" {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			return parts[2]
		}
		if parts[1] == "name=systemd" {
			best = parts[2]
		}
	}
	return best
}
