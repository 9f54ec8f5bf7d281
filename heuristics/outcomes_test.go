package heuristics

import (
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/symbols"
)

func TestPanics(t *testing.T) {
	abort := func(t *testing.T, prof string, names ...string) *maker {
		return newCase(t, prof).signal(unix.SIGABRT, -6).stack(append([]string{"abort@libc", "rust_panic"}, names...)...)
	}
	check(t, []causeTest{
		{"panic of the language", func(t *testing.T) *maker {
			m := abort(t, "mesh", "mesh_panic", "route", "mesh_main").say("Mesh panic at <unknown>:0: non-exhaustive match in switch")
			m.panics(PanicSite{Message: "non-exhaustive match in switch", File: "<unknown>", Origin: "profile", FromLine: 0})
			return m.panics(PanicSite{Message: "panic in a function that cannot unwind", Origin: "rust", Consequence: true, FromLine: 2})
		}, expected{id: idPanic, kind: kindMeshPanic, symbol: "route", extern: "mesh_panic", atLeast: 0.8}},
		{"panic in an extern", func(t *testing.T) *maker {
			m := abort(t, "mesh", "mesh_list_head", "next_order", "mesh_main").say("mesh_list_head: empty list")
			return m.panics(PanicSite{Message: "mesh_list_head: empty list", Origin: "rust", FromLine: 0})
		}, expected{id: idPanic, kind: kindRuntime, symbol: "next_order", extern: "mesh_list_head", atLeast: 0.8}},
		{"Rust program that unwound and exited", func(t *testing.T) *maker {
			m := plain(t).exit(101)
			m.c.Crash.Threads = []crash.Thread{{TID: pid}}
			m.c.Stacks = []symbols.Stack{{}}
			p := PanicSite{Message: "index out of bounds: the len is 3 but the index is 7", Origin: "rust", FromLine: 0}
			p.Frames, p.Infos = m.frames([]string{"rust_panic", "app_pick", "main"})
			return m.panics(p)
		}, expected{id: idPanic, kind: kindRuntime, symbol: "app_pick", atLeast: 0.8}},
		{"Rust library function called from C's side, no profile", func(t *testing.T) *maker {
			m := abort(t, "none", "lib_head", "main").say("lib_head: empty list")
			return m.panics(PanicSite{Message: "lib_head: empty list", Origin: "rust", FromLine: 0})
		}, expected{id: idPanic, kind: kindRuntime, symbol: "lib_head", atLeast: 0.8}},
		{"assertion in C", func(t *testing.T) *maker {
			m := newCase(t, "none").signal(unix.SIGABRT, -6).stack("abort@libc", "__assert_fail@libc", "check_all", "main")
			return m.say("app: app.c:12: check_all: Assertion `n > 0' failed.").panics(PanicSite{Message: "n > 0", Origin: "c", FromLine: 0, File: "app.c", Line: 12})
		}, expected{id: idPanic, kind: kindAssertion, symbol: "check_all", atLeast: 0.8}},
		{"uncaught exception", func(t *testing.T) *maker {
			m := newCase(t, "none").signal(unix.SIGABRT, -6).stack("abort@libc", "_ZSt9terminatev", "__cxa_throw", "_ZN3app4loadEv", "main")
			return m.panics(PanicSite{Message: "std::runtime_error: no config", Origin: "c++", FromLine: 0})
		}, expected{id: idPanic, kind: kindException, symbol: "_ZN3app4loadEv", atLeast: 0.8}},
		{"uncaught exception in a core", func(t *testing.T) *maker {
			return newCase(t, "none").signal(unix.SIGABRT, -6).stack("abort@libc", "_ZSt9terminatev", "__cxa_throw", "_ZN3app4loadEv", "main")
		}, expected{id: idPanic, kind: kindException, symbol: "_ZN3app4loadEv", atLeast: 0.7}},
		{"plain abort", func(t *testing.T) *maker {
			return newCase(t, "none").signal(unix.SIGABRT, -6).stack("raise@libc", "abort@libc", "give_up", "main")
		}, expected{id: idPanic, kind: kindAbort, symbol: "give_up", atLeast: 0.7}},
		{"allocation of a size that could be meant", func(t *testing.T) *maker {
			m := abort(t, "none", "app_load", "main").say("memory allocation of 8589934592 bytes failed")
			return m.panics(PanicSite{Message: "memory allocation of 8589934592 bytes failed", Origin: "rust", FromLine: 0})
		}, expected{id: idPanic, kind: kindAllocation, symbol: "app_load", atLeast: 0.8}},
		{"a caught panic is no crash", func(t *testing.T) *maker {
			m := inMesh(t).exit(0).say("[mesh-rt] HTTP handler panicked: bad route")
			return m.panics(PanicSite{Message: "bad route", Origin: "rust", Caught: true, FromLine: 0})
		}, expected{id: idPanic, kind: kindCaught, atLeast: 0.8}},
	})
}

