package diagnose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/probe"
	"meshdiag/profile"
	"meshdiag/report"
	"meshdiag/symbols"
	"meshdiag/tracer"
)

// VerifyOptions say what to boot and how long to wait.
type VerifyOptions struct {
	Options
	Path     string
	Args     []string
	Boot     time.Duration     // for the program's servers to listen
	Settle   time.Duration     // how long it must stay well after that
	Keep     bool              // let it run on when all holds
	Stdout   *os.File          // where the target's output goes
	Progress func(what string) // told before each check; nil for none
}

// Verified is one thing that must hold of a good boot.
type Verified struct {
	ID     string   `json:"id"`
	OK     bool     `json:"ok"`
	Detail string   `json:"detail"`
	AtS    *float64 `json:"at_s"` // of a start-up message: since launch
	Next   []string `json:"next"`
}

// Verification is the result of a boot.
type Verification struct {
	Target string
	Checks []Verified
	BootS  float64        // until its servers listened; 0 when they never did
	Kept   int            // process that was left running; 0 none
	Report *report.Report // of its end
}

// OK reports whether all holds.
func (v *Verification) OK() bool {
	return len(v.Checks) > 0 && !v.failed()
}

func (v *Verification) failed() bool {
	return slices.ContainsFunc(v.Checks, func(c Verified) bool { return !c.OK })
}

// endTimeout is how long a program may take to end by itself after SIGTERM.
const endTimeout = 2 * time.Second

// Verify boots a program under the tracer, checks what a person would check by hand, and ends it, or lets it run on. What
// must hold is the profile's data.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	prof, err := profileOf(o.Profile, o.Path)
	if err != nil {
		return nil, err
	}
	v := verifier{o: o, prof: prof, env: os.Environ(), exe: o.Path, launched: make(chan int, 1), done: make(chan struct{}), leave: make(chan struct{}), result: Verification{Target: o.Path}}
	if path, err := exec.LookPath(o.Path); err == nil {
		v.exe = path
	}
	if o.Progress == nil {
		v.o.Progress = func(string) {}
	}
	resolve, err := panicResolver(o.Profile)
	if err != nil {
		return nil, err
	}
	before := v.freePorts()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	how := tracer.Options{Path: o.Path, Args: o.Args, Stdout: o.Stdout, Stderr: o.Stdout,
		Breakpoints: panicSymbols, Resolve: resolve, Inspect: v.inspect, Leave: v.leave,
		Launched: func(pid int) { v.launched <- pid }}
	if o.Keep { // a program that outlives us has no terminal to read from
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		defer null.Close()
		how.Stdin = null
	}
	var failed error
	go func() {
		defer close(v.done)
		_, failed = tracer.Run(ctx, how)
	}()
	v.boot(ctx, before)
	v.world(ctx)
	v.settle(ctx)
	v.end(cancel)
	if err := errors.Join(failed, v.failed); err != nil {
		return nil, err
	}
	v.story()
	v.result.Report = v.rep
	if v.left {
		v.keepIfWell()
	}
	return &v.result, nil
}

// profileOf is the profile that was asked for, or the one of the executable's runtime.
func profileOf(name, path string) (*profile.Profile, error) {
	if name != "" {
		return profile.Load(name)
	}
	return profile.Recognise(func(symbol string) bool {
		found, err := symbols.FileSymbols(path, []string{symbol})
		return err == nil && len(found) > 0
	}, nil), nil
}

// verifier carries one boot.
type verifier struct {
	o        VerifyOptions
	prof     *profile.Profile
	env      []string
	exe      string // the program's file
	pid      int
	launched chan int        // its process, once
	taken    map[string]bool // servers whose port another process held before the launch
	alive    bool            // it lived until then
	done     chan struct{}   // closed when the program is gone, or left
	leave    chan struct{}   // closed to let it go
	left     bool
	crew     map[int]string // its threads when its servers listened, with their names
	result   Verification

	// Set by inspect, read after done.
	walk   *walk
	rep    *report.Report
	failed error
}

func (v *verifier) add(c Verified) { v.result.Checks = append(v.result.Checks, c) }

func verified(c probe.Check) Verified {
	return Verified{ID: c.ID, OK: c.OK, Detail: said(c.Detail), Next: c.Next}
}

func (v *verifier) servers() []profile.Server {
	if v.prof == nil {
		return nil
	}
	return v.prof.Servers
}

// freePorts looks at the ports before the program is launched.
func (v *verifier) freePorts() (checks []probe.Check) {
	v.taken = map[string]bool{}
	for _, s := range v.servers() {
		c := probe.PortFree(probe.ServerPort(s, v.env), 0, s.Title, "other")
		v.taken[s.ID] = !c.OK
		checks = append(checks, c)
	}
	return checks
}

