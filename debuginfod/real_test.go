package debuginfod

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/debuginfod/realserver"
	"meshdiag/symbols"
)

// realServer starts a debuginfod that has the stripped program and its debug information.
func realServer(t *testing.T, v victim) *url.URL {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{v.stripped, v.debug} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := realserver.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func same(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s (%d bytes) differs from %s (%d bytes)", got, len(a), want, len(b))
	}
}

// find runs elfutils' own client with our cache.
func find(t *testing.T, cache, server string, q Request) (string, error) {
	t.Helper()
	cmd := exec.Command("debuginfod-find", string(q.Kind), q.BuildID)
	cmd.Env = append(os.Environ(), "DEBUGINFOD_CACHE_PATH="+cache, "DEBUGINFOD_URLS="+server)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

const nobody = "http://127.0.0.1:1" // a server that refuses connections

// TestRealServer fetches from a real debuginfod. Elfutils' own client then finds the files in our cache, and we find what it
// fetched, both without a server.
func TestRealServer(t *testing.T) {
	t.Parallel()
	v := build(t)
	server := realServer(t, v)
	ours, theirs := t.TempDir(), t.TempDir()
	c := New(Config{Servers: []*url.URL{server}, Cache: ours, MaxTime: defaultMaxTime, MaxSize: defaultMaxSize}, symbols.BuildID)
	for kind, want := range map[Kind]string{Executable: v.stripped, Debuginfo: v.debug} {
		q := v.request(kind)
		path, err := c.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("%v: %v; %q", q, err, c.Notes())
		}
		same(t, path, want)
		if got, err := find(t, ours, nobody, q); err != nil || got != path {
			t.Errorf("debuginfod-find %v in our cache: %q, %v; want %q", q, got, err, path)
		}
		if got, err := find(t, theirs, server.String(), q); err != nil {
			t.Fatalf("debuginfod-find %v: %q, %v", q, got, err)
		}
		path, err = New(Config{Cache: theirs}, symbols.BuildID).Find(t.Context(), q)
		if err != nil {
			t.Fatalf("%v in the cache of debuginfod-find: %v", q, err)
		}
		same(t, path, want)
	}
	if got := strings.Join(c.Notes(), "\n"); !strings.HasPrefix(got, "Fetched from "+server.String()+": ") ||
		!strings.Contains(got, "the file of server (1") || !strings.Contains(got, "the debug information of server (") {
		t.Errorf("notes %q", got)
	}
}

// TestRealMiss checks that a file that no server has is remembered by either client for both.
func TestRealMiss(t *testing.T) {
	t.Parallel()
	v := build(t)
	server := realServer(t, v)
	q := Request{Kind: Debuginfo, BuildID: strings.Repeat("ab", 20), Name: "server"}
	cache := t.TempDir()
	c := New(Config{Servers: []*url.URL{server}, Cache: cache, MaxTime: defaultMaxTime, MaxSize: defaultMaxSize}, symbols.BuildID)
	if _, err := c.Find(t.Context(), q); err != ErrNotFound {
		t.Fatalf("%v; %q", err, c.Notes())
	}
	if info, err := os.Stat(filepath.Join(cache, q.BuildID, "debuginfo")); err != nil || info.Size() != 0 {
		t.Fatalf("no empty file for what no server has: %v, %v", info, err)
	}
	// Had it asked the server, the answer would be "Connection refused".
	if out, err := find(t, cache, nobody, q); err == nil || !strings.Contains(string(err.(*exec.ExitError).Stderr), "No such file") {
		t.Errorf("debuginfod-find does not take our word for it: %q, %v", out, err)
	}
	theirs := t.TempDir()
	if _, err := find(t, theirs, server.String(), q); err == nil {
		t.Fatal("debuginfod-find found it")
	}
	dead, _ := url.Parse(nobody)
	c = New(Config{Servers: []*url.URL{dead}, Cache: theirs, MaxTime: defaultMaxTime}, symbols.BuildID)
	if _, err := c.Find(t.Context(), q); err != ErrNotFound {
		t.Errorf("what debuginfod-find did not find was asked for again: %v; %q", err, c.Notes())
	}
}
