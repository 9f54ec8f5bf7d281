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

// unheard are deaths of which a core of the kernel tells less, because what was printed decides. Outcome, cause and blamed
// symbol agree still.
var unheard = map[string]string{
	"panicextern.rs": "where the panic began: a part of its stack was unwound before it was turned into an abort",
	"abort.cpp":      "what the uncaught exception said",
}

// TestCoresAgreeWithRun is the law of post-mortem reports: what a run says of a death, the core that it saved says too, and
// so does the core that the kernel wrote of the same death. That one knows neither what was printed nor what went before.
func TestCoresAgreeWithRun(t *testing.T) {
	for _, v := range loadVictims(t) {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			live, saved, kernels := bothCores(t, compiled(t, &v))
			compareReports(t, live, coreReport(t, saved))
			switch {
			case live.Outcome.Signal == nil: // it exits: the kernel writes no core
			case kernels == "":
				t.Log("kernel.core_pattern does not leave cores in the current folder: not compared with the kernel's")
			default:
				core := coreReport(t, kernels)
				if _, less := unheard[v.Source]; less {
					live, core = verdict(live), verdict(core)
				}
				compareReports(t, live, core)
			}
		})
	}
}

func buildMeshdiag(t testing.TB) string {
	exe := filepath.Join(t.TempDir(), "meshdiag")
	if out, err := exec.Command("go", "build", "-o", exe, "meshdiag/cmd/meshdiag").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
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
	if pattern, plain := corePattern(); !plain {
		t.Skipf("kernel.core_pattern is %q: cores do not land in the current folder", pattern)
	}
}

// corePattern is the kernel's name for cores; plain when it puts them into the current folder.
func corePattern() (pattern string, plain bool) {
	data, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	pattern = strings.TrimSpace(string(data))
	return pattern, err == nil && !strings.HasPrefix(pattern, "|") && !strings.Contains(pattern, "/")
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
