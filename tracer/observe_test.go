package tracer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

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

// TestMemoryFallback reads through /proc/PID/mem, as where process_vm_readv is not allowed: the same bytes, and nothing that
// the process itself could not read.
func TestMemoryFallback(t *testing.T) {
	watch(t, Options{Path: program(t, "busythreads.c")}, func(c *crash.Crash) {
		mem := c.Memory.(*liveMemory)
		sp := c.FocusThread().Regs.RSP
		var direct, fallback [64]byte
		_, err1 := mem.ReadMemory(direct[:], sp)
		n, err2 := mem.readFile(fallback[:], sp)
		if err1 != nil || err2 != nil || n != 64 || direct != fallback {
			t.Errorf("% x (%v), through the file % x (%v)", direct, err1, fallback, err2)
		}
		for _, m := range c.Mappings {
			if m.Perms&crash.Read == 0 {
				if n, err := mem.readFile(fallback[:], m.Start); n != 0 || err == nil {
					t.Fatalf("%s %#x was read", m.Perms, m.Start)
				}
			}
		}
		if n, err := mem.readFile(fallback[:], 0x10); n != 0 || err == nil {
			t.Error("unmapped memory was read")
		}
	})
}
