// Package postmortem makes the same observation from an ELF core dump that the tracer makes from a living process: cores
// of the kernel, of gdb's gcore and of meshdiag itself, plain or compressed as systemd-coredump stores them.
//
// Pages are read when they are asked for. A damaged core gives what it has, plus sentences on what is missing.
package postmortem

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Core is an opened core dump.
type Core struct {
	Crash *crash.Crash
	Name  string // process name, at most 15 bytes; "" unknown
	// Systemd is true for a file that systemd-coredump stored: the journal may know more.
	Systemd bool
	file    *os.File
}

// Close releases the file; the Crash's memory is unreadable afterwards.
func (c *Core) Close() error { return c.file.Close() }

// Open reads the headers and notes of a core; Stdin is a path, too. A file that is no core gives a *NotACoreError.
func Open(path string) (*Core, error) {
	if path == Stdin {
		c, err := open(os.Stdin, "")
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		return c, nil
	}
	// Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	c, err := open(f, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// open takes over f, and closes it when it is no core. path is "" for one that has none.
func open(f *os.File, path string) (core *Core, err error) {
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	modified := info.ModTime()
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, &NotACoreError{"this is a directory, not a core dump"}
	case mode&os.ModeDevice != 0:
		return nil, &NotACoreError{"this is a device, not a core dump"}
	case !mode.IsRegular():
		file, err := spooled(f)
		if err != nil {
			return nil, err
		}
		f.Close()
		f, path = file, ""
		if info, err = f.Stat(); err != nil {
			return nil, err
		}
		modified = time.Time{} // when the core was written is not known
	}
	if core, err = read(f, uint64(info.Size()), modified); err != nil {
		return nil, err
	}
	core.file = f
	if path == "" {
		return core, nil // a pipe: no name or time of a file tells of the death
	}
	if real, err := filepath.Abs(path); err == nil {
		path = real
	}
	core.witnesses(f, path, uint64(info.Size()), modified)
	return core, nil
}

// read makes a core of any bytes that can be read at an offset; fileSize is their number.
func read(f io.ReaderAt, fileSize uint64, modified time.Time) (*Core, error) {
	r, size, err := decompressed(f, fileSize)
	if err != nil {
		return nil, err
	}
	h, err := readHeaders(r)
	packed, isPacked := r.(*stream)
	var other *NotACoreError
	switch {
	case err == nil:
	case isPacked && errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &NotACoreError{"the " + packed.kind.name + " stream is cut short before the header of a core"}
	case isPacked && errors.As(err, &other):
		return nil, &NotACoreError{"unpacked, " + other.What}
	default:
		return nil, err
	}
	n := readNotes(r, h.segments)
	if len(n.threads) == 0 {
		return nil, noThread(h, n, size)
	}
	if p, ok := r.(prefetcher); ok {
		p.prefetch(wanted(h.segments, n))
	}
	if isPacked && size == 0 && packed.failed != nil {
		size = packed.end
		if !errors.Is(packed.failed, io.ErrUnexpectedEOF) {
			h.problem("%v", packed.failed)
		}
	}
	c := &Core{Crash: observe(r, size, h, n, modified)}
	if n.process != nil {
		c.Name = n.process.Name
	}
	return c, nil
}

// noThread is what there is to say of a core whose notes have no thread: without registers and signal even the question
// whether the process was well has no answer.
func noThread(h *headers, n *notes, size uint64) error {
	switch {
	case size > 0 && (h.cut || h.expected > size):
		return &NotACoreError{fmt.Sprintf("the core is cut short before its first thread (%d bytes are there): nothing can be said of the process", size)}
	case n.cut:
		return &NotACoreError{"the core is cut short before its first thread: nothing can be said of the process"}
	}
	return &NotACoreError{"the core's notes tell of no thread: they are missing or damaged, and nothing can be said of the process"}
}

// observe turns headers and notes into an observation. size is 0 when it is not known.
func observe(r io.ReaderAt, size uint64, h *headers, n *notes, written time.Time) *crash.Crash {
	c := &crash.Crash{Focus: -1, Memory: newMemory(r, size, h.segments), Auxv: n.auxv}
	c.Target = crash.Target{Source: crash.SourceCore, Arch: "amd64"}
	c.Warnings = append(append(c.Warnings, h.problems...), n.problems...)
	c.Incomplete = len(c.Warnings) > 0
	if size > 0 && h.expected > size {
		c.Incomplete = true
		atLeast := ""
		if h.cut {
			atLeast = "at least "
		}
		c.Warnings = append([]string{fmt.Sprintf("the core is cut short: %s%d bytes were expected and %d are there", atLeast, h.expected, size)}, c.Warnings...)
	}
	threads(c, n)
	c.Process = fromNotes(n)
	mappings(c, h.segments, n, written)
	identify(c, n)
	if n.seen != nil {
		n.seen.apply(c)
	} else {
		c.Panics = interrupted(c)
	}
	return c
}

// processID is the number of the process, 0 unknown. Where NT_PRPSINFO does not tell, it is the lowest of its threads': the first
// thread has it, and numbers rise. That takes all of them.
func processID(n *notes) int {
	if n.process != nil {
		return int(n.process.PID)
	}
	if n.lost {
		return 0
	}
	pid := n.threads[0].TID
	for i := range n.threads {
		pid = min(pid, n.threads[i].TID)
	}
	return pid
}

// threads orders the threads as crash.Crash wants them; the kernel writes the one that died first.
func threads(c *crash.Crash, n *notes) {
	c.Outcome.End = crash.EndRunning
	if len(n.threads) == 0 {
		return
	}
	died := n.threads[0].TID
	c.Target.PID = processID(n)
	c.Threads = n.threads
	sort.SliceStable(c.Threads, func(i, j int) bool {
		a, b := &c.Threads[i], &c.Threads[j]
		if la, lb := a.TID == c.Target.PID, b.TID == c.Target.PID; la != lb {
			return la
		}
		return a.TID < b.TID
	})
	for i := range c.Threads {
		t := &c.Threads[i]
		systemCall(t)
		if t.TID == c.Target.PID && n.process != nil {
			t.Name = n.process.Name
		}
		if t.TID == died && c.Focus < 0 {
			c.Focus = i
		} else {
			// The other threads were stopped by the dump, whatever their notes repeat of the process's signal.
			t.Signal = nil
		}
	}
	if s := c.Threads[c.Focus].Signal; s != nil && fatal(s) {
		c.Outcome = crash.Outcome{End: crash.EndSignal, Signal: s, CoreDumped: true}
		if s.CodeUnknown {
			c.Warnings = append(c.Warnings, fmt.Sprintf("the core does not say why %s was raised: its note of that (NT_SIGINFO) is missing", s.Name()))
		}
	} else {
		c.Threads[c.Focus].Signal = nil
	}
}

// systemCall reads off a thread's registers what it was doing in the kernel when it was stopped for the dump.
func systemCall(t *crash.Thread) {
	if !t.RegsOK {
		return
	}
	waits := false
	if t.Syscall, waits = t.Regs.Syscall(); waits {
		t.State = "S"
	}
}

// fatal tells a signal that made the kernel dump core from one that merely stopped the process for a snapshot.
func fatal(s *crash.Signal) bool {
	switch s.Name() {
	case "SIGQUIT", "SIGILL", "SIGABRT", "SIGFPE", "SIGSEGV", "SIGBUS", "SIGSYS", "SIGXCPU", "SIGXFSZ":
		return true
	case "SIGTRAP":
		return s.IsFault() && !s.CodeUnknown
	}
	return false
}