func TestTheWorldOutside(t *testing.T) {
	check(t, []causeTest{
		{"no database, exit 0", func(t *testing.T) *maker {
			return inMesh(t).exit(0).say("[Mesher] Connecting to PostgreSQL...", "[Mesher] Failed to connect to PostgreSQL")
		}, expected{id: idDatabase, atLeast: 0.8}},
		{"wrong password", func(t *testing.T) *maker {
			return plain(t).exit(1).say(`FATAL: password authentication failed for user "mesh"`)
		}, expected{id: idDatabase, kind: kindAuth, atLeast: 0.8}},
		{"no such database", func(t *testing.T) *maker {
			return plain(t).exit(1).say(`FATAL: database "mesher" does not exist`)
		}, expected{id: idDatabase, kind: kindNoDatabase, atLeast: 0.8}},
		{"no table", func(t *testing.T) *maker {
			return plain(t).exit(1).say(`ERROR: relation "events" does not exist`)
		}, expected{id: idDatabase, kind: kindNoSchema, atLeast: 0.8}},
		{"no extension", func(t *testing.T) *maker {
			return plain(t).exit(1).say(`ERROR: function gen_random_uuid() does not exist`)
		}, expected{id: idDatabase, kind: kindNoExtension, atLeast: 0.8}},
		{"unreachable", func(t *testing.T) *maker {
			return plain(t).exit(1).say(`error connecting to server: Connection refused (os error 111)`)
		}, expected{id: idDatabase, kind: kindUnreachable, atLeast: 0.8}},
		{"a check from outside", func(t *testing.T) *maker {
			m := plain(t).exit(1)
			m.c.Checks = []Check{{ID: "database", Detail: "no answer on port 5432", Cause: idDatabase, Kind: kindUnreachable}}
			return m
		}, expected{id: idDatabase, kind: kindUnreachable}},
		{"deaf with the port taken", func(t *testing.T) *maker {
			m := inMesh(t).stalled().say("[mesh-rt] Failed to start HTTP server on 0.0.0.0:8080: Address already in use (os error 98)")
			m.c.Crash.Threads[0].Syscall = &crash.Syscall{Number: 202}
			return m.stack("futex@libc", "mesh_rt_run_scheduler", "main")
		}, expected{id: idPort, kind: kindHTTP, atLeast: 0.8}},
		{"WebSocket port", func(t *testing.T) *maker {
			return inMesh(t).exit(1).say("[mesh-rt] Failed to start WebSocket server on 0.0.0.0:8081: Address already in use (os error 98)")
		}, expected{id: idPort, kind: kindWebSocket, atLeast: 0.8}},
		{"some port", func(t *testing.T) *maker {
			return plain(t).exit(1).say("bind: Address already in use")
		}, expected{id: idPort, kind: kindOther, atLeast: 0.8}},
		{"killed by somebody", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGTERM, 0).stack("poll@libc", "main")
			m.c.Crash.Outcome.Signal.PID = 1
			return m
		}, expected{id: idKilled, atLeast: 0.8}},
		{"killed with SIGSEGV by somebody", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGSEGV, 0).stack("poll@libc", "main")
			m.c.Crash.Outcome.Signal.PID = 1
			return m
		}, expected{id: idKilled, atLeast: 0.8}},
		{"SIGKILL by a process that was seen", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGKILL, 0).stack("poll@libc", "main")
			m.c.Crash.Outcome.Signal.PID = 1
			m.c.Crash.Outcome.Sender = &crash.OtherProcess{PID: 1, Name: "systemd"}
			m.c.Crash.Outcome.OOM = &crash.OOMKills{Machine: 3, Group: -1, GroupLimit: crash.NoLimit}
			return m
		}, expected{id: idKilled, atLeast: 0.9}},
		{"SIGKILL by the kernel, whose log names it", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGKILL, crash.SIKernel).stack("poll@libc", "main")
			m.c.Crash.Outcome.OOM = &crash.OOMKills{Machine: 1, Group: -1, GroupLimit: crash.NoLimit, Log: true, Record: "Out of memory: Killed process 4711 (app)"}
			return m
		}, expected{id: idOutOfMemory, atLeast: 0.8}},
		{"SIGKILL by the kernel, for nothing that is known", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGKILL, crash.SIKernel).stack("poll@libc", "main")
			m.c.Crash.Outcome.OOM = &crash.OOMKills{Machine: 0, Group: -1, GroupLimit: crash.NoLimit}
			return m
		}, expected{id: idKilled, atLeast: 0.7}},
		{"SIGKILL, and the killer's victims were others", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGKILL, 0).stack("poll@libc", "main")
			m.c.Crash.Outcome.Signal.CodeUnknown = true
			m.c.Crash.Outcome.OOM = &crash.OOMKills{Machine: 2, Group: -1, GroupLimit: crash.NoLimit, Log: true}
			return m
		}, expected{id: idKilled, atLeast: 0.7}},
		{"out of memory, said", func(t *testing.T) *maker {
			return plain(t).exit(1).say("app: Cannot allocate memory")
		}, expected{id: idOutOfMemory}},
		{"SIGPIPE", func(t *testing.T) *maker {
			return plain(t).signal(unix.SIGPIPE, 0).stack("write@libc", "print_all", "main")
		}, expected{id: idBrokenPipe, symbol: "print_all", atLeast: 0.8}},
		{"plain failure", func(t *testing.T) *maker {
			return plain(t).exit(2).say("config: no such file")
		}, expected{id: idExit, atMost: 0.9}},
		{"stale artefact", func(t *testing.T) *maker {
			m := plain(t).exit(1)
			m.c.Checks = []Check{{ID: "artefact", Detail: "the runtime archive is newer than the program", Cause: idStale}}
			return m
		}, expected{id: idExit}},
	})
}

