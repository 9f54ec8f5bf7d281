package postmortem

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/lazyregexp"
)

// A core's own notes tell a process's IDs and not when or where it died. Others wrote that down: the handler behind the core
// it stored, systemd-coredump in the file's attributes and the journal, and the names that all of them give to files. Each
// is a witness, and the first one that knows a thing is believed.

// witness is what one of them says. Its PID is as the machine saw it, which tells whether it speaks of the core's process.
type witness struct {
	crash.Process
	pid     int // 0 unknown
	signal  int // 0 unknown
	command string
	exe     string
}

// newWitness is one that says nothing.
func newWitness() witness { return witness{Process: *crash.UnknownProcess()} }

// fromNotes is what the notes of the core say.
func fromNotes(n *notes) *crash.Process {
	p := crash.UnknownProcess()
	switch {
	case n.process != nil:
		p.PPID, p.UID, p.GID = int(n.process.PPID), userID(n.process.UID), userID(n.process.GID)
	case n.parent > 0:
		p.PPID = n.parent
	}
	return p
}

// userID is -1 for the ID that is nobody's.
func userID(id uint32) int {
	if id == ^uint32(0) {
		return -1
	}
	return int(id)
}

// add takes over what a witness knows and the core did not, unless it speaks of another process. pid is the core's own, 0
// when it is not known.
func (w *witness) add(p *crash.Process, pid int) {
	said := w.Process
	if w.pid != pid {
		said.HostPID = w.pid
	}
	// IDs of a witness are the machine's.
	if p.UID >= 0 && w.UID >= 0 && w.UID != p.UID {
		said.HostUID = w.UID
	}
	p.AddMissing(&said)
}

// xattrs reads what systemd-coredump gave the file (systemd, src/coredump/coredump.c).
func xattrs(f *os.File) (w witness, ok bool) {
	w = newWitness()
	get := func(name string) string {
		var b [4096]byte
		n, err := unix.Fgetxattr(int(f.Fd()), "user.coredump."+name, b[:])
		if err != nil {
			return ""
		}
		return string(b[:n])
	}
	w.pid = number(get("pid"), 0)
	if w.pid <= 0 {
		return w, false
	}
	w.command, w.exe, w.Hostname = unescapeComm(get("comm")), get("exe"), get("hostname")
	w.UID, w.GID, w.signal = number(get("uid"), -1), number(get("gid"), -1), number(get("signal"), 0)
	w.at(unixTime(get("timestamp")), crash.FromXattr)
	return w, true
}

func (w *witness) at(t time.Time, from string) {
	if !t.IsZero() {
		w.Died, w.DiedFrom = t, from
	}
}

// number is a decimal number, or otherwise when it is none that an ID or signal can be.
func number(s string, otherwise int) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return otherwise
	}
	return int(n)
}

// unixTime reads seconds or, as systemd writes them, microseconds since 1970; the zero time when s is neither.
func unixTime(s string) time.Time {
	const year5138 = 1e11 // in seconds; in microseconds it is March 1973
	n, err := strconv.ParseInt(s, 10, 62)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n < year5138:
		return time.Unix(n, 0)
	}
	return time.UnixMicro(n)
}

// systemdName is a file of systemd-coredump: core.COMM.UID.BOOT-ID.PID.MICROSECONDS and the suffix of its compression.
var systemdName = lazyregexp.New(`^core\.(.*)\.([0-9]+)\.[0-9a-f]{32}\.([0-9]+)\.([0-9]+)(?:\.(?:zst|lz4|xz))?$`)

