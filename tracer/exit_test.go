package tracer

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// vanished is a tracer whose target ended by SIGKILL without a last stop, threads having been noted before.
func vanished(t *testing.T, noted ...crash.Thread) (*tracer, *[]*crash.Crash) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	var seen []*crash.Crash
	tr, err := newTracer(Options{Path: "x", Stdin: null, Stdout: null, Stderr: null, Inspect: func(c *crash.Crash) { seen = append(seen, c) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	tr.target = tr.addProcess(100)
	tr.target.departed = noted
	ws := unix.WaitStatus(unix.SIGKILL)
	tr.final = &ws
	return tr, &seen
}

func TestVanishedTarget(t *testing.T) {
	for _, noted := range [][]crash.Thread{nil, {{TID: 102, RegsOK: true}, {TID: 100, RegsOK: true}}} {
		tr, seen := vanished(t, noted...)
		tr.target.groupExit = true
		tr.inspectExit() // nobody is held: must not report, and must come back
		tr.releaseHeld()
		if len(*seen) != 0 {
			t.Fatal("reported without anything to look at")
		}
		tr.inspectRemains()
		tr.inspectRemains()
		if len(*seen) != 1 {
			t.Fatalf("reported %d times", len(*seen))
		}
		c := (*seen)[0]
		if c.Outcome.End != crash.EndSignal || c.Outcome.Signal.Number != 9 || len(c.Threads) != len(noted) || len(c.Warnings) != 1 {
			t.Errorf("%+v, warnings %q", c, c.Warnings)
		}
		if noted == nil && c.Focus != -1 || noted != nil && (c.Focus != 0 || c.Threads[0].TID != 100) {
			t.Errorf("focus %d of %+v", c.Focus, c.Threads)
		}
		if _, err := c.Memory.ReadMemory(make([]byte, 1), 1); err == nil {
			t.Error("memory was read")
		}
	}
}
