package debuginfod

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CACHE_HOME": "", "DEBUGINFOD_CACHE_PATH": "",
		"DEBUGINFOD_URLS":    "ima:enforcing https://me:hunter2@one.example/ ftp://me:hunter2@two.example http://three.example:8002/x",
		"DEBUGINFOD_TIMEOUT": "7", "DEBUGINFOD_MAXTIME": "soon", "DEBUGINFOD_MAXSIZE": "1000",
	} {
		t.Setenv(name, value)
	}
	c, problems := FromEnv()
	if len(c.Servers) != 2 || c.Servers[0].Host != "one.example" || c.Servers[1].Path != "/x" {
		t.Errorf("servers %v", c.Servers)
	}
	if c.Timeout != 7*time.Second || c.MaxTime != defaultMaxTime || c.MaxSize != 1000 {
		t.Errorf("bounds %v, %v, %d", c.Timeout, c.MaxTime, c.MaxSize)
	}
	want := "Entry 3 of DEBUGINFOD_URLS is not used: it is no http or https URL.\nDEBUGINFOD_MAXTIME is not used: it is \"soon\", not a whole number."
	if got := strings.Join(problems, "\n"); got != want {
		t.Errorf("problems %q, want %q", got, want)
	}
}

// TestCacheDir checks the order of places in debuginfod-find(1), "CACHE".
func TestCacheDir(t *testing.T) {
	home := t.TempDir()
	place := func(want string) {
		t.Helper()
		if got := cacheDir(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("DEBUGINFOD_CACHE_PATH", "")
	place("")
	t.Setenv("HOME", home)
	place(filepath.Join(home, ".cache/debuginfod_client"))
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	place("/xdg/debuginfod_client")
	if err := os.Mkdir(filepath.Join(home, ".debuginfod_client_cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	place(filepath.Join(home, ".debuginfod_client_cache"))
	t.Setenv("DEBUGINFOD_CACHE_PATH", "/here")
	place("/here")
}
