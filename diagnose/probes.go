package diagnose

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/lazyregexp"
	"meshdiag/probe"
	"meshdiag/profile"
)

// The probes of the world outside, as --probe names them.
const (
	ProbeArtefact = "artefact"
	ProbeDatabase = "database"
	ProbeLimits   = "limits"
	ProbeLoader   = "loader"
	ProbePorts    = "ports"
)

// ProbeNames lists them.
var ProbeNames = []string{ProbeArtefact, ProbeDatabase, ProbeLimits, ProbeLoader, ProbePorts}

// Probes say which probes run. The zero value leaves it to the outcome: only the artefact's, which costs a few stat calls,
// runs always.
type Probes struct {
	Off  bool     // none at all
	Only []string // these, whatever the outcome suggests, and no others; empty leaves it to the outcome
}

// probeTimeout bounds all probes together: they run beside each other while the program stands frozen.
const probeTimeout = 6 * time.Second

// checks asks the world outside. A core tells of another time and maybe another machine: for it nothing is asked.
func (w *walk) checks() []heuristics.Check {
	if w.options.Probes.Off || w.end.Target.Source != crash.SourceLive {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	asked := []struct {
		name      string
		suggested func() bool
		ask       func(context.Context) []probe.Check
	}{
		{ProbeArtefact, func() bool { return true }, w.askArtefact},
		{ProbeDatabase, w.suggestsDatabase, w.askDatabase},
		{ProbePorts, w.suggestsPorts, w.askPorts},
		{ProbeLimits, w.suggestsLimits, w.askLimits},
		{ProbeLoader, w.suggestsLoader, w.askLoader},
	}
	answers := make([][]probe.Check, len(asked))
	var all sync.WaitGroup
	only := w.options.Probes.Only
	for i, a := range asked {
		if len(only) > 0 && !slices.Contains(only, a.name) || len(only) == 0 && !a.suggested() {
			continue
		}
		all.Go(func() { answers[i] = a.ask(ctx) })
	}
	all.Wait()
	var out []heuristics.Check
	for _, answer := range answers {
		for _, c := range answer {
			out = append(out, heuristics.Check(c))
		}
	}
	return out
}

func (w *walk) points(cause string) bool {
	for i := range w.c.Messages {
		if w.c.Messages[i].Cause == cause {
			return true
		}
	}
	return false
}

// suggestsDatabase reports whether the outcome could be the database's doing: it was spoken of, or a program that is known
// to use one gave up or waits for somebody.
func (w *walk) suggestsDatabase() bool {
	if w.points("database") {
		return true
	}
	uses := w.prof != nil && w.prof.Database != nil ||
		slices.ContainsFunc(w.end.Target.Env, func(e string) bool {
			return strings.Contains(e, "=postgres://") || strings.Contains(e, "=postgresql://")
		})
	switch w.c.Kind {
	case crash.Exited:
		return uses
	case crash.Hung:
		return uses && slices.ContainsFunc(w.end.Threads, waitsForPeer)
	}
	return false
}

// waitsForPeer reports whether a thread waits for somebody at the other end of a connection.
func waitsForPeer(t crash.Thread) bool {
	if t.Syscall == nil {
		return false
	}
	switch t.Syscall.Number {
	case unix.SYS_CONNECT, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_READ, unix.SYS_READV, unix.SYS_POLL, unix.SYS_PPOLL,
		unix.SYS_SELECT, unix.SYS_PSELECT6, unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT:
		return true
	}
	return false
}

func (w *walk) askDatabase(ctx context.Context) []probe.Check {
	var want *profile.Database
	var names []string
	if w.prof != nil && w.prof.Database != nil {
		want, names = w.prof.Database, w.prof.Database.Env
	}
	constants := probe.ReadConstants(w.executable())
	url, variable := constants.DatabaseURL(w.end.Target.Env, names)
	if url == "" {
		return nil
	}
	checks := probe.Database(ctx, probe.Use{URL: url, Variable: variable, Want: want, Days: w.partitionsFrom(want), Constants: constants})
	from := "a constant in the executable"
	if variable != "" {
		from = "the environment variable " + variable
	}
	checks[0].Detail += " (the program has the address from " + from + ")"
	return checks
}

// executable is a path by which the target's file can be read even when it was replaced.
func (w *walk) executable() string {
	if w.end.Target.ExePath != "" {
		return w.end.Target.ExePath
	}
	return w.end.Target.Path
}

// partitionsFrom is the day from which on partitions must exist: the program makes them itself in one of its start-up
// steps, so before it is past that step nothing can be expected.
func (w *walk) partitionsFrom(want *profile.Database) time.Time {
	if want == nil || want.Partitions.Table == "" {
		return time.Time{}
	}
	came := false
	for _, s := range w.c.Startup.Steps {
		came = came || s.ID == want.Partitions.After
		if came && s.Seen {
			return time.Now().UTC()
		}
	}
	return time.Time{}
}

func (w *walk) suggestsPorts() bool {
	_, lost := w.lostPeer()
	return lost || w.points("port-in-use")
}

// lostPeer is the descriptor that a thread was writing to when SIGPIPE came.
func (w *walk) lostPeer() (fd int, ok bool) {
	s, t := w.end.Outcome.Signal, w.end.FocusThread()
	if s == nil || s.Number != int(unix.SIGPIPE) || t == nil || t.Syscall == nil {
		return 0, false
	}
	switch t.Syscall.Number {
	case unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_SENDFILE:
		return int(int32(t.Syscall.Args[0])), true
	case unix.SYS_SPLICE:
		return int(int32(t.Syscall.Args[2])), true
	}
	return 0, false
}

// portIn finds the port in a line about an address that is in use: the last number behind a colon.
var portIn = lazyregexp.New(`:(\d{1,5})\b`)

func (w *walk) askPorts(context.Context) []probe.Check {
	var out []probe.Check
	asked := map[int]bool{}
	ask := func(port int, what, kind string) {
		if port > 0 && port < 1<<16 && !asked[port] {
			asked[port] = true
			out = append(out, probe.PortFree(port, w.end.Target.PID, what, kind))
		}
	}
	if fd, ok := w.lostPeer(); ok {
		if c, ok := probe.Peer(w.end.Target.PID, fd); ok {
			out = append(out, c)
		}
	}
	for i := range w.c.Messages {
		m := &w.c.Messages[i]
		found := portIn().FindAllStringSubmatch(m.Line.Text, -1)
		if m.Cause != "port-in-use" || len(found) == 0 {
			continue
		}
		port, _ := strconv.Atoi(found[len(found)-1][1])
		kind := m.Kind
		if kind == "" {
			kind = "other"
		}
		ask(port, w.serverOn(port), kind)
	}
	return out
}

// serverOn names the server of the profile that listens on a port.
func (w *walk) serverOn(port int) string {
	if w.prof != nil {
		for _, s := range w.prof.Servers {
			if probe.ServerPort(s, w.end.Target.Env) == port {
				return s.Title
			}
		}
	}
	return "program"
}