// boot waits until the servers listen that can.
func (v *verifier) boot(ctx context.Context, before []probe.Check) {
	v.o.Progress("the program starts")
	for _, c := range before {
		v.add(verified(c))
	}
	begin := time.Now()
	deadline := begin.Add(v.o.Boot)
	for time.Now().Before(deadline) {
		if v.pid == 0 {
			select {
			case v.pid = <-v.launched:
			default:
			}
		}
		if v.pid != 0 && v.listening() {
			v.result.BootS = time.Since(begin).Seconds()
			v.crew = threadNames(v.pid)
			return
		}
		if v.over(ctx, 20*time.Millisecond) {
			return
		}
	}
}

// over waits, and reports whether the program is gone or the user wants to stop.
func (v *verifier) over(ctx context.Context, wait time.Duration) bool {
	select {
	case <-v.done:
	case <-ctx.Done():
	case <-time.After(wait):
	}
	select { // of several that are ready select takes any
	case <-v.done:
		return true
	default:
		return ctx.Err() != nil
	}
}

func (v *verifier) listening() bool {
	for _, s := range v.servers() {
		if !v.taken[s.ID] && !probe.Listens(v.pid, probe.ServerPort(s, v.env)) {
			return false
		}
	}
	return true
}

// world asks the servers and the database.
func (v *verifier) world(ctx context.Context) {
	for _, s := range v.servers() {
		v.o.Progress("the " + s.Title + " answers")
		v.add(verified(probe.Serves(ctx, s, probe.ServerPort(s, v.env), v.pid)))
	}
	v.database(ctx)
}

// database asks the program's database: for what the profile says, and for what its SQL names. A program of whose database
// nothing is known has one if it has a URL.
func (v *verifier) database(ctx context.Context) {
	var want *profile.Database
	var names []string
	if v.prof != nil && v.prof.Database != nil {
		want, names = v.prof.Database, v.prof.Database.Env
	}
	constants := probe.ReadConstants(v.exe)
	url, variable := constants.DatabaseURL(v.env, names)
	if url == "" {
		if want != nil {
			v.add(Verified{ID: "database-url", Detail: "no database URL was found in the program or its environment"})
		}
		return
	}
	v.o.Progress("the database has what the program needs")
	for _, c := range probe.Database(ctx, probe.Use{URL: url, Variable: variable, Want: want, Days: time.Now().UTC(), Constants: constants}) {
		v.add(verified(c))
	}
}

// settle waits whether it stays well.
func (v *verifier) settle(ctx context.Context) {
	v.o.Progress("it stays alive for " + v.o.Settle.String())
	v.alive = !v.over(ctx, v.o.Settle)
	if v.alive && v.prof != nil && v.prof.Verify.ThreadsStay && v.crew != nil {
		v.add(v.threads())
	}
}

// threads checks that nobody of those who were there when the servers listened is gone: a worker may end without a word.
func (v *verifier) threads() Verified {
	now := threadNames(v.pid)
	var gone []string
	for tid, name := range v.crew {
		if _, there := now[tid]; !there {
			gone = append(gone, fmt.Sprintf("%d (%s)", tid, name))
		}
	}
	slices.Sort(gone)
	if len(gone) == 0 {
		return Verified{ID: "threads", OK: true, Detail: fmt.Sprintf("all %d threads of its start-up are there", len(v.crew))}
	}
	return Verified{ID: "threads", Detail: said(fmt.Sprintf("%d of the %d threads of its start-up ended while it ran: %s", len(gone), len(v.crew), strings.Join(gone, ", "))),
		Next: []string{"a worker that ends leaves its work undone: look at what it printed last (--output-too)"}}
}

// threadNames are the threads of a process; nil when it is gone.
func threadNames(pid int) map[int]string {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	names := map[int]string{}
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid))
		names[tid] = strings.TrimSpace(string(name))
	}
	return names
}

// end ends the program, politely, then not; or lets it go while all holds.
func (v *verifier) end(kill func()) {
	if v.o.Keep && v.alive && v.pid != 0 && !v.result.failed() {
		close(v.leave)
		<-v.done
		v.left = v.failed == nil && v.walk != nil && v.walk.end.Outcome.End == crash.EndRunning
		return
	}
	if v.alive && v.pid != 0 {
		_ = unix.Kill(v.pid, unix.SIGTERM) // it may just have ended by itself
		select {
		case <-v.done:
		case <-time.After(endTimeout):
		}
	}
	kill()
	<-v.done
}

