package diagnose

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnsaidPanics reads the words of panics out of the kernel's cores, which hold nothing of what was printed.
func TestUnsaidPanics(t *testing.T) {
	needPlainCores(t)
	for which, want := range map[string]string{
		"bounds":   "index out of bounds: the len is 3 but the index is 7",
		"literal":  "the cache is gone",
		"format":   "worker {} of {} is gone",
		"unwrap":   "called `Option::unwrap()` on a `None` value",
		"expect":   "a port",
		"result":   "a good answer: (the error itself is not in the core)",
		"borrow":   "RefCell already mutably borrowed",
		"divide":   "attempt to divide by zero",
		"overflow": "attempt to subtract with overflow",
	} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			exe := filepath.Join(t.TempDir(), "unsaid")
			cmd := exec.Command("rustc", "--edition=2021", "-O", "-Cpanic=abort", "-Coverflow-checks=yes", "--cfg", `which="`+which+`"`,
				"-o", exe, "testdata/unsaid.rs")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			r := coreReport(t, kernelCore(t, exe))
			c := r.Causes[0]
			if c.ID != "panic" || !strings.Contains(c.Title, want) || !strings.HasSuffix(str(c.Blame.Symbol), "E") || !strings.Contains(str(c.Blame.Symbol), "fail") {
				t.Errorf("%s/%s blames %s: %s", c.ID, str(c.Kind), str(c.Blame.Symbol), c.Title)
			}
			if len(c.LookAt) == 0 || !strings.Contains(strings.Join(c.LookAt, " "), "unsaid.rs:") {
				t.Errorf("it does not say where: %q", c.LookAt)
			}
		})
	}
}
