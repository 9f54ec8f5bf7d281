package probe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"meshdiag/profile"
)

// answerTimeout is how long a server may take for one answer.
const answerTimeout = 3 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// Serves checks that a server of the process own answers in its protocol, and that it is this process that answers.
func Serves(ctx context.Context, s profile.Server, port, own int) Check {
	id := "server-" + s.ID
	c := Check{ID: id, Cause: causePort, Kind: serverKind(s)}
	hs := Holders(port)
	if len(hs) == 0 {
		c.Cause, c.Kind = "", ""
		c.Detail = fmt.Sprintf("nobody listens on port %d: the %s did not start", port, s.Title)
		c.Next = []string{"read what the program said; meshdiag run --stall-after 10s explains it"}
		return c
	}
	if !slices.ContainsFunc(hs, func(h Holder) bool { return h.PID == own }) {
		taken := PortFree(port, own, s.Title, c.Kind)
		taken.ID = id
		return taken
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	host := "127.0.0.1:" + strconv.Itoa(port)
	if a := hs[0].Address.Addr(); !a.IsUnspecified() {
		host = hs[0].Address.String()
	}
	begin := time.Now()
	detail, err := talk(ctx, s, host)
	if err != nil {
		return Check{ID: id, Detail: fmt.Sprintf("the %s on port %d does not answer as it should: %s", s.Title, port, err)}
	}
	return passed(id, "%s on port %d: %s after %d ms", s.Title, port, detail, time.Since(begin).Milliseconds())
}

// serverKind is the kind of the cause port-in-use.
func serverKind(s profile.Server) string {
	if s.Kind == "http" || s.Kind == "websocket" {
		return s.Kind
	}
	return kindOther
}

func talk(ctx context.Context, s profile.Server, host string) (string, error) {
	path := "/" + strings.TrimPrefix(s.Path, "/")
	switch s.Kind {
	case "http":
		return askHTTP(ctx, "http://"+host+path)
	case "websocket":
		conn, _, err := websocket.Dial(ctx, "ws://"+host+path, nil)
		if err != nil {
			return "", fmt.Errorf("the WebSocket handshake failed: %w", err)
		}
		return "the WebSocket handshake is complete", conn.CloseNow()
	}
	return "it listens", nil
}

// askHTTP wants an answer of an HTTP server that is not its own failure.
func askHTTP(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return "", fmt.Errorf("its answer breaks off: %w", err)
	}
	if resp.StatusCode >= 500 {
		return "", fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	return fmt.Sprintf("status %d", resp.StatusCode), nil
}
