package tracer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"meshdiag/crash"
)

func TestObserveFault(t *testing.T) {
	obs := watch(t, Options{Path: program(t, "segv.c"), Args: []string{"one", "two"}, Env: []string{"A=b", "PATH=/bin"}}, func(c *crash.Crash) {
		th := c.FocusThread()
		if th == nil || !th.RegsOK || th.TID != c.Target.PID || !c.IsLeader(th) || th.Name != "segv" {
			t.Fatalf("focus %d of %+v", c.Focus, c.Threads)
		}
		if th.Regs.RDI != 0 || !within(t, c, th.Regs.RIP, "hit") {
			t.Errorf("rip %#x is not in hit, or rdi %#x is not its argument", th.Regs.RIP, th.Regs.RDI)
		}
		if th.Signal == nil || th.Signal.Number != 11 || th.Signal.Code != 1 || th.Signal.Address != 0x10 {
			t.Errorf("signal %+v, want SIGSEGV, SEGV_MAPERR at 0x10", th.Signal)
		}
		if len(th.FP) < 512 {
			t.Errorf("%d bytes of XSAVE area", len(th.FP))
		}
		// movq $0x2a, 0x10(%rdi)
		code := make([]byte, 8)
		if n, err := c.Memory.ReadMemory(code, th.Regs.RIP); err != nil || n != 8 || code[0] != 0x48 || code[1] != 0xc7 {
			t.Errorf("code at rip: % x, %v", code, err)
		}
		ret, err := crash.ReadUint64(c.Memory, th.Regs.RSP)
		if err != nil || !within(t, c, ret, "main") {
			t.Errorf("return address %#x is not in main (%v)", ret, err)
		}
		var gone *crash.UnreadableError
		if n, err := c.Memory.ReadMemory(make([]byte, 4), 0x10); n != 0 || !errors.As(err, &gone) || gone.Addr != 0x10 {
			t.Errorf("address 0x10 was read: %d, %v", n, err)
		}
		checkTarget(t, c)
		checkPartialRead(t, c)
	})
	if obs.out.End != crash.EndSignal || obs.out.Signal.Number != 11 || obs.crash.Outcome.Elapsed <= 0 {
		t.Errorf("outcome %+v, at the freeze %+v", obs.out, obs.crash.Outcome)
	}
	out := obs.crash.Output
	if len(out.Lines) != 1 || out.Lines[0].Text != "before" || !out.Lines[0].Whole || !out.Observed || out.FirstTail != 1 {
		t.Errorf("output %+v", out)
	}
	if _, err := obs.crash.Memory.ReadMemory(make([]byte, 1), obs.crash.Threads[0].Regs.RIP); err == nil {
		t.Error("memory can be read after the run")
	}
}

func checkTarget(t *testing.T, c *crash.Crash) {
	t.Helper()
	tg := c.Target
	if tg.Source != crash.SourceLive || !filepath.IsAbs(tg.ExePath) || tg.CWD == "" || tg.Arch != "amd64" || !tg.StdioShared {
		t.Errorf("target %+v", tg)
	}
	if !slices.Equal(tg.Args[1:], []string{"one", "two"}) || !slices.Equal(tg.Env, []string{"A=b", "PATH=/bin"}) {
		t.Errorf("args %q, env %q", tg.Args, tg.Env)
	}
	m, ok := c.MappingAt(c.FocusThread().Regs.RIP)
	st, _ := os.Stat(tg.ExePath)
	if !ok || m.Path != tg.ExePath || m.Perms != crash.Read|crash.Exec || !m.PermsOK || m.FileSize != st.Size() {
		t.Errorf("mapping of the code: %+v", m)
	}
	if stack, ok := c.MappingAt(c.FocusThread().Regs.RSP); !ok || stack.Path != "[stack]" {
		t.Errorf("mapping of the stack: %+v", stack)
	}
	if c.Auxv[atEntry] == 0 || c.Auxv[6] != pageSize {
		t.Errorf("auxv %v", c.Auxv)
	}
}

// checkPartialRead reads across the end of a mapping.
func checkPartialRead(t *testing.T, c *crash.Crash) {
	t.Helper()
	for i, m := range c.Mappings {
		if m.Perms&crash.Read == 0 || m.Path != "[stack]" || i+1 < len(c.Mappings) && c.Mappings[i+1].Start == m.End {
			continue
		}
		n, err := c.Memory.ReadMemory(make([]byte, 100), m.End-40)
		var gone *crash.UnreadableError
		if n != 40 || !errors.As(err, &gone) || gone.Addr != m.End {
			t.Errorf("read %d bytes across the end %#x: %v", n, m.End, err)
		}
		return
	}
	t.Error("no stack mapping to read across")
}

