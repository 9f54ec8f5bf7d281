package debuginfod

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Bounds where the environment sets none. elfutils waits 90 s for a server and has no other bound; one dead server must not
// cost a report that.
const (
	defaultTimeout = 15 * time.Second
	defaultMaxTime = 60 * time.Second
	defaultMaxSize = 2 << 30
)

// Config says whom to ask, where to keep what they send, and how much of it is borne.
type Config struct {
	Servers []*url.URL    // asked in this order
	Cache   string        // folder, laid out as elfutils does; "" there is none, and nothing is fetched
	Timeout time.Duration // in which a server must send 100 KiB, or all; 0 as long as MaxTime lasts
	MaxTime time.Duration // for all downloads of a Client together
	MaxSize int64         // bytes of one file

	// Started is called before a download, from the goroutine that called Find. The download ends with the context that it
	// returns, and calls its second result when it is over. nil is allowed.
	Started func(context.Context, *Download) (context.Context, func())
}

// FromEnv reads the variables of debuginfod-client-config(7). Each problem is a sentence on a value that is not used.
func FromEnv() (c Config, problems []string) {
	c = Config{Cache: cacheDir(), Timeout: defaultTimeout, MaxTime: defaultMaxTime, MaxSize: defaultMaxSize}
	for i, word := range strings.Fields(os.Getenv("DEBUGINFOD_URLS")) {
		if strings.HasPrefix(word, "ima:") {
			continue // how signatures of the URLs behind it are checked, which only builds with libimaevm do
		}
		u, err := url.Parse(word)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			problems = append(problems, fmt.Sprintf("Entry %d of DEBUGINFOD_URLS is not used: it is no http or https URL.", i+1))
			continue
		}
		c.Servers = append(c.Servers, u)
	}
	number := func(name string, use func(int64)) {
		s := os.Getenv(name)
		if s == "" {
			return
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s is not used: it is %q, not a whole number.", name, s))
			return
		}
		use(n)
	}
	number("DEBUGINFOD_TIMEOUT", func(n int64) { c.Timeout = secondsOf(max(n, 0)) })
	number("DEBUGINFOD_MAXTIME", func(n int64) {
		if n > 0 {
			c.MaxTime = secondsOf(n)
		}
	})
	number("DEBUGINFOD_MAXSIZE", func(n int64) {
		if n > 0 {
			c.MaxSize = n
		}
	})
	return c, problems
}

func secondsOf(n int64) time.Duration { return time.Duration(min(n, 1<<31)) * time.Second }

// cacheDir is where elfutils keeps its files (debuginfod-find(1), "CACHE"); "" when the environment names no place.
func cacheDir() string {
	if dir := os.Getenv("DEBUGINFOD_CACHE_PATH"); dir != "" {
		return dir
	}
	home := os.Getenv("HOME")
	if home != "" {
		old := filepath.Join(home, ".debuginfod_client_cache")
		if _, err := os.Stat(old); err == nil {
			return old
		}
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "debuginfod_client")
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".cache", "debuginfod_client")
}
