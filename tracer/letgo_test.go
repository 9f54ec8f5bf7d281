package tracer

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// TestLetGo lets a program with several threads and a hot breakpoint go, and checks that it lives on, untraced, and that
// what it prints still arrives.
func TestLetGo(t *testing.T) {
	for round := range 3 {
		path := program(t, "living.c")
		leave := make(chan struct{})
		file, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		go func() { // in the middle of its work
			for begin := time.Now(); printed(t, file.Name()) < 5+round && time.Since(begin) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			close(leave)
		}()
		pid, lines := 0, 0
		out, err := Run(t.Context(), Options{Path: path, Breakpoints: []string{"watched"}, Resolve: resolveSymbols, Stdout: file, Stderr: file,
			Leave: leave, Inspect: func(c *crash.Crash) {
				pid, lines = c.Target.PID, len(c.Output.Lines)
				if c.Outcome.End != crash.EndRunning || len(c.Threads) != 4 || len(c.Panics) == 0 {
					t.Errorf("%+v, %d threads, %d panics", c.Outcome, len(c.Threads), len(c.Panics))
				}
			}})
		if err != nil || out.End != crash.EndRunning || pid == 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		defer func() {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}()
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || !strings.Contains(string(status), "TracerPid:\t0\n") || !strings.Contains(string(status), "Threads:\t4\n") {
			t.Fatalf("it is not well: %v\n%s", err, status)
		}
		before := printed(t, file.Name())
		if before < lines {
			t.Errorf("%d of %d lines arrived", before, lines)
		}
		for deadline := time.Now().Add(10 * time.Second); printed(t, file.Name()) < before+20; {
			if time.Now().After(deadline) {
				t.Fatalf("after %d lines nothing more came", before)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := unix.Kill(pid, 0); err != nil {
			t.Errorf("it is gone: %v", err)
		}
	}
}

// printed counts the lines in a file, which must count up without a gap.
func printed(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasSuffix(line, "\n") {
			if !strings.HasPrefix(line, fmt.Sprintf("%d ", n)) {
				t.Errorf("line %d is %q", n, line)
			}
			n++
		}
	}
	return n
}
