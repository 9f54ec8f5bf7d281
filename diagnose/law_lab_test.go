package diagnose_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meshdiag/diagnose"
	"meshdiag/lab"
	"meshdiag/lab/mesher"
	"meshdiag/report"
)

// labFaults are one of each way in which a server built with a runtime ends; MESHDIAG_LAW=all takes the whole catalogue.
var labFaults = []string{"arity-pool-open", "missing-map-key", "service-null-handler", "recursion-actor", "uncaught-panic",
	"closure-without-env", "http-port-held"}

// TestLabCoresAgreeWithRun is the law of post-mortem reports on the lab's server. The kernel's core does not tell what was
// printed: the phase comes from where the entry function's frame returns to, which cannot tell whether a call that has not
// returned printed its own message already. It may be the one before.
func TestLabCoresAgreeWithRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the lab's server")
	}
	all := os.Getenv("MESHDIAG_LAW") == "all"
	limit := 10 * time.Minute
	if all {
		limit = time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		t.Fatalf("the lab's PostgreSQL server: %v", err)
	}
	t.Cleanup(pg.Stop)
	meshdiag := diagnose.BuildMeshdiag(t)
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if !all && !slices.Contains(labFaults, f.ID) {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			live, saved, kernels := labReports(t, ctx, meshdiag, f, pg)
			if saved == nil {
				t.Skip("the process was gone before it could be frozen: there is no core")
			}
			diagnose.CompareReports(t, live, saved)
			if kernels == nil {
				return // it did not die of a signal that leaves a core
			}
			if a, b := live.Phase.Index, kernels.Phase.Index; a == nil || b == nil || *a-*b > 1 || *a < *b {
				t.Errorf("phase live %v, core of the kernel %v (%v)", live.Phase, kernels.Phase, kernels.Phase.Why)
			}
			if live.Outcome.Kind == "panicked" {
				// The words of a panic decide its cause, and they were printed only.
				live, kernels = &report.Report{Outcome: live.Outcome}, &report.Report{Outcome: kernels.Outcome}
			}
			diagnose.CompareReports(t, live, kernels)
		})
	}
}

// TestLabHangs lets the lab's server hang in each known way, and compares what the run and the core that it saved say of the
// waits. Services that wait for each other stand on no thread: the ring must be found on their suspended stacks.
func TestLabHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the lab's server")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		t.Fatalf("the lab's PostgreSQL server: %v", err)
	}
	t.Cleanup(pg.Stop)
	meshdiag := diagnose.BuildMeshdiag(t)
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(faults, serviceSpins(faults)) {
		if f.Label.Outcome != "hung" {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			live, core, _ := labReports(t, ctx, meshdiag, f, pg)
			diagnose.CompareWaits(t, live, core)
			rings := 0
			for _, c := range live.Waits.Cycles {
				if rings++; !c.Proven || len(c.Members) != 2 || c.Members[0].Actor == nil || c.Members[1].Actor == nil {
					t.Errorf("ring %+v", c)
				}
			}
			if want := map[string]int{"service-deadlock": 1}[f.ID]; rings != want {
				t.Errorf("%d rings, want %d", rings, want)
			}
			switch top := live.Causes[0]; {
			case f.ID == "service-deadlock" && (top.ID != "hang" || *top.Kind != "deadlock" || top.Confidence < 0.9):
				t.Errorf("cause %s %s %.2f", top.ID, *top.Kind, top.Confidence)
			case f.ID == "service-spins" && (*top.Kind != "spin" || *top.Blame.Symbol != "Config__align" || len(live.Waits.Chains) != 1):
				t.Errorf("cause %s %s blames %s: %s\n%+v", top.ID, *top.Kind, *top.Blame.Symbol, top.Title, live.Waits)
			}
		})
	}
}

// serviceSpins is made of two faults of the catalogue: a service that loops on a worker, while the main thread waits for its
// answer. The chain leads over a call from thread to thread.
func serviceSpins(faults []lab.Fault) lab.Fault {
	byID := map[string]lab.Fault{}
	for _, f := range faults {
		byID[f.ID] = f
	}
	ask, loop := byID["service-deadlock"], byID["endless-loop"]
	handler := ask.Edits[1]
	handler.With = "  %aligned = call i64 @Config__align(i64 7)\n" + handler.Find
	return lab.Fault{ID: "service-spins", Title: "a service that does not come back", How: "its handler loops for ever", Label: loop.Label,
		Edits: []mesher.Edit{ask.Edits[0], handler}, Additions: slices.Concat(ask.Additions[:1], loop.Additions)}
}

// labReports runs a fault where the kernel may leave a core, saves one, and returns the reports on all three. The world
// outside is not asked, as no core tells of it. saved is nil when there was nothing left to save, kernels when the kernel
// left none.
func labReports(t *testing.T, ctx context.Context, meshdiag string, f lab.Fault, pg *lab.Postgres) (live, saved, kernels *report.Report) {
	s, err := lab.NewScenario(ctx, f, lab.Variant{}, pg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cleanup()
	dir := t.TempDir()
	out, core := filepath.Join(dir, "live.json"), filepath.Join(dir, "saved")
	result, err := lab.Run(ctx, s, []string{"sh", "-c", `cd "$0" && ulimit -c unlimited && exec "$@"`, dir, meshdiag, "run", "--no-probe", "--format", "json",
		"-o", out, "--save-core", core, "--stall-after", s.StallAfter.String()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(result.Stderr, "no core was saved") {
		return nil, nil, nil
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	defer file.Close()
	if live, err = report.ReadJSON(file); err != nil {
		t.Fatal(err)
	}
	if saved, err = diagnose.Core(ctx, diagnose.CoreOptions{Path: core}); err != nil {
		t.Fatal(err)
	}
	diagnose.CompareWithTools(t, core, saved)
	if cores, _ := filepath.Glob(filepath.Join(dir, "core*")); len(cores) > 0 {
		if kernels, err = diagnose.Core(ctx, diagnose.CoreOptions{Path: cores[0]}); err != nil {
			t.Fatal(err)
		}
		diagnose.SameInOtherTools(t, saved.Target.Path, core, cores[0])
	}
	return live, saved, kernels
}
