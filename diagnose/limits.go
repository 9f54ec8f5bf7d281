package diagnose

import (
	"context"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/lazyregexp"
	"meshdiag/probe"
)

// Words by which programs and libraries report that a limit was reached: the texts of strerror(3), and errno as Rust
// prints it.
var (
	saysFiles = lazyregexp.New(`Too many open files|\bEMFILE\b|\bENFILE\b|os error 2[34]\b`)
	// saysSystemFiles is ENFILE alone: the machine's files are out, not the program's.
	saysSystemFiles = lazyregexp.New(`Too many open files in system|\bENFILE\b|os error 23\b`)
	saysSpace       = lazyregexp.New(`No space left on device|\bENOSPC\b|os error 28\b`)
	saysProcesses   = lazyregexp.New(`Resource temporarily unavailable|failed to spawn thread|[Cc]an(?:no|')t (?:create thread|fork)|fork failed|os error 11\b`)
	saysMemory      = lazyregexp.New(`memory allocation of \d+ bytes failed|std::bad_alloc|os error 12\b`)
	pathIn          = lazyregexp.New(`/[^\s:'"(),;]+`)
)

// says reports whether a line that was printed holds one of the words.
func (w *walk) says(words func() *regexp.Regexp) bool {
	return slices.ContainsFunc(w.end.Output.Lines, func(l crash.OutputLine) bool { return words().MatchString(l.Text) })
}

// failed reports whether the outcome is one that a limit can explain: a healthy program may say what it likes.
func (w *walk) failed() bool { return w.c.Kind != crash.Healthy && w.c.Kind != crash.LaunchFailed }

// suggestsLimits reports whether the program was refused something, or ended by the kernel or somebody who does not say
// why.
func (w *walk) suggestsLimits() bool {
	if !w.failed() {
		return false
	}
	if s := w.end.Outcome.Signal; s != nil {
		switch unix.Signal(s.Number) {
		case unix.SIGKILL, unix.SIGXFSZ:
			return true
		case unix.SIGBUS:
			return s.CodeName() == "BUS_ADRERR"
		}
	}
	if w.c.Stack.Overflow && w.c.Stack.Kind == "main" {
		return true
	}
	return w.points("out-of-memory") || w.says(saysFiles) || w.says(saysSpace) || w.says(saysProcesses) || w.says(saysMemory)
}

func (w *walk) askLimits(context.Context) []probe.Check {
	pid := w.end.Target.PID
	checks := probe.Limits(pid)
	if checks == nil {
		pid = 0
		checks = probe.Limits(pid) // it is gone; what it had it had from us
	}
	killed := w.end.Outcome.Signal != nil && w.end.Outcome.Signal.Number == int(unix.SIGKILL)
	checks = slices.DeleteFunc(checks, func(c probe.Check) bool {
		switch c.ID {
		case probe.CgroupMemory:
			// The group's counter goes back to its beginning: without a victim in this time it tells of others.
			return !c.OK && !w.end.Outcome.OOMKillSeen
		case probe.AddressSpace:
			return !c.OK && killed // that limit refuses, it does not kill
		}
		return false
	})
	if !w.says(saysFiles) {
		checks = withoutCause(checks, probe.OpenFileLimit)
	}
	if w.says(saysFiles) {
		if !w.says(saysSystemFiles) {
			checks = w.filesWereOut(checks, pid)
		}
		checks = append(checks, probe.SystemFiles())
	}
	if w.says(saysProcesses) {
		checks = append(checks, probe.Processes(pid)...)
	}
	checks = append(checks, w.askSpace()...)
	if c, ok := w.grownFile(); ok {
		checks = append(checks, c)
	}
	if slices.Contains(w.options.Probes.Only, ProbeLimits) {
		checks = append(checks, probe.Debugging(pid)...) // no reason for an end, but good to know for who asks
	}
	return checks
}

// filesWereOut replaces a check that passed by one that tells the limit: the program said that it had reached it.
func (w *walk) filesWereOut(checks []probe.Check, pid int) []probe.Check {
	for i := range checks {
		if checks[i].ID != probe.OpenFileLimit || !checks[i].OK {
			continue
		}
		if c, ok := probe.FilesWereOut(pid); ok {
			checks[i] = c
		}
	}
	return checks
}

// withoutCause keeps a failed check as a fact that points to nothing: the program never spoke of it.
func withoutCause(checks []probe.Check, id string) []probe.Check {
	for i := range checks {
		if checks[i].ID == id {
			checks[i].Cause, checks[i].Kind = "", ""
		}
	}
	return checks
}

// askSpace looks for a full file system: where the program says so among the paths that it names and has open, after a
// SIGBUS behind the mapping.
func (w *walk) askSpace() []probe.Check {
	if m, ok := w.busMapping(); ok {
		return probe.Space([]string{m.Path}, "truncated-mapping", "no-space")
	}
	if !w.says(saysSpace) {
		return nil
	}
	var paths []string
	for _, l := range w.end.Output.Lines {
		if saysSpace().MatchString(l.Text) {
			paths = append(paths, pathIn().FindAllString(l.Text, 4)...)
		}
	}
	return probe.Space(append(paths, append(probe.OpenFiles(w.end.Target.PID), "/tmp")...), "exit-failure", "no-space")
}

// busMapping is the file mapping in which a SIGBUS found no memory, although the file is long enough.
func (w *walk) busMapping() (*crash.Mapping, bool) {
	s := w.end.Outcome.Signal
	if s == nil || s.Number != int(unix.SIGBUS) || s.CodeName() != "BUS_ADRERR" {
		return nil, false
	}
	m, ok := w.end.MappingAt(s.Address)
	if !ok || m.Path == "" || m.Path[0] != '/' || m.Deleted || m.FileSize >= 0 && uint64(m.FileSize) <= s.Address-m.Start+m.Offset {
		return nil, false
	}
	return m, true
}

// grownFile is the file that a write beyond RLIMIT_FSIZE went to.
func (w *walk) grownFile() (probe.Check, bool) {
	s, t := w.end.Outcome.Signal, w.end.FocusThread()
	if s == nil || s.Number != int(unix.SIGXFSZ) || t == nil || t.Syscall == nil {
		return probe.Check{}, false
	}
	switch t.Syscall.Number {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE:
		return probe.FileSize(w.end.Target.PID, int(int32(t.Syscall.Args[0])))
	}
	return probe.Check{}, false
}
