package diagnose

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	meshdiag := buildMeshdiag(t)
	for _, v := range loadVictims(t) {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			exe := compiled(t, &v)
			live, saved, kernels := runForCores(t, meshdiag, "--profile", "none", exe)
			compareReports(t, live, coreReport(t, saved))
			sameInOtherTools(t, exe, saved, kernels)
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

// runForCores runs a program under a built meshdiag, which saves a core, in a folder where the kernel may leave one too:
// both are of one death. kernels is "" when it left none.
func runForCores(t testing.TB, meshdiag string, args ...string) (live *report.Report, saved, kernels string) {
	dir := t.TempDir()
	saved = filepath.Join(dir, "saved")
	live, out := runUnder(t, dir, append([]string{meshdiag, "run", "--format", "json", "-o", filepath.Join(dir, "live.json"),
		"--save-core", saved}, args...))
	if live == nil {
		t.Fatalf("no report: %s", out)
	}
	if cores, _ := filepath.Glob(filepath.Join(dir, "core*")); len(cores) > 0 {
		kernels = cores[0]
	}
	return live, saved, kernels
}

// runUnder runs meshdiag in a folder with no limit on cores, and reads the report that it left there.
func runUnder(t testing.TB, dir string, argv []string) (*report.Report, string) {
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -c unlimited; exec "$0" "$@"`}, argv...)...)
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput() // its exit status tells of the program's fault
	file, err := os.Open(filepath.Join(dir, "live.json"))
	if err != nil {
		return nil, string(out)
	}
	defer file.Close()
	r, err := report.ReadJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(out)
}

// buildMeshdiag builds the command once for all tests; TestMain removes it.
func buildMeshdiag(t testing.TB) string {
	t.Helper()
	exe, err := builtMeshdiag()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

var builtMeshdiag = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(builtOnce.dir, "meshdiag")
	if out, err := exec.Command("go", "build", "-o", exe, "meshdiag/cmd/meshdiag").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return exe, nil
})

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
