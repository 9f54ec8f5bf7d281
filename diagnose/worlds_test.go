package diagnose

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/lab"
	"meshdiag/report"
)

// probed runs a program quietly with its profile recognised.
func probed(t *testing.T, o RunOptions) *report.Report {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.Stdout, o.Stderr = null, null
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // what should have ended is ended
	defer cancel()
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPlainCrashAsksNothing checks that an ordinary fault starts no probe: neither a connection nor a look-up.
func TestPlainCrashAsksNothing(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://x:y@127.0.0.1:1/z")
	r := probed(t, RunOptions{Path: "/bin/sh", Args: []string{"-c", "kill -SEGV $$"}})
	if len(r.Checks) != 0 {
		t.Errorf("%+v", r.Checks)
	}
}

// TestProbesSwitchedOff checks --no-probe and --probe against a world that would be asked.
func TestProbesSwitchedOff(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://x:y@127.0.0.1:1/z")
	exit := RunOptions{Path: "/bin/sh", Args: []string{"-c", "exit 3"}}
	exit.Probes = Probes{Off: true}
	if r := probed(t, exit); len(r.Checks) != 0 {
		t.Errorf("switched off: %+v", r.Checks)
	}
	exit.Probes = Probes{Only: []string{ProbeLimits}}
	r := probed(t, exit)
	if len(r.Checks) == 0 {
		t.Fatal("limits were asked for")
	}
	core := false
	for _, c := range r.Checks {
		core = core || c.ID == "core-pattern"
		if !strings.HasPrefix(c.ID, "limit-") && c.ID != "core-pattern" && c.ID != "ptrace-scope" {
			t.Errorf("%+v", c)
		}
	}
	if !core {
		t.Errorf("nothing is said of cores: %+v", r.Checks)
	}
}

// TestStaleProgram runs a program whose compiler output is newer than it, in a world that is broken, too.
func TestStaleProgram(t *testing.T) {
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "mesher")
	if err := os.WriteFile(copied, image, 0o755); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-73 * time.Hour)
	if err := os.Chtimes(copied, past, past); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(copied), "libmesh_rt.a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MESHER_DATABASE_URL", "postgres://mesh:mesh@127.0.0.1:1/mesher")
	r := probed(t, RunOptions{Path: copied})
	stale := false
	for _, c := range r.Checks {
		stale = stale || c.ID == "artefact-fresh" && !c.OK && strings.Contains(c.Detail, "libmesh_rt.a by 3 days")
	}
	if !stale || r.Causes[0].ID != "database" {
		t.Errorf("stale %v, first %s: %+v", stale, r.Causes[0].ID, r.Checks)
	}
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "look at the artefact: by the dates of the files, the program "+copied+" is older") {
		t.Errorf("warnings: %q", r.Warnings)
	}
}