func TestObserveThreads(t *testing.T) {
	watch(t, Options{Path: program(t, "busythreads.c")}, func(c *crash.Crash) {
		if len(c.Threads) != 11 {
			t.Fatalf("%d threads, want 11", len(c.Threads))
		}
		if f := c.FocusThread(); f == nil || f.Name != "victim" || f.Signal == nil || f.Signal.Address != 0x1234 {
			t.Errorf("focus %+v", f)
		}
		states := map[string]int{}
		for i, th := range c.Threads {
			if !th.RegsOK || th.Regs.RIP == 0 {
				t.Errorf("thread %d has no registers", th.TID)
			}
			if i > 1 && th.TID <= c.Threads[i-1].TID {
				t.Error("threads are not in order")
			}
			key := th.Name + " " + th.State
			if th.Syscall != nil {
				key += fmt.Sprint(" ", th.Syscall.Number)
			}
			states[key]++
		}
		// Threads 1, 3, 5, 9 compute; 0, 2, 4, 6, 8 wait in read; the leader in pause.
		if states["bystander R"] != 4 || states["bystander S 0"] != 5 || states["busythreads S 34"] != 1 || !c.IsLeader(&c.Threads[0]) {
			t.Errorf("states %v", states)
		}
	})
}

// TestGuardPage wants the page below a thread's stack to be unreadable, not zero.
func TestGuardPage(t *testing.T) {
	watch(t, Options{Path: program(t, "busythreads.c")}, func(c *crash.Crash) {
		checked := 0
		for _, m := range c.Mappings {
			if m.Perms == 0 && m.PermsOK && m.Size() == pageSize {
				checked++
				if n, err := c.Memory.ReadMemory(make([]byte, 8), m.Start); n != 0 || err == nil {
					t.Fatalf("guard page %#x was read", m.Start)
				}
			}
		}
		if checked == 0 {
			t.Error("no guard page was found")
		}
	})
}

func TestObserveEnds(t *testing.T) {
	ends := program(t, "ends.c")
	for _, test := range []struct {
		args    []string
		end     crash.End
		code    int
		signal  int
		sender  bool
		threads int
	}{
		{args: []string{"exit", "0"}, end: crash.EndExit, threads: 1},
		{args: []string{"exit", "41"}, end: crash.EndExit, code: 41, threads: 1},
		{args: []string{"threads", "7"}, end: crash.EndExit, code: 7, threads: 6},
		{args: []string{"threads", "0"}, end: crash.EndExit, threads: 6},
		{args: []string{"abort", "0"}, end: crash.EndSignal, signal: 6, sender: true, threads: 1},
		{args: []string{"kill", "15"}, end: crash.EndSignal, signal: 15, sender: true, threads: 1},
		{args: []string{"kill", "9"}, end: crash.EndSignal, signal: 9, threads: 1},
		{args: []string{"raise", "14"}, end: crash.EndSignal, signal: 14, sender: true, threads: 1},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			obs := watch(t, Options{Path: ends, Args: test.args}, func(c *crash.Crash) {
				if c.Outcome.End != test.end || c.Outcome.ExitCode != test.code {
					t.Errorf("outcome at the freeze: %+v", c.Outcome)
				}
				if len(c.Threads) != test.threads {
					t.Errorf("%d threads, want %d", len(c.Threads), test.threads)
				}
				f := c.FocusThread()
				if f == nil || !f.RegsOK {
					t.Fatalf("no focus in %+v", c.Threads)
				}
				if _, err := crash.ReadUint64(c.Memory, f.Regs.RSP); err != nil {
					t.Errorf("the stack cannot be read at the end: %v", err)
				}
				if len(c.Mappings) == 0 || c.Auxv == nil {
					t.Error("no mappings or no auxiliary vector")
				}
				if test.end == crash.EndExit && (f.Syscall == nil || f.Syscall.Number != syscall.SYS_EXIT_GROUP) {
					t.Errorf("focus is in %+v, want exit_group", f.Syscall)
				}
			})
			out := obs.out
			if out.End != test.end || out.ExitCode != test.code || (out.Signal != nil) != (test.signal != 0) {
				t.Fatalf("outcome %+v", out)
			}
			if test.signal != 0 && (out.Signal.Number != test.signal || (out.Signal.PID == obs.crash.Target.PID) != test.sender) {
				t.Errorf("signal %+v", out.Signal)
			}
			if want := "about to " + strings.Join(test.args, " "); obs.stdout != want || obs.crash.Output.Lines[0].Text != want {
				t.Errorf("output %q, lines %v", obs.stdout, obs.crash.Output.Lines)
			}
		})
	}
}

