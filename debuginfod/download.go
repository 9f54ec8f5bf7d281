package debuginfod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Bounds of one request.
const (
	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
	dialTimeout    = 5 * time.Second
	paceBytes      = 100 << 10 // what a server must send in Config.Timeout (DEBUGINFOD_TIMEOUT)
)

var (
	errTimeOver = errors.New("the time for fetching files is over")
	errNotELF   = errors.New("what it sent is not an ELF file")
)

// tooLargeError says that a server has the file, and that it is larger than is borne.
type tooLargeError struct{ max int64 }

func (e *tooLargeError) Error() string { return fmt.Sprintf("it is larger than %d bytes", e.max) }

// Download is a download that is under way. Its methods may be called from any goroutine.
type Download struct {
	Request
	server     atomic.Pointer[url.URL]
	got, total atomic.Int64
}

// Got is the number of bytes received.
func (d *Download) Got() int64 { return d.got.Load() }

// Total is the number of bytes expected; 0 unknown.
func (d *Download) Total() int64 { return max(d.total.Load(), 0) }

// Server names the server that is being asked, without its password.
func (d *Download) Server() string { return display(d.server.Load()) }

func (d *Download) begin(server *url.URL) {
	d.server.Store(server)
	d.got.Store(0)
	d.total.Store(0)
}

// display is a server's URL for people: no user, password, path or query, any of which may be a secret.
func display(u *url.URL) string { return u.Scheme + "://" + u.Host }

func newHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        dialTimeout,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return errors.New("it redirects too often")
			case to.URL.Scheme != "https" && via[0].URL.Scheme == "https":
				return errors.New("it redirects from https to something else")
			case to.URL.Scheme != "https" && to.URL.Scheme != "http":
				return errors.New("it redirects to something that is not http or https")
			}
			return nil
		},
	}
}

// download gets d's file from one server into the cache.
func (c *Client) download(ctx context.Context, server *url.URL, d *Download) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := newPace(c.config.Timeout, cancel)
	defer p.stop()
	path, err := c.get(ctx, server, d, p)
	var local *localError
	if err != nil && !errors.As(err, &local) && context.Cause(ctx) != nil {
		err = context.Cause(ctx) // rather than what the HTTP client makes of it
	}
	return path, err
}

func (c *Client) get(ctx context.Context, server *url.URL, d *Download, p *pace) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.JoinPath("buildid", d.BuildID, string(d.Kind)).String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "meshdiag")
	req.Header.Set("X-DEBUGINFOD-MAXSIZE", strconv.FormatInt(c.config.MaxSize, 10))
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which may have a password
		}
		return "", err
	}
	defer resp.Body.Close()
	large := &tooLargeError{c.config.MaxSize}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return "", ErrNotFound
	case resp.StatusCode == http.StatusNotAcceptable: // debuginfod's answer to X-DEBUGINFOD-MAXSIZE
		return "", large
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("it answered with HTTP status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case resp.ContentLength > c.config.MaxSize:
		return "", large
	}
	d.total.Store(resp.ContentLength)
	return c.cache.store(d.Request, &body{from: resp.Body, max: c.config.MaxSize, d: d, pace: p})
}

// body is a response's body that ends with an error when it is too large, or does not begin as an ELF file does.
type body struct {
	from io.Reader
	max  int64
	d    *Download
	pace *pace
	head []byte // the first bytes, until there are enough to judge
}

const elfMagic = "\x7fELF"

func (b *body) Read(buf []byte) (int, error) {
	n, err := b.from.Read(buf)
	b.pace.count(n)
	if b.d.got.Add(int64(n)) > b.max {
		return n, &tooLargeError{b.max}
	}
	if missing := len(elfMagic) - len(b.head); missing > 0 {
		b.head = append(b.head, buf[:min(n, missing)]...)
		if elfMagic[:len(b.head)] != string(b.head) {
			return n, errNotELF
		}
	}
	return n, err
}

// pace cancels a download that brings less than paceBytes in each span of time.
type pace struct {
	span  time.Duration
	timer *time.Timer // nil: any pace will do
	got   int
}

func newPace(span time.Duration, cancel context.CancelCauseFunc) *pace {
	p := &pace{span: span}
	if span > 0 {
		p.timer = time.AfterFunc(span, func() { cancel(fmt.Errorf("it sent less than %d KiB in %v", paceBytes>>10, span)) })
	}
	return p
}

func (p *pace) count(n int) {
	if p.got += n; p.got >= paceBytes && p.timer != nil {
		p.got = 0
		p.timer.Reset(p.span)
	}
}

func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
