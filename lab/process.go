package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Process is a running scenario as its driver sees it: the target itself, or a wrapper (a tracer, a debugger) above it.
type Process struct {
	Root int // PID of what was started
	path string
	out  *recorder
	hang func() // closes the reading end of the output
}

// recorder collects output and lets others wait for a text in it.
type recorder struct {
	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{} // closed and replaced on each write
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{})} }

// tee is a stream that is kept for itself and in the common recorder.
type tee struct {
	own bytes.Buffer
	all *recorder
}

func (t *tee) Write(p []byte) (int, error) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.own.Write(p)
	t.all.all.Write(p)
	close(t.all.more)
	t.all.more = make(chan struct{})
	return len(p), nil
}

// WaitOutput returns when the text has been printed on either stream.
func (p *Process) WaitOutput(ctx context.Context, text string) error {
	for {
		p.out.mu.Lock()
		found := strings.Contains(p.out.all.String(), text)
		more := p.out.more
		p.out.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%q was not printed: %w", text, ctx.Err())
		}
	}
}

// Target is the PID of the program under test, below the wrapper if there is one. It may take a moment to appear.
func (p *Process) Target(ctx context.Context) (int, error) {
	for {
		if pid := findTarget(p.Root, p.path); pid != 0 {
			return pid, nil
		}
		select {
		case <-ctx.Done():
			return 0, errors.New("the program under test is not there")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// findTarget looks for a descendant of root (or root itself) that runs the program; 0 when there is none.
func findTarget(root int, path string) int {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return 0
	}
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			parents[pid] = parentOf(pid)
		}
	}
	for pid := range parents {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || exe != real {
			continue
		}
		for up := pid; up > 1; up = parents[up] {
			if up == root {
				return pid
			}
		}
	}
	return 0
}

// parentOf reads the fourth field of /proc/PID/stat (proc(5)); the second may contain anything, so it is found from behind.
func parentOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