func TestLeaderGoneFirst(t *testing.T) {
	watch(t, Options{Path: program(t, "leaderfault.c")}, func(c *crash.Crash) {
		f := c.FocusThread()
		if len(c.Threads) != 1 || f == nil || f.TID == c.Target.PID || f.Signal.Address != 0x30 {
			t.Fatalf("threads %+v", c.Threads)
		}
		if len(c.Mappings) == 0 || c.Target.ExePath == "" {
			t.Error("the maps of a process without leader were not found")
		}
		if _, err := crash.ReadUint64(c.Memory, f.Regs.RIP); err != nil {
			t.Error(err)
		}
	})
	watch(t, Options{Path: program(t, "leaderexits.c"), Args: []string{"quiet"}}, func(c *crash.Crash) {
		if f := c.FocusThread(); f == nil || c.Outcome.End != crash.EndExit || c.Outcome.ExitCode != 0 {
			t.Errorf("outcome %+v, focus %v", c.Outcome, f)
		}
	})
}

// TestHandledFault checks which sighting is held to be the origin of a death.
func TestHandledFault(t *testing.T) {
	path := program(t, "handler.c")
	for _, test := range []struct {
		way    string
		end    crash.End
		signal int
		code   int
		final  bool
	}{
		{way: "return", end: crash.EndSignal, signal: 11, final: true},
		{way: "raise", end: crash.EndSignal, signal: 11, final: true},
		{way: "unblock", end: crash.EndSignal, signal: 11, final: true},
		{way: "abort", end: crash.EndSignal, signal: 6, final: true},
		{way: "exit", end: crash.EndExit, code: 3, final: true},
		{way: "nested", end: crash.EndSignal, signal: 11, final: true},
		{way: "other", end: crash.EndExit, code: 5, final: true},
		{way: "ignore", end: crash.EndSignal, signal: 6, final: false},
	} {
		for _, stack := range []string{"", "altstack"} {
			t.Run(test.way+" "+stack, func(t *testing.T) {
				args := []string{test.way}
				if stack != "" {
					args = append(args, stack)
				}
				obs := watch(t, Options{Path: path, Args: args}, func(c *crash.Crash) { checkOrigin(t, c, test.final, stack != "") })
				out := obs.out
				if out.End != test.end || out.ExitCode != test.code || out.Signal != nil && out.Signal.Number != test.signal {
					t.Errorf("outcome %+v, signal %+v", out, out.Signal)
				}
			})
		}
	}
}

func checkOrigin(t *testing.T, c *crash.Crash, final, altstack bool) {
	t.Helper()
	if len(c.Panics) == 0 {
		t.Fatal("the fault was not noted")
	}
	for i, s := range c.Panics {
		if s.Final != (final && i == 0) {
			t.Errorf("sighting %d (%s, signal %+v): final = %v", i, s.Why, s.Signal, s.Final)
		}
	}
	s := c.Panics[0]
	if s.Why != "signal" || !s.Handled || s.Signal.Number != 11 || s.Signal.Address != 0x48 || s.At <= 0 {
		t.Errorf("sighting %+v, signal %+v", s, s.Signal)
	}
	if !within(t, c, s.Thread.Regs.RIP, "origin") {
		t.Errorf("rip %#x is not in origin", s.Thread.Regs.RIP)
	}
	if (s.Thread.AltStack.Size() != 0) != altstack {
		t.Errorf("alternate stack %+v", s.Thread.AltStack)
	}
	ret, err := crash.ReadUint64(s.Memory, s.Thread.Regs.RSP)
	if err != nil || !within(t, c, ret, "main") {
		t.Errorf("return address in the saved stack: %#x, %v", ret, err)
	}
	if code, err := crash.ReadUint64(s.Memory, s.Thread.Regs.RIP); err != nil || code&0xff != 0xc7 {
		t.Errorf("saved code %#x, %v", code, err)
	}
}

// TestRustOverflow is a program whose runtime handles SIGSEGV, prints, and aborts.
func TestRustOverflow(t *testing.T) {
	obs := watch(t, Options{Path: program(t, "caught.rs"), Args: []string{"x"}}, func(c *crash.Crash) {
		if len(c.Panics) != 1 || !c.Panics[0].Final || c.Panics[0].Signal.Number != 11 {
			t.Fatalf("sightings %+v", c.Panics)
		}
		if c.Outcome.Signal.Number != 6 || c.Panics[0].Thread.AltStack.Size() == 0 {
			t.Errorf("outcome %+v", c.Outcome.Signal)
		}
	})
	if !strings.Contains(obs.stdout, "overflowed its stack") {
		t.Errorf("output %q", obs.stdout)
	}
}

