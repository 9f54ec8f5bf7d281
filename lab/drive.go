package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

// replyTimeout is how long the driver waits for an answer: a fault's victim often never sends one.
const replyTimeout = 3 * time.Second

// drive waits until the program serves, then does what the trigger says.
func (s *Scenario) drive(ctx context.Context, p *Process) error {
	t := s.Fault.Trigger
	if t.idle() {
		return nil
	}
	if err := s.ready(ctx, p); err != nil {
		return err
	}
	if t.LimitMiB > 0 {
		if err := limitMemory(ctx, p, t.LimitMiB); err != nil {
			return err
		}
	}
	if t.HangUp {
		p.hang()
	}
	for _, request := range t.HTTP {
		if err := s.request(ctx, request); ctx.Err() != nil {
			return err
		}
	}
	done, err := s.messages(ctx, t)
	defer done()
	if err != nil && ctx.Err() != nil {
		return err
	}
	if t.EndAfter == "" {
		<-ctx.Done()
		return nil
	}
	return end(ctx, p, t.EndAfter)
}

func (t Trigger) idle() bool {
	return len(t.HTTP) == 0 && len(t.WS) == 0 && t.EndAfter == "" && t.LimitMiB == 0 && !t.HangUp
}

// ready waits for the text that the trigger names, or else for the HTTP port, which is the last thing to open.
func (s *Scenario) ready(ctx context.Context, p *Process) error {
	if s.Fault.Trigger.WaitFor != "" {
		return p.WaitOutput(ctx, s.Fault.Trigger.WaitFor)
	}
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.HTTPPort))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the HTTP port never opened: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Request sends "METHOD /path BODY" and returns status and body of the answer.
func (s *Scenario) Request(ctx context.Context, line string) (status int, body string, err error) {
	method, rest, _ := strings.Cut(line, " ")
	path, text, _ := strings.Cut(rest, " ")
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", s.HTTPPort, path), strings.NewReader(expand(text)))
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(bufio.NewReader(resp.Body))
	return resp.StatusCode, string(data), err
}

// request sends a request whose answer does not matter.
func (s *Scenario) request(ctx context.Context, line string) error {
	_, _, err := s.Request(ctx, line)
	return err
}

// expand replaces "{{TEXT*N}}" by N copies of TEXT, so that long bodies need not stand in the catalogue.
func expand(text string) string {
	open := strings.Index(text, "{{")
	if open < 0 {
		return text
	}
	inner, after, ok := strings.Cut(text[open+2:], "}}")
	star := strings.LastIndex(inner, "*")
	if !ok || star < 0 {
		return text
	}
	n, err := strconv.Atoi(inner[star+1:])
	if err != nil {
		return text
	}
	return text[:open] + strings.Repeat(inner[:star], n) + expand(after)
}

// messages sends each WebSocket message on a connection of its own.
func (s *Scenario) messages(ctx context.Context, t Trigger) (done func(), err error) {
	var open []*websocket.Conn
	done = func() {
		for _, c := range open {
			_ = c.CloseNow()
		}
	}
	for _, text := range t.WS {
		conn, err := s.Message(ctx, expand(text))
		if conn != nil && t.Together {
			open = append(open, conn)
		} else if conn != nil {
			_ = conn.CloseNow()
			// The server needs a moment to notice; the next connection must come after.
			time.Sleep(200 * time.Millisecond)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Message opens a WebSocket connection, sends a text and waits for an answer.
func (s *Scenario) Message(ctx context.Context, text string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/stream", s.WSPort), nil)
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return conn, err
	}
	_, _, err = conn.Read(ctx)
	return conn, err
}

// limitMemory bounds the target's address space to what it has now plus some.
func limitMemory(ctx context.Context, p *Process, mib int64) error {
	pid, err := p.Target(ctx)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return err
	}
	pages, err := strconv.ParseUint(strings.Fields(string(data))[0], 10, 64)
	if err != nil {
		return err
	}
	bytes := pages*uint64(os.Getpagesize()) + uint64(mib)<<20
	return unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: bytes}, nil)
}

// end sends the signal that ends a program which lives on.
func end(ctx context.Context, p *Process, name string) error {
	signal := unix.SignalNum(name)
	if signal == 0 {
		return fmt.Errorf("no signal %q", name)
	}
	// What was provoked may still be printing.
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return nil
	}
	pid, err := p.Target(ctx)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
