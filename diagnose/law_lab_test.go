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
			d := labDeath(t, ctx, meshdiag, f, pg)
			if d.saved == nil {
				t.Skip("the process was gone before it could be frozen: there is no core")
			}
			diagnose.CompareReports(t, d.live, d.saved)
			diagnose.CompareWithTools(t, d.core, d.saved)
			live, kernels := d.live, d.kernels
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

// death is one death of the lab's server, told three times.
type death struct {
	live    *report.Report
	core    string         // that was saved of it
	saved   *report.Report // from that core; nil when there was nothing left to save
	kernels *report.Report // from the core that the kernel left; nil when it left none
}

// labDeath runs a fault where the kernel may leave a core, and saves one. The world outside is not asked: no core tells of it.
func labDeath(t *testing.T, ctx context.Context, meshdiag string, f lab.Fault, pg *lab.Postgres) death {
	s, err := lab.NewScenario(ctx, f, lab.Variant{}, pg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cleanup()
	dir := t.TempDir()
	out, d := filepath.Join(dir, "live.json"), death{core: filepath.Join(dir, "saved")}
	result, err := lab.Run(ctx, s, []string{"sh", "-c", `cd "$0" && ulimit -c unlimited && exec "$@"`, dir, meshdiag, "run", "--no-probe",
		"--format", "json", "-o", out, "--save-core", d.core, "--stall-after", s.StallAfter.String()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(result.Stderr, "no core was saved") {
		return death{}
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	defer file.Close()
	if d.live, err = report.ReadJSON(file); err != nil {
		t.Fatal(err)
	}
	if d.saved, err = diagnose.Core(ctx, diagnose.CoreOptions{Path: d.core}); err != nil {
		t.Fatal(err)
	}
	if cores, _ := filepath.Glob(filepath.Join(dir, "core*")); len(cores) > 0 {
		if d.kernels, err = diagnose.Core(ctx, diagnose.CoreOptions{Path: cores[0]}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