// TestManyHandledFaults bounds what a program costs that lives with its faults.
func TestManyHandledFaults(t *testing.T) {
	watch(t, Options{Path: program(t, "recover.c")}, func(c *crash.Crash) {
		if len(c.Panics) != maxSightings {
			t.Fatalf("%d sightings kept, want the last %d", len(c.Panics), maxSightings)
		}
		withMemory := 0
		for i, s := range c.Panics {
			if s.Final {
				t.Errorf("sighting %d is final in a program that ended well", i)
			}
			if _, err := crash.ReadUint64(s.Memory, s.Thread.Regs.RSP); err == nil {
				withMemory++
			}
		}
		if withMemory > maxWithMemory {
			t.Errorf("%d sightings hold memory", withMemory)
		}
	})
}

func TestBreakpoints(t *testing.T) {
	o := Options{Path: program(t, "panics.c"), Breakpoints: []string{"panic_begin", "odd_begin", "absent"}, Resolve: resolveSymbols}
	obs := watch(t, o, func(c *crash.Crash) {
		var symbols []string
		for i, s := range c.Panics {
			symbols = append(symbols, s.Symbol)
			if s.Why != "breakpoint" || s.Handled || s.Thread.Regs.RIP != symbol(t, c, s.Symbol) {
				t.Errorf("sighting %d: %+v", i, s)
			}
			if s.Final != (i == len(c.Panics)-1) {
				t.Errorf("sighting %d: final = %v", i, s.Final)
			}
			checkNoInt3(t, s.Memory, s.Thread.Regs.RIP)
		}
		if got := strings.Join(symbols, " "); got != "panic_begin panic_begin panic_begin odd_begin panic_begin" {
			t.Errorf("sightings %s", got)
		}
		checkNoInt3(t, c.Memory, symbol(t, c, "panic_begin"))
		checkNoInt3(t, c.Memory, symbol(t, c, "odd_begin"))
		checkEntry(t, c)
		why, err := crash.ReadCString(c.Memory, c.Panics[len(c.Panics)-1].Thread.Regs.RDI, 20)
		if err != nil || why != "for real" {
			t.Errorf("argument of the last panic: %q, %v", why, err)
		}
	})
	if obs.out.Signal == nil || obs.out.Signal.Number != 6 || !strings.HasPrefix(obs.stdout, "child 8 0 odd 42 sink 297") {
		t.Errorf("outcome %+v, output %q", obs.out, obs.stdout)
	}
}

func checkNoInt3(t *testing.T, m crash.Memory, addr uint64) {
	t.Helper()
	var b [1]byte
	if _, err := m.ReadMemory(b[:], addr); err != nil || b[0] == int3 {
		t.Errorf("code at %#x: %#x, %v", addr, b[0], err)
	}
}

