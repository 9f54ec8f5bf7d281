package heuristics

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/provenance"
)

// Each test here is a mistake that a crash tool on record made. What must not be said matters as much as what must.

func has(d Diagnosis, id string) bool {
	for _, h := range d.Causes {
		if h.ID == id {
			return true
		}
	}
	return false
}

func ruledOut(d Diagnosis, id string) string {
	for _, r := range d.RuledOut {
		if r.ID == id {
			return r.Why
		}
	}
	return ""
}

// The kernel reports si_addr 0 with SI_KERNEL for an address that it cannot name.
func TestKernelAddressZeroIsNotNull(t *testing.T) {
	m := plain(t).signal(unix.SIGSEGV, crash.SIKernel).stack("walk", "main")
	m.bad(provenance.ClassNonCanonical, 0x6f77206f6c6c6568, provenance.LooksText)
	d := m.run()
	if has(d, idNull) {
		t.Errorf("NULL was claimed for a non-canonical address: %+v", d.Causes)
	}
	if ruledOut(d, idNull) == "" {
		t.Error("NULL was not ruled out, though the kernel's address 0 suggests it")
	}
}

// A zero base with a large index is NULL; a wild 0x800 is none.
func TestNullIsAboutTheBase(t *testing.T) {
	m := segv(plain(t), "walk", "main").null()
	m.c.Fault.Address, m.c.Fault.Offset = 0x7fff8000, 0x7fff8000
	if h := m.top(); h.ID != idNull {
		t.Errorf("a zero base with a large index is %s", h.ID)
	}
	m = segv(plain(t), "walk", "main").bad(provenance.ClassNearNull, 0x800, provenance.LooksSmallInt)
	if d := m.run(); has(d, idNull) {
		t.Errorf("0x800 without a zero base was called NULL: %+v", d.Causes)
	}
}

// gdb's exploitable called each abort a buffer overrun.
func TestAbortIsNoOverrun(t *testing.T) {
	m := plain(t).signal(unix.SIGABRT, -6).stack("raise@libc", "abort@libc", "give_up", "main")
	d := m.run()
	for _, id := range []string{idHeap, idStackSmash, idOverflow, idWild} {
		if has(d, id) {
			t.Errorf("abort() was taken for %s", id)
		}
	}
	if d.Kind != crash.Panicked {
		t.Errorf("outcome %s", d.Kind)
	}
}

func TestOneByteBehindIsNoCorruption(t *testing.T) {
	m := segv(plain(t), "copy_all", "main").bad(provenance.ClassPastEnd, heapAddr+1<<20, provenance.LooksUnmapped)
	m.c.Fault.Region = "[heap], 1 byte behind its end"
	d := m.run()
	if has(d, idHeap) || has(d, idStackSmash) {
		t.Errorf("an off-by-one was called corruption: %+v", d.Causes)
	}
	if h := d.Causes[0]; !strings.Contains(h.Title, "past an end") || !strings.Contains(h.Title, "1 byte") {
		t.Errorf("the title does not say by how much: %q", h.Title)
	}
}

// In an ordinary Rust program the runtime catches the overflow, says so and aborts.
func TestRustOverflowArrivesAsAbort(t *testing.T) {
	m := plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "app_depth")
	m.say("thread 'main' has overflowed its stack", "fatal runtime error: stack overflow, aborting")
	d := m.run()
	if d.Kind != crash.Crashed || d.Causes[0].ID != idOverflow || has(d, idPanic) {
		t.Errorf("%s, %+v", d.Kind, d.Causes)
	}
}

// The same, seen at first chance: the fault was at the guard page, the abort only follows.
func TestOverflowSightingDecidesTheOutcome(t *testing.T) {
	m := plain(t).signal(unix.SIGABRT, -6).stack("app_depth", "main")
	m.c.Crash.Panics = []crash.Sighting{{Why: "signal", Signal: &crash.Signal{Number: int(unix.SIGSEGV), Code: 2}, Handled: true, Final: true}}
	if k := Interpret(&m.c); k != crash.Crashed {
		t.Errorf("outcome %s", k)
	}
}

func TestCannotUnwindIsAConsequence(t *testing.T) {
	m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_list_head", "next_order", "mesh_main")
	m.panics(PanicSite{Message: "mesh_list_head: empty list", Origin: "rust", FromLine: 1})
	m.panics(PanicSite{Message: "panic in a function that cannot unwind", Origin: "rust", Consequence: true, FromLine: 4})
	d := m.run()
	for _, h := range d.Causes {
		if strings.Contains(h.Title, "cannot unwind") {
			t.Errorf("the consequence was named as a cause: %s", h.Title)
		}
	}
	if !strings.Contains(d.Causes[0].Title, "empty list") {
		t.Errorf("title %q", d.Causes[0].Title)
	}
}

func TestCaughtPanicIsNoCrash(t *testing.T) {
	m := inMesh(t).exit(0).panics(PanicSite{Message: "bad route", Origin: "rust", Caught: true, FromLine: 0})
	d := m.run()
	if d.Kind != crash.Healthy {
		t.Errorf("outcome %s", d.Kind)
	}
	if len(d.Causes) != 1 || d.Causes[0].Kind != kindCaught {
		t.Errorf("causes %+v", d.Causes)
	}
}

// A panic that was caught long before does not explain the crash that came later.
func TestCaughtPanicDoesNotExplainALaterCrash(t *testing.T) {
	m := segv(inMesh(t), "mesh_string_length", "handle_row", "mesh_main").null().chain(arg(0, 0), returned(1, "mesh_map_get"))
	m.panics(PanicSite{Message: "bad route", Origin: "rust", Caught: true, FromLine: 0})
	if h := m.top(); h.ID != idNull {
		t.Errorf("got %s/%s", h.ID, h.Kind)
	}
}

