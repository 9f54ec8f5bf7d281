package debuginfod

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meshdiag/symbols"
)

// serve starts a server and returns its URL with a user and a password.
func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("me", "hunter2")
	return u
}

// client is one with a cache of its own and small bounds.
func client(t *testing.T, servers ...*url.URL) *Client {
	t.Helper()
	return New(Config{Servers: servers, Cache: filepath.Join(t.TempDir(), "cache"), MaxTime: time.Minute, MaxSize: 1 << 20}, symbols.BuildID)
}

// leftovers are the files in a cache beside those that steer it.
func leftovers(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir && d.Name() != intervalFile {
			files = append(files, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func told(c *Client) string { return strings.Join(c.Notes(), "\n") }

// flood writes until the client is gone.
func flood(w http.ResponseWriter, first string) {
	_, err := w.Write([]byte(first))
	junk := make([]byte, 32<<10)
	for err == nil {
		_, err = w.Write(junk)
	}
}

// TestHostileServer checks that whatever a server sends or withholds costs neither the report nor the disk: the file is
// counted as not there, the server is not asked again, the reason is told without its password, and nothing is left in the cache.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	v := build(t)
	whole, err := os.ReadFile(v.whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		want   string
		notBad bool // it is a bound of ours, and the server may be asked for something else
		answer http.HandlerFunc
	}{
		{"endless text", "what it sent is not an ELF file", false, func(w http.ResponseWriter, _ *http.Request) { flood(w, "<html>") }},
		{"endless ELF", "has the debug information of server, and it is larger than 1048576 bytes (DEBUGINFOD_MAXSIZE)", true,
			func(w http.ResponseWriter, _ *http.Request) { flood(w, elfMagic) }},
		{"large by its own words", "it is larger than 1048576 bytes", true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999999999")
			flood(w, elfMagic)
		}},
		{"refuses for the size", "it is larger than 1048576 bytes", true, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-DEBUGINFOD-MAXSIZE") == "1048576" {
				http.Error(w, "File too large", http.StatusNotAcceptable)
			}
		}},
		{"packed zeros", "it is larger than 1048576 bytes", true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, err := z.Write([]byte(elfMagic))
			for junk := make([]byte, 1<<20); err == nil; {
				_, err = z.Write(junk)
			}
		}},
		{"slow drip", "it sent less than 100 KiB in 300ms", false, func(w http.ResponseWriter, r *http.Request) {
			for i := 0; r.Context().Err() == nil; i++ {
				_, _ = w.Write([]byte{whole[i%len(whole)]})
				w.(http.Flusher).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		}},
		{"never answers", "it sent less than 100 KiB in 300ms", false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"endless headers", "server response headers exceeded", false, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 5000 {
				w.Header().Set(fmt.Sprintf("X-Junk-%d", i), strings.Repeat("x", 1000))
			}
			flood(w, elfMagic)
		}},
		{"redirects in a ring", "it redirects too often", false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }},
		{"redirects to a file", "it redirects to something that is not http or https", false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file://"+v.whole, http.StatusFound)
		}},
		{"another file", "what it sent is another file, with the build ID ", false, func(w http.ResponseWriter, _ *http.Request) {
			other := []byte(strings.ReplaceAll(string(whole), string(buildIDBytes(t, v.id)), strings.Repeat("\x11", 20)))
			_, _ = w.Write(other)
		}},
		{"no build ID", "what it sent has no build ID", false, func(w http.ResponseWriter, _ *http.Request) {
			// The note's owner GNU, in front of the build ID, is overwritten.
			id := string(buildIDBytes(t, v.id))
			_, _ = w.Write([]byte(strings.ReplaceAll(string(whole), "GNU\x00"+id, "XXX\x00"+id)))
		}},
		{"damaged ELF", "what it sent cannot be used: ", false, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(append([]byte(elfMagic), strings.Repeat("\xff", 4000)...))
		}},
		{"cut short", "unexpected EOF", false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:len(whole)/2])
		}},
		{"empty", "what it sent cannot be used: ", false, func(http.ResponseWriter, *http.Request) {}},
		{"fails", "it answered with HTTP status 503 Service Unavailable", false, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "\x1b[31mpassword=x", http.StatusServiceUnavailable)
		}},
		{"wants a password", "it answered with HTTP status 401 Unauthorized", false, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/debuginfo") {
					asked.Add(1)
				}
				test.answer(w, r)
			})
			c := client(t, server)
			c.config.Timeout = 300 * time.Millisecond
			if test.notBad {
				c.config.Timeout = 0
			}
			if path, err := c.Find(t.Context(), v.request(Debuginfo)); err != ErrUnavailable {
				t.Fatalf("%q, %v; %q", path, err, c.Notes())
			}
			first := asked.Load()
			_, _ = c.Find(t.Context(), v.request(Debuginfo))
			if again := asked.Load() > first; again != test.notBad {
				t.Errorf("asked again: %v", again)
			}
			got := told(c)
			if !strings.Contains(got, test.want) {
				t.Errorf("notes %q lack %q", got, test.want)
			}
			if strings.Contains(got, "hunter2") || strings.Contains(got, "me@") || strings.Contains(got, "\x1b") {
				t.Errorf("notes %q tell too much", got)
			}
			if files := leftovers(t, c.cache.dir); len(files) > 0 {
				t.Errorf("left in the cache: %q", files)
			}
		})
	}
}

