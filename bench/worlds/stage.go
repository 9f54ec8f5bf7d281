package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"meshdiag/lab"
	"meshdiag/report"
)

// world is something wrong outside a sound program, and what the report must say of it.
type world struct {
	name   string
	make   func(s *site) error // arranges it
	cause  string              // id, or id/kind, of the first cause
	says   string              // in the first cause, its evidence, a failed check or a warning
	typed  string              // in what to do next
	absent string              // what is missing, which may be blamed; nothing else may
}

// stage is what the worlds share: one server, one program.
type stage struct {
	meshdiag string
	keep     string // folder for reports; "" for none
	dir      string // which every user may read
	pg       *lab.Postgres

	mu     sync.Mutex
	clones map[string]*clone
}

type clone struct {
	once sync.Once
	pg   *lab.Postgres
	err  error
}

func newStage(ctx context.Context, meshdiag string) (*stage, error) {
	dir, err := os.MkdirTemp("", "meshdiag-worlds-")
	if err != nil {
		return nil, err
	}
	s := &stage{meshdiag: meshdiag, dir: dir, clones: map[string]*clone{}}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if s.pg, err = lab.StartPostgres(ctx); err != nil {
		s.close()
		return nil, err
	}
	if err := s.pg.Backup(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	for _, c := range s.clones {
		c.pg.Stop()
	}
	s.pg.Stop()
	_ = os.RemoveAll(s.dir)
}

// clone is a second server, made when the first world asks for it.
func (s *stage) clone(ctx context.Context, name string, change func() (lab.Change, error)) (*lab.Postgres, error) {
	s.mu.Lock()
	c := s.clones[name]
	if c == nil {
		c = &clone{}
		s.clones[name] = c
	}
	s.mu.Unlock()
	c.once.Do(func() {
		var how lab.Change
		if how, c.err = change(); c.err == nil {
			c.pg, c.err = s.pg.Clone(context.WithoutCancel(ctx), how)
		}
	})
	return c.pg, c.err
}

// drop ends a clone that no later world can use.
func (s *stage) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clones[name].pg.Stop()
	delete(s.clones, name)
}

// site is one world while it is being made.
type site struct {
	*stage
	*lab.Scenario
	ctx    context.Context
	folder string        // of its own
	stall  time.Duration // of meshdiag
	before []string      // command in front of meshdiag
	undo   []func()
}

// errNotHere says that this machine cannot have a world, and why.
type errNotHere struct{ why string }

func (e errNotHere) Error() string { return e.why }

func (s *site) later(f func()) { s.undo = append(s.undo, f) }

// set gives the program an environment variable.
func (s *site) set(name, value string) {
	s.Env = slices.DeleteFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	s.Env = append(s.Env, name+"="+value)
}

func (s *site) database(url string) { s.set("MESHER_DATABASE_URL", url) }

// copied puts a copy of the program where the world wants it.
func (s *site) copied(dir string) error {
	image, err := os.ReadFile(s.Path)
	if err != nil {
		return err
	}
	s.Path = filepath.Join(dir, "mesher")
	return os.WriteFile(s.Path, image, 0o755)
}

// answer is what meshdiag said, how long it took in all, and what is wrong with it.
type answer struct {
	report *report.Report
	took   time.Duration
	wrong  []string
	unmade string // why the world could not be made
}

// ask makes a world, runs the sound program in it, and judges the report.
func (s *stage) ask(ctx context.Context, w *world) (*answer, error) {
	scenario, err := lab.NewScenario(ctx, lab.Fault{}, lab.Variant{}, s.pg)
	if err != nil {
		return nil, err
	}
	defer scenario.Cleanup()
	scenario.Fault.Trigger = lab.Trigger{} // left alone
	here := &site{stage: s, Scenario: scenario, ctx: ctx, stall: time.Second}
	if here.folder, err = os.MkdirTemp(s.dir, "world-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(here.folder, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		for _, undo := range slices.Backward(here.undo) {
			undo()
		}
	}()
	var not errNotHere
	if err := w.make(here); errors.As(err, &not) {
		return &answer{unmade: not.why}, nil
	} else if err != nil {
		return nil, fmt.Errorf("make the world: %w", err)
	}
	a, err := s.run(ctx, here)
	if err == nil {
		a.judge(w)
	}
	return a, err
}

// run lets meshdiag watch the program.
func (s *stage) run(ctx context.Context, here *site) (*answer, error) {
	out := filepath.Join(here.folder, "report.json")
	if here.before != nil { // perhaps as another user
		if err := os.Chmod(here.folder, 0o777); err != nil {
			return nil, err
		}
	}
	wrap := append(slices.Clone(here.before), s.meshdiag, "run", "--format", "json", "-o", out, "--stall-after", here.stall.String(), "--")
	result, err := lab.Run(ctx, here.Scenario, wrap)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(out)
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("meshdiag wrote no report (status %d): %s", result.Exit, result.Stderr)
	}
	a := &answer{took: result.Duration, report: new(report.Report)}
	if err := json.Unmarshal(data, a.report); err != nil {
		return nil, err
	}
	if strings.Contains(string(data), ":mesh@") {
		a.wrong = append(a.wrong, "the report shows a password")
	}
	if s.keep != "" {
		if err := os.WriteFile(filepath.Join(s.keep, filepath.Base(here.folder)+".json"), data, 0o644); err != nil {
			return nil, err
		}
	}
	if len(a.report.Causes) == 0 {
		return nil, fmt.Errorf("no cause; the outcome is %s", a.report.Outcome.Kind)
	}
	return a, nil
}

func causeOf(c *report.Cause) string {
	if c.Kind == nil || *c.Kind == "" {
		return c.ID
	}
	return c.ID + "/" + *c.Kind
}

func (a *answer) judge(w *world) {
	miss := func(format string, args ...any) { a.wrong = append(a.wrong, fmt.Sprintf(format, args...)) }
	first := &a.report.Causes[0]
	if got := causeOf(first); got != w.cause {
		miss("the cause is %s, not %s: %s", got, w.cause, first.Title)
	}
	if b := first.Blame.Symbol; b != nil && (w.absent == "" || !strings.Contains(*b, w.absent)) {
		miss("the program's %s is blamed", *b)
	}
	said := []string{first.Title, first.Summary}
	for _, e := range first.Evidence {
		said = append(said, e.Text)
	}
	for _, c := range a.report.Checks {
		if !c.OK {
			said = append(said, c.Detail)
		}
	}
	said = append(said, a.report.Warnings...)
	if !strings.Contains(strings.Join(said, "\n"), w.says) {
		miss("it does not say %q:\n  %s", w.says, strings.Join(said, "\n  "))
	}
	if next := strings.Join(first.Next, "\n"); next == "" || !strings.Contains(next, w.typed) {
		miss("it does not say to do %q:\n  %s", w.typed, strings.Join(first.Next, "\n  "))
	}
}
