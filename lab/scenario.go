package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scenario is one fault, ready to run once: the program is built, its world arranged.
type Scenario struct {
	Fault    Fault
	Variant  Variant
	Label    Label // the fault's label in this variant
	Path     string
	Args     []string
	Env      []string // whole environment
	HTTPPort int
	WSPort   int

	StallAfter time.Duration // no progress for that long is a hang; what a tracer should be told
	Timeout    time.Duration // a run that takes longer has failed

	// Cleanup undoes the world: frees ports, drops the database's copy. It may be called once.
	Cleanup func()
	// Drive does what the fault's trigger says, while the process runs. It returns when it has nothing more to do.
	Drive func(ctx context.Context, p *Process) error
}

const (
	stallAfter = 3 * time.Second
	runTimeout = 30 * time.Second
)

// NewScenario builds a fault's program and arranges its world. A zero Fault is the sound program in a sound world, which is
// ended by SIGTERM after one request. pg may be nil for faults that need no server.
func NewScenario(ctx context.Context, fault Fault, v Variant, pg *Postgres) (*Scenario, error) {
	if fault.ID == "" {
		fault = Healthy()
	}
	v, err := fault.variant(v)
	if err != nil {
		return nil, err
	}
	if reason := fault.Skipped(v); reason != "" {
		return nil, fmt.Errorf("fault %s does not exist in %s: %s", fault.ID, v, reason)
	}
	path, err := buildFault(ctx, v, fault)
	if err != nil {
		return nil, err
	}
	s := &Scenario{Fault: fault, Variant: v, Label: fault.Expect(v), Path: path, StallAfter: stallAfter, Timeout: runTimeout}
	s.Drive = s.drive
	if err := s.arrange(ctx, pg); err != nil {
		s.Cleanup()
		return nil, fmt.Errorf("arrange the world of %s: %w", fault.ID, err)
	}
	return s, nil
}

// Healthy is the sound program as a scenario: it starts, answers, and is ended by SIGTERM.
func Healthy() Fault {
	return Fault{
		ID: "healthy", Title: "the sound program", How: "nothing is broken",
		Trigger: Trigger{HTTP: []string{"GET /health"}, EndAfter: "SIGTERM"},
		Label: Label{Outcome: "healthy", OutcomeAlso: []string{"killed"}, Signal: "SIGTERM", Phase: []string{"http-listening", "http"},
			LastMessage: "[mesh-rt] HTTP server listening on 0.0.0.0:", Cause: "unknown", Truth: "Nothing is wrong."},
	}
}

// arrange makes the world; Cleanup undoes what was done, even when it fails half way.
func (s *Scenario) arrange(ctx context.Context, pg *Postgres) error {
	var undo []func()
	s.Cleanup = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	url, drop, err := s.Fault.World.databaseURL(ctx, pg)
	undo = append(undo, drop)
	if err != nil {
		return err
	}
	if s.HTTPPort, err = FreePort(); err != nil {
		return err
	}
	if s.WSPort, err = FreePort(); err != nil {
		return err
	}
	for _, name := range s.Fault.World.Hold {
		port := map[string]int{"http": s.HTTPPort, "ws": s.WSPort}[name]
		release, err := hold(port)
		if err != nil {
			return err
		}
		undo = append(undo, release)
	}
	s.Env = s.environment(url)
	return nil
}

// environment is the caller's, without what would change the program's behaviour by accident.
func (s *Scenario) environment(url string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "MESHER_") && !strings.HasPrefix(e, "RUST_") && !strings.HasPrefix(e, "LD_") {
			env = append(env, e)
		}
	}
	own := map[string]string{
		"MESHER_DATABASE_URL": url, "MESHER_HTTP_PORT": strconv.Itoa(s.HTTPPort), "MESHER_WS_PORT": strconv.Itoa(s.WSPort)}
	maps.Copy(own, s.Fault.World.Env)
	for _, name := range s.Fault.World.Unset {
		delete(own, name)
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		env = append(env, name+"="+own[name])
	}
	return env
}
