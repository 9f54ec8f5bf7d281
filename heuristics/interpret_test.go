package heuristics

import (
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/startup"
)

func TestInterpret(t *testing.T) {
	sent := func(m *maker, by int) *maker {
		m.c.Crash.Outcome.Signal.PID = by
		return m
	}
	final := func(m *maker, why string, s *crash.Signal) *maker {
		m.c.Crash.Panics = []crash.Sighting{{Why: why, Signal: s, Final: true}}
		return m
	}
	died := func(n unix.Signal, code int) *maker { return plain(t).signal(n, code).stack("f", "main") }
	tests := []struct {
		name string
		m    *maker
		want crash.Kind
	}{
		{"exit 0", plain(t).exit(0), crash.Healthy},
		{"exit 0 after a failure in words", inMesh(t).exit(0).say("[Mesher] Failed to connect to PostgreSQL"), crash.Exited},
		{"exit 0 after a panic that was caught", plain(t).exit(0).say("assertion failed: x").panics(PanicSite{Message: "assertion failed: x", Origin: "rust"}), crash.Healthy},
		{"exit 1", plain(t).exit(1), crash.Exited},
		{"exit 101 after a Rust panic", plain(t).exit(101).panics(PanicSite{Message: "boom", Origin: "rust"}), crash.Panicked},
		{"exit 101 without one", plain(t).exit(101), crash.Exited},
		{"exit 101 after a panic that was caught", plain(t).exit(101).panics(PanicSite{Message: "boom", Origin: "rust", Caught: true}), crash.Exited},
		{"exit 2 after a Go panic", plain(t).exit(2).panics(PanicSite{Message: "boom", Origin: "go"}), crash.Panicked},
		{"exit 127 of the loader", plain(t).exit(127).say("app: symbol lookup error: app: undefined symbol: f"), crash.Exited},
		{"exit 1 by the program's own fault handler", final(plain(t).exit(1), "signal", &crash.Signal{Number: int(unix.SIGSEGV), Code: 1}), crash.Crashed},
		{"SIGSEGV", died(unix.SIGSEGV, 1), crash.Crashed},
		{"SIGBUS", died(unix.SIGBUS, 2), crash.Crashed},
		{"SIGFPE", died(unix.SIGFPE, 1), crash.Crashed},
		{"SIGILL", died(unix.SIGILL, 2), crash.Crashed},
		{"SIGSEGV raised again by its own handler", sent(died(unix.SIGSEGV, -6), pid), crash.Crashed},
		{"SIGSEGV from another process", sent(died(unix.SIGSEGV, 0), 99), crash.Killed},
		{"abort", died(unix.SIGABRT, -6), crash.Panicked},
		{"SIGABRT from another process", sent(died(unix.SIGABRT, 0), 99), crash.Killed},
		{"glibc's heap check", died(unix.SIGABRT, -6).say("free(): invalid pointer"), crash.Crashed},
		{"stack protector", died(unix.SIGABRT, -6).say("*** stack smashing detected ***: terminated"), crash.Crashed},
		{"assertion", died(unix.SIGABRT, -6).say("a.c:1: f: Assertion `x' failed."), crash.Panicked},
		{"Rust's overflow message", died(unix.SIGABRT, -6).say("thread 'main' has overflowed its stack"), crash.Crashed},
		{"fault first, then abort", final(died(unix.SIGABRT, -6), "signal", &crash.Signal{Number: int(unix.SIGSEGV), Code: 1}), crash.Crashed},
		{"panic first, then abort", final(died(unix.SIGABRT, -6), "breakpoint", nil), crash.Panicked},
		{"SIGKILL", died(unix.SIGKILL, 0), crash.Killed},
		{"SIGTERM", sent(died(unix.SIGTERM, 0), 1), crash.Killed},
		{"SIGPIPE", died(unix.SIGPIPE, 0), crash.Killed},
		{"Ctrl-C", died(unix.SIGINT, crash.SIKernel), crash.Healthy},
		{"Ctrl-C of a server that had failed", died(unix.SIGINT, crash.SIKernel).say("bind: Address already in use"), crash.Killed},
		{"SIGINT from another process", sent(died(unix.SIGINT, 0), 99), crash.Killed},
		{"stalled", plain(t).stalled(), crash.Hung},
	}
	for _, tt := range tests {
		if got := Interpret(&tt.m.c); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	// A start-up that stops is a failure where most of its steps are known, and nobody asked the program to end.
	for _, midway := range []struct {
		known, own, asked int
		want              crash.Kind
	}{{5, 1, 0, crash.Exited}, {5, 1, int(unix.SIGTERM), crash.Healthy}, {2, 1, 0, crash.Healthy}, {3, 9, 0, crash.Healthy}} {
		m := inMesh(t).exit(0)
		m.c.Startup = startup.Timeline{Last: 0, Known: "plan", Steps: make([]startup.Step, midway.known+midway.own)}
		for i := range midway.own {
			m.c.Startup.Steps[midway.known+i].FromBinary = true
		}
		m.c.Crash.Outcome.Asked = midway.asked
		if got := Interpret(&m.c); got != midway.want {
			t.Errorf("%+v: %s", midway, got)
		}
	}
	never := plain(t)
	never.c.Crash.Outcome = crash.Outcome{End: crash.EndLaunchFailed, LaunchError: "no such file"}
	if got := Interpret(&never.c); got != crash.LaunchFailed {
		t.Errorf("launch failed: %s", got)
	}
	running := plain(t)
	running.c.Crash.Outcome = crash.Outcome{End: crash.EndRunning}
	if got := Interpret(&running.c); got != crash.Healthy {
		t.Errorf("a snapshot of a living process: %s", got)
	}
}

// A case with nothing in it is diagnosed without a panic.
func TestEmptyCase(t *testing.T) {
	d := Run(&Case{})
	if d.Kind == "" {
		t.Error("no outcome")
	}
	c := &Case{Crash: &crash.Crash{Focus: -1, Memory: crash.NoMemory{}, Outcome: crash.Outcome{End: crash.EndLaunchFailed, LaunchError: "no such file"}}}
	d = Run(c)
	if len(d.Causes) != 1 || !contains(d.Causes[0].Title, "no such file") {
		t.Errorf("%+v", d.Causes)
	}
}
