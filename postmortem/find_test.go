package postmortem

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFindNewestFirst(t *testing.T) {
	data, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	cwd, systemd, handler, pattern := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	put := func(path string, data []byte, age time.Duration) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(cwd, "core"), data, time.Hour)
	put(filepath.Join(cwd, "core.txt"), []byte("the core of the matter"), 0)
	put(filepath.Join(systemd, "core.threads.0.abc.1.2"), data, time.Minute)
	put(filepath.Join(pattern, "c-threads-77-11"), data, 2*time.Minute)
	stored := storeCore(t, handler, data)
	put(filepath.Join(handler, "threads.5.6.txt"), []byte("a report"), 0)
	when := time.Now().Add(-30 * time.Minute)
	if err := os.Chtimes(stored, when, when); err != nil {
		t.Fatal(err)
	}
	got := Find(Places{Pattern: filepath.Join(pattern, "c-%e-%p-%s"), Systemd: systemd, Handler: handler, CWD: cwd})
	want := []string{"systemd-coredump", "kernel.core_pattern", "meshdiag handler", "current folder"}
	if len(got) != len(want) {
		t.Fatalf("found %+v", got)
	}
	for i, f := range got {
		if f.Where != want[i] || f.Command != "threads" || f.Signal != "SIGSEGV" || f.PID == 0 {
			t.Errorf("%d: %+v, want %s", i, f, want[i])
		}
	}
	if _, err := Newest(Places{Pattern: "nothing-%p", Systemd: t.TempDir(), Handler: t.TempDir(), CWD: t.TempDir()}); err == nil {
		t.Error("found a core where there is none")
	}
}

// storeCore puts a core into a store and returns its path.
func storeCore(t *testing.T, dir string, core []byte) string {
	t.Helper()
	got, err := openStore(t, dir).Put(bytes.NewReader(core), Dump{Name: "threads", PID: 5, Time: 6}, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return got.Path
}

func TestGlobOf(t *testing.T) {
	for pattern, want := range map[string]string{"core": "core", "/c/%e.%p": "/c/*.*", "a%%b[1]": `a%b\[1]`} {
		if got := globOf(pattern); got != want {
			t.Errorf("globOf(%q) = %q, want %q", pattern, got, want)
		}
	}
}
