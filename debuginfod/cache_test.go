package debuginfod

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMissIsForgotten checks that a file that no server had is asked for again after cache_miss_s, and not before.
func TestMissIsForgotten(t *testing.T) {
	t.Parallel()
	v := build(t)
	for _, test := range []struct {
		name  string
		age   time.Duration
		limit string
		mode  os.FileMode
		asked bool
	}{
		{"fresh", time.Minute, "", 0o600, false},
		{"old", 11 * time.Minute, "", 0o600, true},
		{"elfutils before 0.186", time.Minute, "", 0, false},
		{"limit of the user", time.Minute, "30\n", 0o600, true},
		{"limit that is no number", time.Minute, "soon", 0o600, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, v.stripped) }))
			q := v.request(Executable)
			path := c.cache.path(q)
			write(t, path, "")
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			then := time.Now().Add(-test.age)
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
			if test.limit != "" {
				write(t, filepath.Join(c.cache.dir, missFile), test.limit)
			}
			_, err := c.Find(t.Context(), q)
			if asked := err == nil; asked != test.asked {
				t.Errorf("asked: %v (%v); %q", asked, err, c.Notes())
			}
			if err != nil && told(c) != "No debuginfod server has: the file of server." {
				t.Errorf("notes %q", c.Notes())
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedCache checks that a file in the cache that is not what its name says is fetched anew, and not used offline.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	v := build(t)
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, v.stripped) }))
	q := v.request(Executable)
	write(t, c.cache.path(q), "half of it")
	q.CacheOnly = true
	if path, err := c.Find(t.Context(), q); err != ErrNotFound {
		t.Errorf("%q, %v", path, err)
	}
	q.CacheOnly = false
	path, err := c.Find(t.Context(), q)
	if err != nil {
		t.Fatalf("%v; %q", err, c.Notes())
	}
	same(t, path, v.stripped)
}

// TestCacheOnly checks that no server hears of what is only looked for on disk, and that nothing is told.
func TestCacheOnly(t *testing.T) {
	t.Parallel()
	v := build(t)
	var asked atomic.Int32
	c := client(t, serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	q := v.request(Debuginfo)
	q.CacheOnly = true
	if _, err := c.Find(t.Context(), q); err != ErrNotFound || asked.Load() > 0 || len(c.Notes()) > 0 {
		t.Errorf("%v, asked %d times, notes %q", err, asked.Load(), c.Notes())
	}
	if _, err := os.Stat(c.cache.dir); err == nil {
		t.Error("the cache was made")
	}
}

// TestNextServer checks that the servers are asked in their order, and one that failed not again.
func TestNextServer(t *testing.T) {
	t.Parallel()
	v := build(t)
	var failed, lacks atomic.Int32
	c := client(t,
		serve(t, func(w http.ResponseWriter, _ *http.Request) { failed.Add(1); w.WriteHeader(http.StatusBadGateway) }),
		serve(t, func(w http.ResponseWriter, r *http.Request) { lacks.Add(1); http.NotFound(w, r) }),
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/executable") {
				http.ServeFile(w, r, v.stripped)
			} else {
				http.NotFound(w, r)
			}
		}))
	if _, err := c.Find(t.Context(), v.request(Executable)); err != nil {
		t.Errorf("%v; %q", err, c.Notes())
	}
	if _, err := c.Find(t.Context(), v.request(Debuginfo)); err != ErrUnavailable { // the one that failed may have it
		t.Errorf("%v; %q", err, c.Notes())
	}
	if failed.Load() != 1 || lacks.Load() != 2 {
		t.Errorf("asked %d and %d times, want 1 and 2", failed.Load(), lacks.Load())
	}
	if _, err := os.Stat(c.cache.path(v.request(Debuginfo))); err == nil {
		t.Error("a miss was remembered that is not certain")
	}
}

// TestNoRoom checks that a folder that takes no files is told, and ends all fetching.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	v := build(t)
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, v.stripped) }))
	write(t, c.cache.dir, "a file where the folder should be")
	for range 2 {
		if _, err := c.Find(t.Context(), v.request(Executable)); err != ErrUnavailable {
			t.Errorf("%v", err)
		}
	}
	if got := told(c); strings.Count(got, "Fetched files cannot be kept: ") != 1 || !strings.Contains(got, c.cache.dir) {
		t.Errorf("notes %q", got)
	}
	if err := copyBody(full{}, strings.NewReader("x")); !errors.As(err, new(*localError)) {
		t.Errorf("a full disk is not told from a bad server: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestClean checks that what nobody used for long is removed once in a while, and nothing else.
func TestClean(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := &cache{dir: t.TempDir()}
	old, used, foreign := filepath.Join(c.dir, "abcd", "debuginfo"), filepath.Join(c.dir, "ef01", "executable"), filepath.Join(c.dir, "notes", "debuginfo")
	for path, age := range map[string]time.Duration{old: 8 * 24 * time.Hour, used: 132 * time.Hour, foreign: 99 * 24 * time.Hour} {
		write(t, path, "x")
		if err := os.Chtimes(path, now.Add(-age), now.Add(-99*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	there := func() (n int) {
		for _, path := range []string{old, used, foreign} {
			if _, err := os.Stat(path); err == nil {
				n++
			}
		}
		return n
	}
	c.clean(now) // the first round only starts the clock
	if there() != 3 {
		t.Fatal("cleaned at once")
	}
	c.clean(now.Add(25 * time.Hour))
	if _, err := os.Stat(filepath.Dir(old)); err == nil || there() != 2 {
		t.Errorf("after a day %d files are left, and the folder of the old one: %v", there(), err)
	}
	c.clean(now.Add(47 * time.Hour))
	if there() != 2 {
		t.Error("cleaned again within the same day")
	}
}