// checkEntry wants the bytes at the entry point, where instructions were stepped, to be the file's.
func checkEntry(t *testing.T, c *crash.Crash) {
	t.Helper()
	got := make([]byte, 16)
	if _, err := c.Memory.ReadMemory(got, c.Auxv[atEntry]); err != nil {
		t.Fatal(err)
	}
	m, _ := c.MappingAt(c.Auxv[atEntry])
	f, err := os.Open(c.Target.ExePath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := make([]byte, 16)
	if _, err := f.ReadAt(want, int64(c.Auxv[atEntry]-m.Start+m.Offset)); err != nil || string(got) != string(want) {
		t.Errorf("entry point shows % x, file has % x (%v)", got, want, err)
	}
}

// TestBreakpointHitCap lets a program that panics and catches for ever run on without the breakpoint.
func TestBreakpointHitCap(t *testing.T) {
	o := Options{Path: program(t, "panics.c"), Args: []string{"5000"}, Breakpoints: []string{"panic_begin"}, Resolve: resolveSymbols}
	began := time.Now()
	obs := watch(t, o, func(c *crash.Crash) {
		if len(c.Panics) != maxSightings {
			t.Errorf("%d sightings", len(c.Panics))
		}
	})
	if obs.out.ExitCode != 0 || time.Since(began) > 5*time.Second {
		t.Errorf("outcome %+v after %v", obs.out, time.Since(began))
	}
}

func TestChildDeathIsAWarning(t *testing.T) {
	obs := watch(t, Options{Path: program(t, "children.c")}, nil)
	want := 0
	for _, w := range obs.crash.Warnings {
		if strings.Contains(w, "died of SIGSEGV") && strings.Contains(w, `"children"`) {
			want++
		}
	}
	if want != 1 || len(obs.crash.Warnings) != 1 || obs.out.End != crash.EndExit {
		t.Errorf("warnings %q, outcome %+v", obs.crash.Warnings, obs.out)
	}
}

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

// TestStreams keeps stdout and stderr apart when the user does.
func TestStreams(t *testing.T) {
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(t.TempDir(), "stream")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	var seen *crash.Crash
	o := Options{Path: "/bin/sh", Args: []string{"-c", "echo out; sleep 0.02; echo err >&2; sleep 0.02; printf more"}, Stdout: files[0], Stderr: files[1],
		Inspect: func(c *crash.Crash) { seen = c }}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if seen.Target.StdioShared || len(seen.Output.Lines) != 3 {
		t.Fatalf("%+v", seen.Output)
	}
	for i, want := range []crash.OutputLine{{Stream: crash.Stdout, Text: "out", Whole: true}, {Stream: crash.Stderr, Text: "err", Whole: true}, {Stream: crash.Stdout, Text: "more"}} {
		got := seen.Output.Lines[i]
		if got.At <= 0 || i > 0 && i < 2 && got.At <= seen.Output.Lines[i-1].At {
			t.Errorf("line %d at %v", i, got.At)
		}
		if got.At = 0; got != want {
			t.Errorf("line %d: %+v, want %+v", i, got, want)
		}
	}
}

// TestFullDisk wants a warning where output is lost, and a program that goes on.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	var seen *crash.Crash
	o := Options{Path: "/bin/sh", Args: []string{"-c", "echo lost; sleep 0.1; exit 4"}, Stdout: full, Stderr: full,
		Inspect: func(c *crash.Crash) { seen = c }}
	out, err := Run(t.Context(), o)
	if err != nil || out.ExitCode != 4 {
		t.Errorf("outcome %+v, %v", out, err)
	}
	if len(seen.Warnings) != 1 || !strings.Contains(seen.Warnings[0], "no space left on device") || seen.Output.Lines[0].Text != "lost" {
		t.Errorf("warnings %q, output %+v", seen.Warnings, seen.Output)
	}
}

// TestUnseenSignal is a death by a signal that is never delivered.
func TestUnseenSignal(t *testing.T) {
	watch(t, Options{Path: program(t, "seccomp.c")}, func(c *crash.Crash) {
		f := c.FocusThread()
		if c.Outcome.End != crash.EndSignal || c.Outcome.Signal.Number != int(syscall.SIGSYS) || f == nil || !f.RegsOK {
			t.Fatalf("outcome %+v, threads %+v", c.Outcome, c.Threads)
		}
		if f.Syscall == nil || f.Syscall.Number != syscall.SYS_GETPID {
			t.Errorf("focus is in %+v, want getpid", f.Syscall)
		}
		if _, err := crash.ReadUint64(c.Memory, f.Regs.RSP); err != nil {
			t.Error(err)
		}
	})
}

// TestExec reports the new image: its arguments, and breakpoints planted in it.
func TestExec(t *testing.T) {
	path := program(t, "panics.c")
	resolve := func(exe string, names []string) (map[string]uint64, error) {
		if exe != path {
			return nil, errors.New("there are no symbols in " + exe)
		}
		return resolveSymbols(exe, names)
	}
	o := Options{Path: "/bin/sh", Args: []string{"-c", "exec " + path}, Breakpoints: []string{"panic_begin"}, Resolve: resolve}
	obs := watch(t, o, func(c *crash.Crash) {
		if c.Target.ExePath != path || len(c.Target.Args) != 1 || len(c.Panics) != 4 || len(c.Warnings) != 0 {
			t.Errorf("target %+v, %d sightings, warnings %q", c.Target, len(c.Panics), c.Warnings)
		}
	})
	if obs.out.Signal == nil || obs.out.Signal.Number != 6 {
		t.Errorf("outcome %+v", obs.out)
	}
	o.Args = []string{"-c", "exit 3"}
	obs = watch(t, o, nil)
	if len(obs.crash.Warnings) != 1 || !strings.Contains(obs.crash.Warnings[0], "there are no symbols in") {
		t.Errorf("warnings %q", obs.crash.Warnings)
	}
}

// TestDescriptorsAreClosed runs often and counts our descriptors.
func TestDescriptorsAreClosed(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for i := range 2 {
		before := count()
		for range 5 {
			watch(t, Options{Path: "/bin/true"}, nil)
			watch(t, Options{Path: "/nonexistent"}, nil)
		}
		if after := count(); i > 0 && after > before { // the first round opens what the runtime keeps
			t.Errorf("%d descriptors, before %d", after, before)
		}
	}
}