func TestGarbageFramesAreNotBlamed(t *testing.T) {
	m := segv(plain(t), "?", "innocent@scan", "main@scan").bad(provenance.ClassNonCanonical, 0x4141414141414141, provenance.LooksText)
	m.c.Fault.BranchBad, m.c.Fault.BadRet = true, true
	for _, h := range m.run().Causes {
		if h.Blame.Symbol != "" {
			t.Errorf("%s blames %q, a frame that was found by a scan", h.ID, h.Blame.Symbol)
		}
	}
	if marks := Marks(&m.c); len(marks) != 0 {
		t.Errorf("garbage frames are marked: %v", marks)
	}
}

// Today's collector cannot be led astray by a handle, and users suspect it first.
func TestHandleIsRuledOutWithItsReason(t *testing.T) {
	m := segv(inMesh(t), "mesh_string_length", "handle_row", "mesh_main").null()
	d := m.run()
	if has(d, idHandle) {
		t.Error("a traced handle was claimed without a collector frame")
	}
	if why := ruledOut(d, idHandle); !strings.Contains(why, "no frame of the collector") || !strings.Contains(why, "0x0 is no handle") {
		t.Errorf("why: %q", why)
	}
}

func TestOverflowIsRuledOutWithTheDistance(t *testing.T) {
	m := segv(plain(t), "walk", "main").null()
	m.c.Stack = provenance.StackUse{Region: crash.Range{Start: 0x7ffff0000000, End: 0x7ffff0800000}, Kind: "main", Used: 4096, Left: 8<<20 - 4096}
	if why := ruledOut(m.run(), idOverflow); !strings.Contains(why, "8.0 MiB above the low end") {
		t.Errorf("why: %q", why)
	}
}

// The same bug is SIGSEGV in a release build and SIGABRT in a debug build.
func TestDebugAndReleaseBuildAgree(t *testing.T) {
	release := segv(inMesh(t), "mesh_string_length", "handle_row", "mesh_main").null().chain(arg(0, 0), returned(1, "mesh_map_get"))
	debug := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_string_length", "handle_row", "mesh_main")
	debug.panics(PanicSite{Message: "null pointer dereference occurred", Origin: "rust", FromLine: 1}).chain(arg(2, 0), returned(3, "mesh_map_get"))
	a, b := release.top(), debug.top()
	if a.ID != b.ID || a.Kind != b.Kind || a.Blame != b.Blame {
		t.Errorf("release %s/%s %+v, debug %s/%s %+v", a.ID, a.Kind, a.Blame, b.ID, b.Kind, b.Blame)
	}
	if r, d := release.run().Kind, debug.run().Kind; r != crash.Crashed || d != crash.Panicked {
		t.Errorf("outcomes %s and %s", r, d)
	}
}

// The same fault in another function of another program gives the same cause: names decide nothing.
func TestNamesDecideNothing(t *testing.T) {
	for _, names := range [][]string{{"area", "draw", "main"}, {"x1", "x2", "x3"}, {"crash_here", "null_deref", "abort_now"}} {
		m := segv(plain(t), names...).bad(provenance.ClassUnmapped, 0x7a3f00, provenance.LooksUnmapped)
		m.chain(arg(0, 1), origin(provenance.StepUninit, 1))
		m.call(1, goodPt, unset)
		m.callee(entry(0), reads(deref, deref))
		if h := m.top(); h.ID != idABI || h.Kind != kindArity || h.Blame.Symbol != names[1] {
			t.Errorf("%v: %s/%s blames %s", names, h.ID, h.Kind, h.Blame.Symbol)
		}
	}
}

// Where two ways back fit the dump, neither call is said to have returned the NULL.
func TestSplitWaysNameNobody(t *testing.T) {
	m := segv(plain(t), "at", "main").null().chain(arg(0, 0), returned(1, "malloc@plt"))
	m.c.Chain.Alternatives = []provenance.Step{constant(1, 0)}
	m.c.Chain.Alternatives[0].Symbol = "main"
	h := m.top()
	if h.ID != idNull || h.Kind != kindOther || h.Blame.Extern == "malloc@plt" {
		t.Errorf("%s/%s blames %+v", h.ID, h.Kind, h.Blame)
	}
	if !strings.Contains(h.Summary, "malloc") || !strings.Contains(h.Summary, "a constant in main") || strings.Contains(h.Summary, "malloc returned") {
		t.Errorf("summary: %q", h.Summary)
	}
}

// strtok of libc jumps on to __strtok_r and leaves no frame: it is not the program's own code for that.
func TestLibraryFunctionThatJumpedOnIsNotBlamed(t *testing.T) {
	m := segv(plain(t), "__strtok_r@libc", "count", "main").bad(provenance.ClassProtection, 0x402000, provenance.LooksRodata)
	libc := crash.Range{Start: 0x7f0000000000, End: 0x7f0000200000}
	m.c.Crash.Mappings = []crash.Mapping{{Range: libc, Path: "/lib/x86_64-linux-gnu/libc.so.6", Perms: crash.Read | crash.Exec, PermsOK: true}}
	k := m.call(1)
	k.Callee, k.Target, k.CalleeLo = "strtok", 0x401800, libc.Start+0x100
	if h := m.top(); h.Blame.Symbol != "count" {
		t.Errorf("%s blames %q", h.ID, h.Blame.Symbol)
	}
}
