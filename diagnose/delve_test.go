package diagnose_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/diagnose"
	"meshdiag/lab"
)

// TestDelveReadsSavedCores shows a core that meshdiag saved, and the kernel's of the same process, to Go's debugger: all
// goroutines, threads and frames must be the same. A C program is as good for it as one in Go, as far as it goes with C.
func TestDelveReadsSavedCores(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a debugger the first time")
	}
	diagnose.NeedPlainCores(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dlv, err := lab.Delve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOTRACEBACK", "crash")
	meshdiag := diagnose.BuildMeshdiag(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		name     string
		build    []string
		commands string
		want     []string
	}{
		{"c", []string{"gcc", "-g", "-O0", "-pthread", "../postmortem/testdata/threads.c"}, "bt\nthreads\n", []string{"C.length", "C.work"}},
		{"go", []string{"go", "build", "testdata/delve/nil.go"}, "bt\nthreads\ngoroutines -t\n", []string{"main.area", "main.main", "runtime.sigpanic"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exe := filepath.Join(dir, tt.name)
			last := len(tt.build) - 1
			build := append(append([]string{}, tt.build[1:last]...), "-o", exe, tt.build[last])
			if out, err := exec.Command(tt.build[0], build...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", tt.build, err, out)
			}
			_, saved, kernel := diagnose.RunForCores(t, meshdiag, "--profile", "none", exe)
			if kernel == "" {
				t.Fatal("the kernel made no core")
			}
			got, want := shownByDelve(t, dlv, exe, saved, tt.commands), shownByDelve(t, dlv, exe, kernel, tt.commands)
			if got != want {
				t.Errorf("dlv shows of the saved core\n%s\nand of the kernel's\n%s", got, want)
			}
			for _, name := range tt.want {
				if !strings.Contains(got, name) {
					t.Errorf("dlv does not show %s:\n%s", name, got)
				}
			}
		})
	}
}

func shownByDelve(t *testing.T, dlv, exe, core, commands string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "commands")
	if err := os.WriteFile(script, []byte(commands+"exit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(dlv, "core", exe, core, "--allow-non-terminal-interactive=true", "--init", script).CombinedOutput()
	if err != nil {
		t.Fatalf("dlv: %v\n%s", err, out)
	}
	return string(out)
}