// named is what the name of a core's file says, by the form that systemd-coredump or meshdiag handler gives to names, or by
// kernel.core_pattern when the file lies where that leads.
func named(path, pattern string) (w witness, ok bool) {
	w = newWitness()
	base := filepath.Base(path)
	if strings.HasPrefix(base, "core.") && strings.Count(base, ".") >= 5 {
		m := systemdName().FindStringSubmatch(base)
		if m == nil {
			return byPattern(path, pattern)
		}
		w.command, w.UID, w.pid = m[1], number(m[2], -1), number(m[3], 0)
		w.at(unixTime(m[4]), crash.FromFileName)
		return w, true
	}
	if strings.HasSuffix(base, coreSuffix) {
		m := storedFile().FindStringSubmatch(base)
		if m == nil {
			return byPattern(path, pattern)
		}
		fields := strings.Split(m[1], ".")
		w.pid = number(fields[len(fields)-2], 0)
		w.at(unixTime(m[2]), crash.FromFileName)
		return w, true
	}
	return byPattern(path, pattern)
}

// specifiers of a core pattern (core(5)) that have a form, by letter. The others stand for anything but a slash.
var specifiers = map[byte]string{'p': `[0-9]+`, 'P': `[0-9]+`, 'i': `[0-9]+`, 'I': `[0-9]+`, 'u': `[0-9]+`, 'g': `[0-9]+`,
	'd': `[0-9]+`, 's': `[0-9]+`, 't': `[0-9]+`, 'c': `[0-9]+`, 'C': `[0-9]+`}

// byPattern reads the fields of a file name that kernel.core_pattern made.
func byPattern(path, pattern string) (w witness, ok bool) {
	w = newWitness()
	if pattern == "" || pattern[0] == '|' || !strings.Contains(pattern, "%") {
		return w, false
	}
	var re strings.Builder
	var letters []byte
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c != '%' || i+1 == len(pattern) {
			re.WriteString(regexp.QuoteMeta(string(c)))
			continue
		}
		i++
		if pattern[i] == '%' {
			re.WriteByte('%')
			continue
		}
		form, ok := specifiers[pattern[i]]
		if !ok {
			form = `[^/]*`
		}
		re.WriteString("(" + form + ")")
		letters = append(letters, pattern[i])
	}
	anchor := "^"
	if !filepath.IsAbs(pattern) {
		anchor = "(?:^|/)"
	}
	compiled, err := regexp.Compile(anchor + re.String() + `(?:\.[0-9]+)?$`) // kernel.core_uses_pid adds the last part
	if err != nil {
		return w, false
	}
	m := compiled.FindStringSubmatch(path)
	if m == nil {
		return w, false
	}
	for i, letter := range letters {
		w.field(letter, m[i+1])
	}
	return w, true
}

func (w *witness) field(letter byte, s string) {
	switch letter {
	case 'P':
		w.pid = number(s, 0)
	case 'p':
		if w.pid == 0 {
			w.pid = number(s, 0)
		}
	case 'u':
		w.UID = number(s, -1)
	case 'g':
		w.GID = number(s, -1)
	case 's':
		w.signal = number(s, 0)
	case 't':
		w.at(unixTime(s), crash.FromFileName)
	case 'h':
		w.Hostname = s
	case 'e', 'f':
		w.command = s
	case 'E':
		w.exe = strings.ReplaceAll(s, "!", "/")
	}
}

// witnesses asks the file itself, its attributes and its name whose core it is, and at last when it was written.
func (c *Core) witnesses(f *os.File, path string, size uint64, modified time.Time) {
	p, pid := c.Crash.Process, c.Crash.Target.PID
	var all []witness
	if w, ok := storedOrigin(f, size); ok {
		all = append(all, w)
	}
	if w, ok := xattrs(f); ok {
		all = append(all, w)
		c.Systemd = true
	}
	c.Systemd = c.Systemd || filepath.Dir(path) == systemdDir
	if w, ok := named(path, corePattern()); ok && (w.pid == 0 || pid == 0 || w.pid == pid || agree(all, w.pid)) {
		all = append(all, w) // a name with the number of another process says nothing of this one
	}
	for i := range all {
		all[i].add(p, pid)
	}
	if p.Died.IsZero() {
		p.Died, p.DiedFrom = modified, crash.FromFileTime
	}
}

// agree reports whether one of the witnesses knows the process by this number; in a container it is not the core's.
func agree(all []witness, pid int) bool {
	return slices.ContainsFunc(all, func(w witness) bool { return w.pid == pid })
}