// keepIfWell ends a program that was let go when what it had printed does not hold.
func (v *verifier) keepIfWell() {
	if v.result.OK() {
		v.result.Kept = v.pid
		return
	}
	_ = unix.Kill(v.pid, unix.SIGTERM)
	for deadline := time.Now().Add(endTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got, err := unix.Wait4(v.pid, nil, unix.WNOHANG, nil); got == v.pid || err != nil {
			return
		}
	}
	_ = unix.Kill(v.pid, unix.SIGKILL)
}

// inspect reads the program's whole life at its end.
func (v *verifier) inspect(c *crash.Crash) {
	o := v.o.Options
	o.Probes.Off = true // they were asked while it lived
	w := &walk{crash: view(c), end: c, options: o}
	if c.Outcome.End == crash.EndLaunchFailed {
		v.rep = w.launchFailed()
		return
	}
	if v.failed = w.names(context.Background()); v.failed != nil {
		return
	}
	w.story()
	w.fault()
	w.causes()
	v.walk, v.rep = w, w.report()
}

// story checks what the program said and how it was at its end.
func (v *verifier) story() {
	var told []Verified
	if v.walk != nil {
		told = append(v.steps(), v.said()...)
	}
	v.result.Checks = append(told, v.result.Checks...)
	alive := Verified{ID: "alive", OK: v.alive, Detail: fmt.Sprintf("it was still alive %v after its start-up", v.o.Settle)}
	if !v.alive {
		alive.Detail = "it ended by itself"
		if v.rep != nil && v.rep.Outcome.Detail != nil {
			alive.Detail = strings.TrimSuffix(*v.rep.Outcome.Detail, ".")
		}
		if bad := v.reason(); bad != nil {
			alive.Detail += ", see " + bad.ID
		} else if v.rep != nil && len(v.rep.Causes) > 0 {
			if v.rep.Outcome.Kind == "killed" {
				alive.Detail = v.rep.Causes[0].Title // it names the sender, as the detail does
			} else {
				alive.Detail += ": " + v.rep.Causes[0].Title
			}
			alive.Next = v.rep.Causes[0].Next
		}
	}
	v.add(alive)
}

// reason is the failed check of the world that the cause of its end points to; nil for none.
func (v *verifier) reason() *Verified {
	if v.rep == nil || len(v.rep.Causes) == 0 {
		return nil
	}
	prefix := map[string]string{"database": "database-", "port-in-use": "server-"}[v.rep.Causes[0].ID]
	for i := range v.result.Checks {
		if c := &v.result.Checks[i]; prefix != "" && !c.OK && strings.HasPrefix(c.ID, prefix) {
			return c
		}
	}
	return nil
}

// steps are the start-up messages that a run must print, in their order.
func (v *verifier) steps() []Verified {
	var out []Verified
	latest := time.Duration(-1)
	for _, s := range v.walk.c.Startup.Steps {
		c := Verified{ID: "startup-" + s.ID, OK: s.Seen, Detail: said(s.Message)}
		switch {
		case !s.Seen && s.Optional:
			continue
		case !s.Seen:
			c.Detail = "never printed: " + c.Detail
		case s.At < latest:
			c.OK, c.Detail = false, "printed before the message that should come first: "+c.Detail
		}
		if s.Seen {
			c.AtS = seconds(s.At.Seconds())
			latest = max(latest, s.At)
		}
		out = append(out, c)
	}
	return out
}

// said checks that nothing that the program printed tells of a failure or a panic. A panic in a worker thread ends that
// thread alone, so it counts whether it was caught or not.
func (v *verifier) said() []Verified {
	errs := Verified{ID: "no-error", OK: true, Detail: "it printed no failure"}
	for i := range v.walk.c.Messages {
		m := &v.walk.c.Messages[i]
		if m.Meaning == profile.MeansFailure || m.Meaning == profile.MeansWarning || m.Fatal {
			errs = Verified{ID: "no-error", Detail: "it printed: " + said(m.Line.Text), Next: m.Next}
			break
		}
	}
	panics := Verified{ID: "no-panic", OK: true, Detail: "no panic was seen, so no worker thread died of one"}
	if ps := v.walk.c.Panics; len(ps) > 0 {
		panics.OK, panics.Detail = false, "a panic was seen: "+said(panicWords(&ps[0]))
	}
	return []Verified{errs, panics}
}

func panicWords(p *heuristics.PanicSite) string {
	words := p.Message
	if words == "" {
		words = "its words were not printed"
	}
	if p.Caught {
		words += " (caught)"
	}
	return words
}
