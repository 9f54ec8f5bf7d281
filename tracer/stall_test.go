package tracer

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"meshdiag/crash"
)

func TestStall(t *testing.T) {
	began := time.Now()
	obs := watch(t, Options{Path: program(t, "hang.c"), StallAfter: 300 * time.Millisecond}, func(c *crash.Crash) {
		if c.Outcome.End != crash.EndStalled || len(c.Threads) != 2 || c.Focus != 0 {
			t.Fatalf("outcome %+v, %d threads", c.Outcome, len(c.Threads))
		}
		blocked, spins := c.Threads[0], c.Threads[1]
		if blocked.State != "S" || blocked.CPUWindow < 100*time.Millisecond || blocked.CPU > 5*time.Millisecond {
			t.Errorf("blocked thread: state %s, %v of %v", blocked.State, blocked.CPU, blocked.CPUWindow)
		}
		if blocked.Syscall == nil || blocked.Syscall.Number != syscall.SYS_FUTEX {
			t.Errorf("blocked thread is in %+v, want futex", blocked.Syscall)
		}
		if spins.State != "R" || spins.CPU < 5*time.Millisecond+4*blocked.CPU { // the machine may be busy
			t.Errorf("spinning thread: state %s, %v of %v", spins.State, spins.CPU, spins.CPUWindow)
		}
		if _, err := crash.ReadUint64(c.Memory, blocked.Regs.RSP); err != nil {
			t.Error(err)
		}
	})
	if obs.out.End != crash.EndStalled || time.Since(began) > 5*time.Second {
		t.Errorf("outcome %+v after %v", obs.out, time.Since(began))
	}
	lines := obs.crash.Output.Lines
	if len(lines) != 2 || lines[0].Text != "starting" || lines[1].Text != "waiting for" || lines[1].Whole {
		t.Errorf("lines %+v", lines)
	}
}

// TestNoStall has output at shorter intervals than the watchdog's.
func TestNoStall(t *testing.T) {
	o := Options{Path: "/bin/sh", Args: []string{"-c", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done"}, StallAfter: 250 * time.Millisecond}
	if obs := watch(t, o, nil); obs.out.End != crash.EndExit || len(obs.crash.Output.Lines) != 8 {
		t.Errorf("outcome %+v, %d lines", obs.out, len(obs.crash.Output.Lines))
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	go func() {
		_, _ = reader.Read(make([]byte, 100))
		cancel()
	}()
	var seen *crash.Crash
	began := time.Now()
	out, err := Run(ctx, Options{Path: program(t, "sleepy.c"), Stdin: null, Stdout: writer, Stderr: null, Inspect: func(c *crash.Crash) { seen = c }})
	if err != nil || out.End != crash.EndSignal || out.Signal.Number != 9 || time.Since(began) > 3*time.Second {
		t.Fatalf("outcome %+v, %v, after %v", out, err, time.Since(began))
	}
	if seen == nil || len(seen.Threads) != 1 || !seen.Threads[0].RegsOK {
		t.Fatalf("observation %+v", seen)
	}
	var pids [2]int
	if _, err := fmt.Sscan(seen.Output.Lines[0].Text, &pids[0], &pids[1]); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pids[1], 0) == nil && liveState(pids[1]) != "Z" {
		t.Errorf("the child %d was left behind", pids[1])
	}
}

// TestMotion tells a loop that goes in a circle from one that counts.
func TestMotion(t *testing.T) {
	watch(t, Options{Path: program(t, "motion.c"), StallAfter: 300 * time.Millisecond}, func(c *crash.Crash) {
		circles, counts := c.Threads[0].Motion, c.Threads[1].Motion
		if circles == nil || len(circles.Looks) < 2 || len(circles.Loop) == 0 || len(circles.Loop) > 8 {
			t.Errorf("the loop on a flag: %+v", circles)
		}
		if counts == nil || counts.Steps < 1000 || len(counts.Loop) != 0 {
			t.Errorf("the loop that counts in memory: %+v", counts)
		}
		if a := c.Threads[1].Activity; a == nil || a.Calls != 0 || a.Wakes > 20 {
			t.Errorf("activity %+v", a)
		}
	})
}
