package diagnose

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"meshdiag/report"
)

// TestSavedCoreAgreesWithRun is the law of post-mortem reports: what a run says of a death, the core saved by it says too.
func TestSavedCoreAgreesWithRun(t *testing.T) {
	for _, v := range loadVictims(t) {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			exe := compile(t, &v)
			core := filepath.Join(t.TempDir(), "saved.core")
			live := diagnosedWith(t, RunOptions{Path: exe, SaveCore: core})
			compareReports(t, live, coreReport(t, core))
		})
	}
}

// differs are deaths of which two runs, or a run and a core of the kernel, do not tell the same in one part. Outcome, cause
// and blamed symbol agree still.
var differs = map[string]string{
	"recursion.c":    "in which call the stack ended: it is placed at random",
	"recursion.cpp":  "in which call the stack ended: it is placed at random",
	"recursion.rs":   "in which call the stack ended: it is placed at random",
	"panicextern.rs": "where the panic began: a part of its stack was unwound before it was turned into an abort",
	"abort.cpp":      "what the uncaught exception said",
}

// varies are victims of which two runs need not stop at the same place, and why.
var varies = map[string]string{
	"longjump.c": "which of its calls is the one that finds the stack full depends on where the kernel put the stack",
}

// TestKernelCoreAgreesWithRun compares with what the kernel wrote of the same death. It knows neither what was printed nor
// what went before; all the rest must be the same.
func TestKernelCoreAgreesWithRun(t *testing.T) {
	needPlainCores(t)
	for _, v := range loadVictims(t) {
		if v.Outcome == "healthy" {
			continue
		}
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			exe := compile(t, &v)
			live := diagnosedWith(t, RunOptions{Path: exe})
			if live.Outcome.Signal == nil {
				t.Skip("it exits: the kernel writes no core")
			}
			core := coreReport(t, kernelCore(t, exe))
			if _, elsewhere := varies[v.Source]; elsewhere {
				if live.Causes[0].ID != core.Causes[0].ID || live.Outcome.Kind != core.Outcome.Kind {
					t.Errorf("live %s, %s; core %s, %s", live.Outcome.Kind, live.Causes[0].ID, core.Outcome.Kind, core.Causes[0].ID)
				}
				return
			}
			if _, partly := differs[v.Source]; partly {
				live, core = verdict(live), verdict(core)
			}
			compareReports(t, live, core)
		})
	}
}

// verdict is a report without all but its answer.
func verdict(r *report.Report) *report.Report {
	v := report.Report{Outcome: r.Outcome, Causes: slices.Clone(r.Causes)}
	for i := range v.Causes {
		v.Causes[i].Blame.Extern = nil
	}
	return &v
}

// needPlainCores skips where the kernel does not put cores into the current folder.
func needPlainCores(t testing.TB) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if p := strings.TrimSpace(string(pattern)); err != nil || strings.HasPrefix(p, "|") || strings.Contains(p, "/") {
		t.Skipf("kernel.core_pattern is %q: cores do not land in the current folder", p)
	}
}

func kernelCore(t testing.TB, exe string) string {
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0"`, exe)
	cmd.Dir = dir
	_ = cmd.Run() // it dies, as it should
	cores, _ := filepath.Glob(filepath.Join(dir, "core*"))
	if len(cores) != 1 {
		t.Fatalf("the kernel wrote %d cores of %s", len(cores), exe)
	}
	return cores[0]
}

func diagnosedWith(t testing.TB, o RunOptions) *report.Report {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.Options = Options{Profile: "none", Version: "test"}
	o.Stdout, o.Stderr = null, null
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func coreReport(t testing.TB, path string) *report.Report {
	r, err := Core(context.Background(), CoreOptions{Options: Options{Profile: "none", Version: "test"}, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// compareReports compares what the law names.
func compareReports(t *testing.T, live, core *report.Report) {
	t.Helper()
	a, b := essence(live), essence(core)
	if slices.Equal(a, b) {
		return
	}
	for i := 0; i < max(len(a), len(b)); i++ {
		if at(a, i) != at(b, i) {
			t.Errorf("live: %s\ncore: %s", at(a, i), at(b, i))
		}
	}
	t.Logf("warnings of the core: %q", core.Warnings)
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(nothing)"
}

// essence is what two reports of one death must have in common, a fact per line. Addresses differ from run to run.
func essence(r *report.Report) []string {
	facts := []string{"outcome " + r.Outcome.Kind, "thread " + threadRole(r)}
	if s := r.Outcome.Signal; s != nil {
		facts = append(facts, "signal "+s.Name+" "+s.Code)
	}
	if len(r.Causes) > 0 {
		c := r.Causes[0]
		facts = append(facts, fmt.Sprintf("cause %s/%s", c.ID, str(c.Kind)), "blame "+str(c.Blame.Symbol)+" "+str(c.Blame.Extern))
	}
	if f := r.Fault; f != nil {
		facts = append(facts, fmt.Sprintf("fault %s %s", str(f.Access), str(f.Class)))
	}
	for _, s := range r.Provenance {
		facts = append(facts, "step "+s.Step+" "+str(s.Symbol))
	}
	if len(r.Threads) > 0 && r.Threads[0].Crashed {
		for _, f := range r.Threads[0].Frames {
			facts = append(facts, fmt.Sprintf("frame %s %s %s:%d %s", str(f.Symbol), str(f.Demangled), str(f.File), line(f.Line), f.Trust))
		}
	}
	return facts
}

func threadRole(r *report.Report) string {
	if r.Thread == nil {
		return ""
	}
	return r.Thread.Role
}

func line(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
