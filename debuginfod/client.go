// Package debuginfod gets executables and debug information by build ID: from the cache on disk that gdb and the tools of
// elfutils share, and from the servers of DEBUGINFOD_URLS (debuginfod-client-config(7)).
//
// Servers are not trusted. What they send is bounded in size and time, used only under the build ID that was asked for, and
// comes into the cache in one piece. A server that failed is not asked again by the same Client.
package debuginfod

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind is what is asked for: the last part of the request's path, and the name of the file in the cache.
type Kind string

const (
	Executable Kind = "executable" // the program or library with its code
	Debuginfo  Kind = "debuginfo"  // its debug sections
)

// Request is for one file.
type Request struct {
	Kind      Kind
	BuildID   string // lower-case hex
	Name      string // of the module, for people
	CacheOnly bool   // ask no server
}

// Why there is no file.
var (
	ErrNotFound    = errors.New("no debuginfod server has it")
	ErrUnavailable = errors.New("it could not be fetched")
)

// Client finds files for one report. It is not safe for concurrent use.
type Client struct {
	config  Config
	cache   cache
	http    *http.Client
	left    time.Duration // of Config.MaxTime
	down    map[int]bool  // servers that failed, by their place in Config.Servers
	over    bool          // nothing is fetched any more
	asked   int           // files that servers were asked for
	cleaned bool
	notes   notes
}

// maxFiles bounds what one report may ask for: a core can claim any number of modules.
const maxFiles = 256

// New makes a client. buildID reads the build ID of an ELF file, which may be damaged on purpose.
func New(c Config, buildID func(path string) (string, error)) *Client {
	return &Client{config: c, cache: cache{c.Cache, buildID}, http: newHTTP(), left: c.MaxTime, down: make(map[int]bool)}
}

// Find returns the path of the file in the cache, fetching it when it is not there. The error is ErrNotFound or
// ErrUnavailable; Notes says more.
func (c *Client) Find(ctx context.Context, q Request) (string, error) {
	if raw, err := hex.DecodeString(q.BuildID); err != nil || len(raw) < 2 || len(raw) > 64 || c.cache.dir == "" {
		return "", ErrNotFound
	}
	path, state := c.cache.look(q, time.Now())
	if state == held {
		return path, nil
	}
	if q.CacheOnly || len(c.config.Servers) == 0 {
		return "", ErrNotFound
	}
	if state == missed {
		c.notes.missing(q)
		return "", ErrNotFound
	}
	return c.fetch(ctx, q)
}

// fetch asks one server after the other.
func (c *Client) fetch(ctx context.Context, q Request) (string, error) {
	if c.over {
		c.notes.skipped(q)
		return "", ErrUnavailable
	}
	if !c.cleaned {
		c.cleaned = true
		c.cache.clean(time.Now())
	}
	if c.asked++; c.asked > maxFiles {
		c.over = true
		c.notes.said = append(c.notes.said, fmt.Sprintf("Nothing more was fetched after %d files.", maxFiles))
		c.notes.skipped(q)
		return "", ErrUnavailable
	}
	start := time.Now()
	defer func() { c.left -= time.Since(start) }()
	ctx, cancel := context.WithTimeoutCause(ctx, c.left, errTimeOver)
	defer cancel()
	d := &Download{Request: q}
	if c.config.Started != nil {
		var end func()
		ctx, end = c.config.Started(ctx, d)
		defer end()
	}
	certain := true // every server said that it does not have it
	for i, server := range c.config.Servers {
		if c.down[i] {
			certain = false
			continue
		}
		d.begin(server)
		path, err := c.download(ctx, server, d)
		var local *localError
		var large *tooLargeError
		switch {
		case err == nil:
			c.notes.fetched(server, q, d.Got())
			return path, nil
		case errors.Is(err, ErrNotFound):
			continue
		case errors.As(err, &large):
			c.notes.tooLarge(server, q, large)
		case errors.As(err, &local), ctx.Err() != nil:
			c.over = true
			c.notes.ended(ctx, err, c.config.MaxTime)
		default:
			c.down[i] = true
			c.notes.failed(server, err)
		}
		certain = false
		if c.over {
			break
		}
	}
	if certain {
		c.cache.remember(q)
		c.notes.missing(q)
		return "", ErrNotFound
	}
	c.notes.skipped(q)
	return "", ErrUnavailable
}
