package postmortem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Found is one crash that left a trace on this machine: a core, or an entry in the journal.
type Found struct {
	Path      string // of the core; "" when none was kept as a file
	State     State
	Size      int64     // bytes of the file; 0 when it is not there
	Time      time.Time // when the process died, or the file was written where nobody says so; see TimeFrom
	TimeFrom  string    // crash.FromHandler and its like
	Where     string    // what led to it: "kernel.core_pattern", "systemd-coredump", "meshdiag handler", "current folder", "journal"
	Command   string    // process name; "" unknown
	PID       int       // as the machine saw it; 0 unknown
	UID       int       // as the machine saw it; -1 unknown
	Signal    string    // "SIGSEGV"; "" unknown
	Exe       string    // "" unknown
	Unit      string    // "" unknown
	Container string    // "" unknown
}

// State is what became of a core.
type State string

const (
	Present    State = "present"
	Gone       State = "gone"       // it was stored and is no longer there
	Unreadable State = "unreadable" // it is there, and not for this user
	InJournal  State = "in-journal" // stored inside of the journal: coredumpctl dump PID
	NotKept    State = "not-kept"   // it never was stored, as one that is too large
)

// Places are where cores may be. The zero value is this machine.
type Places struct {
	Pattern string  // kernel.core_pattern; "" reads it
	Systemd string  // folder of systemd-coredump; "" is /var/lib/systemd/coredump
	Handler string  // folder of meshdiag handler; "" is the one that kernel.core_pattern names, or else StoreDir
	CWD     string  // "" is the current folder
	Journal Journal // systemd-coredump's entries; "" is this machine's journal
}

const (
	corePatternFile = "/proc/sys/kernel/core_pattern"
	systemdDir      = "/var/lib/systemd/coredump" // built into systemd-coredump
)

// corePattern is this machine's kernel.core_pattern; "" when it cannot be read.
func corePattern() string {
	b, err := os.ReadFile(corePatternFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (p *Places) complete() {
	if p.Pattern == "" {
		p.Pattern = corePattern()
	}
	if p.Systemd == "" {
		p.Systemd = systemdDir
	}
	if p.Handler == "" {
		p.Handler = handlerDir(p.Pattern)
	}
	if p.CWD == "" {
		p.CWD = "."
	}
}

// handlerDir is where meshdiag handler stores cores when it is called by this pattern.
func handlerDir(pattern string) string {
	words := strings.Fields(pattern)
	if !strings.HasPrefix(pattern, "|") || !slices.Contains(words, "handler") {
		return StoreDir
	}
	for i, word := range words {
		if dir, ok := strings.CutPrefix(word, "--dir="); ok {
			return dir
		}
		if (word == "--dir" || word == "-d") && i+1 < len(words) {
			return words[i+1]
		}
	}
	return StoreDir
}

// Find lists the crashes that this user may know of, newest first: cores that can be read, and what the journal tells of
// others. The error says why the journal may know of more; the list is good all the same.
func Find(ctx context.Context, p Places) ([]Found, error) {
	p.complete()
	all := p.files()
	byPath := map[string]*Found{}
	for i := range all {
		if real, err := filepath.Abs(all[i].Path); err == nil {
			byPath[real] = &all[i]
		}
	}
	var others []Found
	entries, err := p.Journal.entries(ctx, "")
	for _, e := range entries {
		f := p.told(&e)
		if known := byPath[f.Path]; known != nil && f.Path != "" {
			known.Unit, known.Container = f.Unit, f.Container
			continue
		}
		others = append(others, f)
	}
	all = append(all, others...)
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time.After(all[j].Time) })
	return all, err
}

// told is a crash that the journal tells of.
func (p *Places) told(e *entry) Found {
	f := Found{Where: "journal", State: NotKept}
	f.from(&e.witness)
	switch {
	case e.inside:
		f.State = InJournal
	case filepath.Dir(e.file) == systemdDir: // systemd-coredump stores nowhere else: what names another file is forged
		f.Path = filepath.Join(p.Systemd, filepath.Base(e.file))
		f.State = Gone
		if info, err := os.Stat(f.Path); err == nil {
			f.State, f.Size = Unreadable, info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			f.State = Unreadable
		}
	}
	return f
}

// files lists the cores that this user can read.
func (p *Places) files() []Found {
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

// look says what a file is if it is a core, or may be one in a compressed form, without reading more than its start where
// somebody noted whose core it is.
func look(path, where string) (Found, bool) {
	f, err := openRegular(path)
	if err != nil {
		return Found{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Found{}, false
	}
	size := uint64(info.Size())
	var head [ehdrSize]byte
	r, _, err := decompressed(f, size)
	if err != nil {
		return Found{}, false
	}
	if n, _ := io.ReadFull(io.NewSectionReader(r, 0, ehdrSize), head[:]); checkIdent(head[:n]) != nil {
		return Found{}, false
	}
	found := Found{Path: path, State: Present, Size: info.Size(), Time: info.ModTime(), TimeFrom: crash.FromFileTime, Where: where, UID: -1}
	w, ok := storedOrigin(f, size)
	if !ok {
		w, ok = xattrs(f)
	}
	if ok && w.command != "" {
		found.from(&w)
	} else {
		found.fromNotes(path)
	}
	return found, true
}

// openRegular opens a file that is none of those which opening alone could do something to.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// from takes over what a witness says.
func (f *Found) from(w *witness) {
	f.Command, f.Exe, f.PID, f.UID, f.Unit, f.Container = w.command, w.exe, w.pid, w.UID, w.Unit, w.Container
	if w.signal > 0 {
		f.Signal = (&crash.Signal{Number: w.signal}).Name()
	}
	if !w.Died.IsZero() {
		f.Time, f.TimeFrom = w.Died, w.DiedFrom
	}
}

// fromNotes opens the core for what nobody noted beside it.
func (f *Found) fromNotes(path string) {
	c, err := Open(path)
	if err != nil {
		return
	}
	defer c.Close()
	p := c.Crash.Process
	f.Command, f.PID, f.Exe, f.UID = c.Name, c.hostPID(), c.Crash.Target.ExePath, p.UID
	if p.HostUID >= 0 {
		f.UID = p.HostUID
	}
	f.Time, f.TimeFrom, f.Unit, f.Container = p.Died, p.DiedFrom, p.Unit, p.Container
	if s := c.Crash.Outcome.Signal; s != nil {
		f.Signal = s.Name()
	}
}

// Newest is the newest core that can be read; the error says where was looked. The journal is not asked, as it has no cores
// beyond those.
func Newest(p Places) (Found, error) {
	p.complete()
	var newest *Found
	all := p.files()
	for i := range all {
		if newest == nil || all[i].Time.After(newest.Time) {
			newest = &all[i]
		}
	}
	if newest == nil {
		return Found{}, errors.New("no core dump was found for this user: " + p.Searched())
	}
	return *newest, nil
}

// Searched says where cores were looked for, and which of these places this user cannot look into.
func (p Places) Searched() string {
	p.complete()
	said := fmt.Sprintf("kernel.core_pattern is %q, %s, %s and %s were searched", p.Pattern, p.Systemd, p.Handler, p.CWD)
	for _, dir := range []string{p.Systemd, p.Handler} {
		if _, err := os.ReadDir(dir); errors.Is(err, fs.ErrPermission) {
			said += "; " + dir + " is not for this user"
		}
	}
	return said
}