func buildIDBytes(t *testing.T, id string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(id, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDowngrade checks that a redirect from https to http is not followed.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	v := build(t)
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, v.whole) })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.String(), http.StatusFound)
	}))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, u)
	c.http.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := c.Find(t.Context(), v.request(Executable)); err == nil || !strings.Contains(told(c), "it redirects from https to something else") {
		t.Errorf("%v; %q", err, c.Notes())
	}
}

// TestPasswordStaysAtItsServer checks that a server gets the password of its URL, and one that it redirects to does not.
func TestPasswordStaysAtItsServer(t *testing.T) {
	t.Parallel()
	v := build(t)
	var elsewhere http.Header
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere = r.Header.Clone()
		http.ServeFile(w, r, v.stripped)
	})
	second.User = nil
	second.Host = strings.Replace(second.Host, "127.0.0.1", "localhost", 1)
	var password string
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, password, _ = r.BasicAuth()
		http.Redirect(w, r, second.String()+r.URL.Path, http.StatusFound)
	})
	c := client(t, first)
	path, err := c.Find(t.Context(), v.request(Executable))
	if err != nil {
		t.Fatalf("%v; %q", err, c.Notes())
	}
	same(t, path, v.stripped)
	if password != "hunter2" {
		t.Errorf("the server got the password %q", password)
	}
	for name, values := range elsewhere {
		if strings.Contains(strings.Join(values, " "), "hunter2") || name == "Authorization" {
			t.Errorf("the other server got %s: %q", name, values)
		}
	}
	if got, want := told(c), "Fetched from http://"+first.Host+": the file of server (1"; !strings.HasPrefix(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// TestOneDeadline checks that the time for all files together is bounded, whatever each server is granted.
func TestOneDeadline(t *testing.T) {
	t.Parallel()
	v := build(t)
	var asked atomic.Int32
	hang := func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}
	c := client(t, serve(t, hang), serve(t, hang))
	c.config.MaxTime, c.left = 200*time.Millisecond, 200*time.Millisecond
	for _, k := range []Kind{Executable, Debuginfo} {
		if _, err := c.Find(t.Context(), v.request(k)); err != ErrUnavailable {
			t.Errorf("%v: %v", k, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	want := "Could not be fetched: the file of server, the debug information of server.\nNothing more was fetched after 200ms (DEBUGINFOD_MAXTIME)."
	if got := told(c); got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// TestManyModules checks that a core that claims modules without end does not keep the servers busy.
func TestManyModules(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.NotFound(w, r) }))
	for i := range 2 * maxFiles {
		_, _ = c.Find(t.Context(), Request{Kind: Executable, BuildID: fmt.Sprintf("%040x", i), Name: "m"})
	}
	if n := asked.Load(); n != maxFiles {
		t.Errorf("%d requests", n)
	}
	if got := told(c); len(got) > 1000 || !strings.Contains(got, "Nothing more was fetched after 256 files.") {
		t.Errorf("notes %q", got)
	}
}

// TestInterrupt checks that a user who ends a download ends all of them.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	v := build(t)
	ctx, interrupt := context.WithCancel(t.Context())
	c := client(t, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	ended := 0
	c.config.Started = func(_ context.Context, d *Download) (context.Context, func()) { return ctx, func() { ended++ } }
	for range 2 {
		if _, err := c.Find(t.Context(), v.request(Executable)); err != ErrUnavailable {
			t.Error(err)
		}
	}
	if got := told(c); !strings.Contains(got, "Fetching files was interrupted.") || ended != 1 {
		t.Errorf("notes %q, ended %d", got, ended)
	}
}
