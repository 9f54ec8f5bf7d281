package tracer

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"meshdiag/crash"
)

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
