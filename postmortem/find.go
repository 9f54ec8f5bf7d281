package postmortem

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Found is one core dump that is on this machine.
type Found struct {
	Path    string
	Size    int64
	Time    time.Time
	Where   string // what led to it: "kernel.core_pattern", "systemd-coredump", "meshdiag handler", "current folder"
	Command string // process name; "" unknown
	PID     int    // 0 unknown
	Signal  string // "SIGSEGV"; "" unknown
	Exe     string // "" unknown
}

// Places are where cores may be. The zero value is this machine.
type Places struct {
	Pattern string // kernel.core_pattern; "" reads it
	Systemd string // folder of systemd-coredump; "" is /var/lib/systemd/coredump
	Handler string // folder of meshdiag handler; "" is StoreDir
	CWD     string // "" is the current folder
}

const corePatternFile = "/proc/sys/kernel/core_pattern"

func (p *Places) complete() {
	if p.Pattern == "" {
		if b, err := os.ReadFile(corePatternFile); err == nil {
			p.Pattern = strings.TrimSpace(string(b))
		}
	}
	if p.Systemd == "" {
		p.Systemd = "/var/lib/systemd/coredump"
	}
	if p.Handler == "" {
		p.Handler = StoreDir
	}
	if p.CWD == "" {
		p.CWD = "."
	}
}

// Find lists the cores that this user can read, newest first.
func Find(p Places) []Found {
	p.complete()
	seen := map[string]bool{}
	var all []Found
	add := func(where, glob string) {
		paths, _ := filepath.Glob(glob)
		for _, path := range paths {
			if real, err := filepath.Abs(path); err == nil && !seen[real] {
				seen[real] = true
				if f, ok := look(path, where); ok {
					all = append(all, f)
				}
			}
		}
	}
	if p.Pattern != "" && !strings.HasPrefix(p.Pattern, "|") {
		pattern := globOf(p.Pattern)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(p.CWD, pattern)
		}
		add("kernel.core_pattern", pattern)
		add("kernel.core_pattern", pattern+".[0-9]*") // kernel.core_uses_pid
	}
	add("systemd-coredump", filepath.Join(p.Systemd, "core.*"))
	add("meshdiag handler", filepath.Join(p.Handler, "*"+coreSuffix))
	for _, glob := range []string{"core", "core.*", "*.core", "*.core.zst"} {
		add("current folder", filepath.Join(p.CWD, glob))
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time.After(all[j].Time) })
	return all
}

// globOf turns the specifiers of a core pattern (core(5)) into wildcards, and keeps its own special characters literal.
func globOf(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '%' && i+1 < len(pattern):
			i++
			if pattern[i] == '%' {
				b.WriteByte('%')
			} else {
				b.WriteByte('*')
			}
		case strings.IndexByte(`*?[\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// look says what a file is if it is a core, or may be one in a compressed form, without reading more than its start.
func look(path, where string) (Found, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return Found{}, false
	}
	f, err := os.Open(path)
	if err != nil {
		return Found{}, false
	}
	defer f.Close()
	found := Found{Path: path, Size: info.Size(), Time: info.ModTime(), Where: where}
	var head [ehdrSize]byte
	r, _, err := decompressed(f, uint64(info.Size()))
	if err != nil {
		return Found{}, false
	}
	if n, _ := io.ReadFull(io.NewSectionReader(r, 0, ehdrSize), head[:]); checkIdent(head[:n]) != nil {
		return Found{}, false
	}
	found.attributes(path)
	if found.Command == "" {
		found.fromNotes(path)
	}
	return found, true
}

// attributes reads what systemd-coredump stores as extended attributes of the file (systemd src/coredump).
func (f *Found) attributes(path string) {
	get := func(name string) string {
		var b [4096]byte
		n, err := unix.Getxattr(path, "user.coredump."+name, b[:])
		if err != nil {
			return ""
		}
		return string(b[:n])
	}
	f.Command, f.Exe = get("comm"), get("exe")
	f.PID, _ = strconv.Atoi(get("pid"))
	if n, err := strconv.Atoi(get("signal")); err == nil {
		f.Signal = (&crash.Signal{Number: n}).Name()
	}
}

// fromNotes opens the core for what the attributes did not tell.
func (f *Found) fromNotes(path string) {
	c, err := Open(path)
	if err != nil {
		return
	}
	defer c.Close()
	f.Command, f.PID, f.Exe = c.Name, c.Crash.Target.PID, c.Crash.Target.ExePath
	if s := c.Crash.Outcome.Signal; s != nil {
		f.Signal = s.Name()
	}
}

// Newest is the newest core that can be found; the error says where was looked.
func Newest(p Places) (Found, error) {
	if all := Find(p); len(all) > 0 {
		return all[0], nil
	}
	p.complete()
	return Found{}, fmt.Errorf("no core dump was found for this user: kernel.core_pattern is %q, %s, %s and %s were searched", p.Pattern, p.Systemd, p.Handler, p.CWD)
}
