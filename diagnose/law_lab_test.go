package diagnose_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meshdiag/diagnose"
	"meshdiag/lab"
	"meshdiag/report"
)

// labFaults are one of each way in which a server built with a runtime ends; MESHDIAG_LAW=all takes the whole catalogue.
var labFaults = []string{"arity-pool-open", "missing-map-key", "service-null-handler", "recursion-actor", "uncaught-panic",
	"closure-without-env", "http-port-held"}

// TestLabCoreAgreesWithRun is the law of post-mortem reports on the lab's server.
func TestLabCoreAgreesWithRun(t *testing.T) {
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
	meshdiag := buildMeshdiag(t)
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if os.Getenv("MESHDIAG_LAW") != "all" && !slices.Contains(labFaults, f.ID) {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			live, core := labReports(t, ctx, meshdiag, f, pg)
			if core == nil {
				t.Skip("the process was gone before it could be frozen: there is no core")
			}
			diagnose.CompareReports(t, live, core)
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
	meshdiag := buildMeshdiag(t)
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if f.Label.Outcome != "hung" {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			live, core := labReports(t, ctx, meshdiag, f, pg)
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
			if top := live.Causes[0]; f.ID == "service-deadlock" && (top.ID != "hang" || *top.Kind != "deadlock" || top.Confidence < 0.9) {
				t.Errorf("cause %s %v %.2f", top.ID, top.Kind, top.Confidence)
			}
		})
	}
}

// TestLabKernelCore holds the kernel's cores of startup faults and of later ones against the run: answer and phase. Nobody
// saw the output of these, so the phase comes from where the entry function's frame returns to. That cannot tell whether a
// call that has not returned printed its own message already: the phase may be the one before.
func TestLabKernelCore(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the lab's server")
	}
	diagnose.NeedPlainCores(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		t.Fatalf("the lab's PostgreSQL server: %v", err)
	}
	t.Cleanup(pg.Stop)
	meshdiag := buildMeshdiag(t)
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if os.Getenv("MESHDIAG_LAW") != "all" && !slices.Contains(labFaults, f.ID) {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			core := labKernelCore(t, ctx, f, pg)
			live, _ := labReports(t, ctx, meshdiag, f, pg)
			if a, b := live.Phase.Index, core.Phase.Index; a == nil || b == nil || *a-*b > 1 || *a < *b {
				t.Errorf("phase live %v, core %v (%v)", live.Phase, core.Phase, core.Phase.Why)
			}
			if live.Outcome.Kind == "panicked" {
				// The words of a panic decide its cause, and they were printed only.
				live, core = &report.Report{Outcome: live.Outcome}, &report.Report{Outcome: core.Outcome}
			}
			diagnose.CompareReports(t, live, core)
		})
	}
}

// labKernelCore runs a fault bare and reports on the core that the kernel wrote.
func labKernelCore(t *testing.T, ctx context.Context, f lab.Fault, pg *lab.Postgres) *report.Report {
	s, err := lab.NewScenario(ctx, f, lab.Variant{}, pg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cleanup()
	dir := t.TempDir()
	result, err := lab.Run(ctx, s, []string{"sh", "-c", `cd "$0" && ulimit -c unlimited && shift && exec "$@"`, dir})
	if err != nil {
		t.Fatal(err)
	}
	cores, _ := filepath.Glob(filepath.Join(dir, "core*"))
	if len(cores) != 1 {
		t.Skipf("the kernel writes no core of it: %+v", result.Signal)
	}
	r, err := diagnose.Core(ctx, diagnose.CoreOptions{Path: cores[0]})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func buildMeshdiag(t *testing.T) string {
	exe := filepath.Join(t.TempDir(), "meshdiag")
	if out, err := exec.Command("go", "build", "-o", exe, "meshdiag/cmd/meshdiag").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

// labReports runs a fault, saves its core and returns both reports; core is nil when there was nothing left to save.
func labReports(t *testing.T, ctx context.Context, meshdiag string, f lab.Fault, pg *lab.Postgres) (live, core *report.Report) {
	s, err := lab.NewScenario(ctx, f, lab.Variant{}, pg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cleanup()
	dir := t.TempDir()
	out, saved := filepath.Join(dir, "live.json"), filepath.Join(dir, "saved.core")
	result, err := lab.Run(ctx, s, []string{meshdiag, "run", "--format", "json", "-o", out, "--save-core", saved,
		"--stall-after", s.StallAfter.String()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(result.Stderr, "no core was saved") {
		return nil, nil
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	defer file.Close()
	if live, err = report.ReadJSON(file); err != nil {
		t.Fatal(err)
	}
	if core, err = diagnose.Core(ctx, diagnose.CoreOptions{Path: saved}); err != nil {
		t.Fatal(err)
	}
	return live, core
}
