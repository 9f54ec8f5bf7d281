package diagnose

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/lab"
	"meshdiag/report"
)

// TestRuntimeArchives lays real runtime archives beside a real program: the one that it was linked with, one that differs
// in one function, one of another build, one with the prefix before the renaming.
func TestRuntimeArchives(t *testing.T) {
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	archive := func(v lab.Variant, fault string) string {
		t.Helper()
		path, err := lab.RuntimeArchive(t.Context(), v, fault)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, other := archive(lab.Variant{}, ""), archive(lab.Variant{}, "weak-extern-startup")
	for _, w := range []struct {
		name  string
		files map[string]string        // name beside the program -> file
		ages  map[string]time.Duration // relative to the program
		first string                   // in the warning before the cause; "" there must be none
		hint  bool
	}{
		{"its own archive, which was copied since", map[string]string{"libmesh_rt.a": own}, map[string]time.Duration{"libmesh_rt.a": time.Hour}, "", false},
		{"another archive, although its date is older", map[string]string{"libmesh_rt.a": other}, map[string]time.Duration{"libmesh_rt.a": -time.Hour},
			"was not linked with {}/libmesh_rt.a: of 222 runtime functions", false},
		{"two archives, linked with the older", map[string]string{"target/debug/libmesh_rt.a": other, "target/release/libmesh_rt.a": own},
			map[string]time.Duration{"target/release/libmesh_rt.a": -50 * time.Hour}, "it has the code of {}/target/release/libmesh_rt.a, and {}/target/debug/libmesh_rt.a is newer by 2 days", true},
		{"two archives, linked with the newer", map[string]string{"target/debug/libmesh_rt.a": other, "target/release/libmesh_rt.a": own},
			map[string]time.Duration{"target/debug/libmesh_rt.a": -50 * time.Hour}, "", false},
		{"archive of the older name", map[string]string{"libsnow_rt.a": own}, nil, "is that of Snow (snow_...)", true},
	} {
		t.Run(w.name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			link := func(name, to string) {
				t.Helper()
				data, err := os.ReadFile(to)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			link("mesher", exe)
			for name, to := range w.files {
				link(name, to)
			}
			now := time.Now()
			for name, age := range w.ages {
				if err := os.Chtimes(filepath.Join(dir, name), now.Add(age), now.Add(age)); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("MESHER_DATABASE_URL", "postgres://mesh:mesh@127.0.0.1:1/mesher")
			r := probed(t, RunOptions{Path: filepath.Join(dir, "mesher")})
			if len(r.Causes) == 0 || r.Causes[0].ID != "database" {
				t.Errorf("%+v", r.Causes)
			}
			var text bytes.Buffer
			if err := report.WriteText(&text, r, report.TextOptions{Width: 1000}); err != nil {
				t.Fatal(err)
			}
			before, _, _ := strings.Cut(text.String(), "What happened")
			if want := strings.ReplaceAll(w.first, "{}", dir); strings.Contains(before, report.ArtefactFirst) != (want != "") || !strings.Contains(before, want) {
				t.Errorf("before the cause stands\n%s\nchecks %+v", before, r.Checks)
			}
		})
	}
}

// TestReplacedWhileRunning has programs whose file, or library, is another one when they die. What failed is the older
// one: it is told first, and the cause is still found.
func TestReplacedWhileRunning(t *testing.T) {
	const crash = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int null(int *p) { return *p; }
int main(int argc, char **argv) { if (system(argv[1])) return 9; return null((int *)getenv("NO_SUCH_VARIABLE")); }`
	for _, w := range []struct{ name, command, say string }{
		{"program replaced by another build", "mv app2 app", "/app was replaced while the program ran: what failed is the older file, not the one that lies there now (build ID "},
		{"program deleted", "rm app", "/app was deleted while the program ran"},
		{"program replaced by a copy of itself", "cp app copy && mv copy app", ""},
		{"library replaced by another build", "mv libpart2.so libpart.so", "/libpart.so was replaced while the program ran"},
		{"nothing happened", "true", ""},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f := loaderWorld{t, t.TempDir()}
			f.shared("libpart.so", "int part_one(void) { return 1; }", "-Wl,--build-id")
			f.shared("libpart2.so", "int part_one(void) { return 2; }", "-Wl,--build-id")
			link := []string{"-Wl,--build-id,--no-as-needed", "-L" + f.dir, "-lpart", fromOrigin}
			f.gcc(crash, "app", append(link, "-O1")...)
			f.gcc(crash, "app2", append(link, "-O2", "-fno-inline")...)
			r := diagnosed(t, "/usr/bin/env", "-C", f.dir, "./app", w.command)
			if r.Outcome.Kind != "crashed" || len(r.Causes) == 0 || r.Causes[0].ID != "null-value" {
				t.Errorf("%+v %+v", r.Outcome, r.Causes)
			}
			first := ""
			if len(r.Warnings) > 0 && strings.HasPrefix(r.Warnings[0], report.ArtefactFirst) {
				first = r.Warnings[0]
			}
			if (first != "") != (w.say != "") || !strings.Contains(first, w.say) {
				t.Errorf("first it says %q; warnings %q", first, r.Warnings)
			}
		})
	}
}