func TestHang(t *testing.T) {
	blocked := func(t *testing.T, syscall int64, state string) *maker {
		m := inMesh(t).stalled()
		m.c.Crash.Threads[0].State = state
		if syscall >= 0 {
			m.c.Crash.Threads[0].Syscall = &crash.Syscall{Number: syscall}
		}
		return m.stack("x@libc", "mesh_service_call", "__service_org_call_get", "refresh", "mesh_main")
	}
	check(t, []causeTest{
		{"an answer that nobody is known to owe is no deadlock", func(t *testing.T) *maker { return blocked(t, 202, "S") },
			expected{id: idHang, kind: kindNoProgress, symbol: "refresh", atLeast: 0.7, atMost: 0.79}},
		{"a ring of recorded owners", func(t *testing.T) *maker { return blocked(t, 202, "S").ring(true) },
			expected{id: idHang, kind: kindDeadlock, symbol: "__service_org_call_get", atLeast: 0.95}},
		{"a ring with an owner that is only likely", func(t *testing.T) *maker { return blocked(t, 202, "S").ring(false) },
			expected{id: idHang, kind: kindDeadlock, symbol: "__service_org_call_get", atMost: 0.79}},
		{"blocked in read", func(t *testing.T) *maker { return blocked(t, 0, "S") }, expected{id: idHang, kind: kindBlockedIO, atLeast: 0.7}},
		{"spin", func(t *testing.T) *maker { return blocked(t, -1, "R") }, expected{id: idHang, kind: kindSpin, atLeast: 0.6, atMost: 0.79}},
		{"a server at rest", func(t *testing.T) *maker {
			m := inMesh(t).stalled()
			m.c.Crash.Threads[0].State = "S"
			m.c.Crash.Threads[0].Syscall = &crash.Syscall{Number: 288}
			m.c.Startup.Done = true
			return m.stack("accept4@libc", "mesh_http_serve", "mesh_main")
		}, expected{id: idHang, kind: kindNoProgress, atMost: 0.79}},
	})
}

// The machinery of a panic is not what the suspect asked for.
func TestPanicMachineryIsNoOperation(t *testing.T) {
	m := plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "lib_head", "main")
	m.panics(PanicSite{Message: "lib_head: empty list", Origin: "rust", FromLine: 0})
	if h := m.top(); contains(h.Title, "rust_panic") || h.Blame.Symbol != "lib_head" {
		t.Errorf("%q blames %q", h.Title, h.Blame.Symbol)
	}
	if op := m.c.Operation(); op >= 0 {
		t.Errorf("frame %d is marked as the operation", op)
	}
}

// A heuristic with a bug costs its own answer only.
func TestABrokenHeuristicIsTold(t *testing.T) {
	broken := Heuristic{Doc: docWild, Run: func(c *Case) Finding { return Finding{RuledOut: []RuledOut{{ID: c.Frames[len(c.Frames)].Part}}} }}
	if f, failed := attempt(&broken, &Case{}); failed == nil || len(f.Hypotheses) > 0 {
		t.Errorf("%+v, %v", f, failed)
	}
	if _, failed := attempt(&unknown, &Case{}); failed != nil {
		t.Error(failed)
	}
}
