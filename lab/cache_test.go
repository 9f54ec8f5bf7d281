package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOneBuildForManyAtOnce(t *testing.T) {
	cache := t.TempDir()
	var builds atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := locked(t.Context(), cache, "bin/x", func(dir string) error {
				builds.Add(1)
				time.Sleep(20 * time.Millisecond)
				return os.WriteFile(filepath.Join(dir, "f"), []byte("whole"), 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "f")); string(data) != "whole" {
				t.Errorf("half an artefact: %q", data)
			}
		})
	}
	wg.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("%d builds of one artefact", n)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	cache := t.TempDir()
	broken := errors.New("broken")
	_, err := locked(t.Context(), cache, "bin/x", func(dir string) error {
		_ = os.WriteFile(filepath.Join(dir, "f"), nil, 0o644)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(cache, "bin", "*"))
	hidden, _ := filepath.Glob(filepath.Join(cache, "bin", ".new-*"))
	if len(left) != 1 || filepath.Ext(left[0]) != ".lock" || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
	if _, err := locked(t.Context(), cache, "bin/x", func(string) error { return nil }); err != nil {
		t.Errorf("second try: %v", err)
	}
}

func TestWaitingForALockCanBeGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestTreeKeySeesSourcesOnly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		key, err := treeKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := write("src/a.rs", "one")
	cases := []struct {
		name, text string
		same       bool
	}{
		{"README.md", "words", true}, {"target/x.rs", "built", true}, {"tests/t.rs", "test", true},
		{"src/b.rs", "more", false}, {"src/a.rs", "two", false}, {"Cargo.lock", "pin", false},
	}
	last := first
	for _, c := range cases {
		key := write(c.name, c.text)
		if (key == last) != c.same {
			t.Errorf("%s: key same %v, want %v", c.name, key == last, c.same)
		}
		last = key
	}
}

func TestPruneTakesTheOldestUnused(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": 3 * time.Hour, "older": 4 * time.Hour, "fresh": time.Minute} {
		path := filepath.Join(dir, name)
		_ = os.Mkdir(path, 0o755)
		_ = os.WriteFile(filepath.Join(path, "f"), make([]byte, 100), 0o644)
		_ = os.Chtimes(path, now.Add(-age), now.Add(-age))
	}
	left := func() string {
		names := ""
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names += e.Name() + " "
		}
		return names
	}
	for _, c := range []struct {
		limit int64
		want  string
	}{{300, "fresh old older "}, {250, "fresh old "}, {10, "fresh "}} {
		prune(dir, c.limit, now.Add(-time.Hour))
		if got := left(); got != c.want {
			t.Errorf("limit %d: %q left, want %q", c.limit, got, c.want)
		}
	}
}
