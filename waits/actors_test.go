package waits

import (
	"encoding/binary"
	"testing"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// Addresses of a made-up process with coroutines.
const (
	actorSize  = 64 << 10
	guardSize  = 4096
	stacksAt   = 0x7f0000000000
	heapAt     = 0x550000000000
	codeAt     = 0x400000
	loopEntry  = codeAt + 0x100
	waitingIn  = codeAt + 0x200
	coroutines = 3
)

// world of code: one function that a new actor begins with, and stacks by the place where they were suspended.
type fakeCode struct{ frames []symbols.Frame }

func (fakeCode) LookupData(uint64) (symbols.Symbol, *symbols.Module, bool) {
	return symbols.Symbol{}, nil, false
}
func (fakeCode) Code(uint64, int) ([]byte, string, error) { return nil, "", &crash.UnreadableError{} }
func (fakeCode) Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool) {
	if a.Addr == loopEntry {
		return symbols.Symbol{Name: "__service_mailer_loop", Start: loopEntry}, &symbols.Module{Path: "/srv/app", Main: true}, true
	}
	return symbols.Symbol{}, nil, false
}
func (f fakeCode) Unwind(t *crash.Thread, _ crash.Memory, _ int) symbols.Stack {
	if t.Regs.RIP != waitingIn {
		return symbols.Stack{}
	}
	return symbols.Stack{Frames: f.frames}
}

func frame(name string) symbols.Frame {
	return symbols.Frame{Symbol: symbols.Symbol{Name: name}, Module: &symbols.Module{Path: "/srv/app", Main: true}}
}

// TestActors finds coroutines by their stacks and the objects on the heap: one that waits for an answer of another service,
// one that never ran and is that service, and memory of the same shape that belongs to no coroutine.
func TestActors(t *testing.T) {
	p, err := profile.Load("mesh")
	if err != nil {
		t.Fatal(err)
	}
	mesh := profile.Profile{ID: "mesh", Names: p.Names, Stacks: profile.Stacks{Actor: actorSize, Guard: guardSize}}
	heap := make([]byte, 4096)
	pages := crash.Pages{heapAt: heap}
	c := &crash.Crash{Memory: pages, Mappings: []crash.Mapping{
		{Range: crash.Range{Start: codeAt, End: codeAt + 0x1000}, Perms: crash.Read | crash.Exec, PermsOK: true, Path: "/srv/app"},
		{Range: crash.Range{Start: heapAt, End: heapAt + 0x1000}, Perms: crash.Read | crash.Write, PermsOK: true, Path: "[heap]"}}}
	word := func(addr, v uint64) {
		page := pages[addr&^4095]
		if page == nil {
			page = make([]byte, 4096)
			pages[addr&^4095] = page
		}
		binary.LittleEndian.PutUint64(page[addr&4095:], v)
	}
	tops := make([]uint64, coroutines)
	for i := range coroutines {
		start := uint64(stacksAt + i*(actorSize+guardSize))
		tops[i] = start + guardSize + actorSize
		c.Mappings = append(c.Mappings,
			crash.Mapping{Range: crash.Range{Start: start, End: start + guardSize}, PermsOK: true},
			crash.Mapping{Range: crash.Range{Start: start + guardSize, End: tops[i]}, Perms: crash.Read | crash.Write, PermsOK: true})
	}
	object := func(at, base, sp, first uint64) { // stack base and length, then where it stands and where it began
		for i, v := range []uint64{base, actorSize + guardSize, sp, first} {
			word(heapAt+at+8*uint64(i), v)
		}
	}
	object(0x100, tops[0], tops[0]-0x400, tops[0]-0x80)
	word(tops[0]-0x400, waitingIn)
	object(0x300, tops[1], tops[1]-0x80, tops[1]-0x80)
	word(tops[1]-0x70, loopEntry)
	word(heapAt+0x800, tops[2]) // an address alone makes no coroutine

	g := Analyze(c, nil, &mesh, fakeCode{[]symbols.Frame{frame("mesh_service_call"), frame("__service_mailer_call_send"), frame("__service_orders_handle_call_pay"),
		frame("__service_orders_loop")}})
	if len(g.Actors) != 2 {
		t.Fatalf("%d actors: %+v", len(g.Actors), g.Actors)
	}
	asks, idle := g.Actors[0], g.Actors[1]
	if asks.State != ActorSuspended || asks.Name != "orders" || idle.State != ActorNew || idle.Name != "mailer" {
		t.Errorf("%s %s, %s %s", asks.Name, asks.State, idle.Name, idle.State)
	}
	if s := g.Waits[0].Text; s != "waits for the answer of the service mailer, which was never started" {
		t.Error(s)
	}
	if len(g.Chains) != 1 || !g.Chains[0].Sure || len(g.Chains[0].Threads) != 2 {
		t.Errorf("chains %+v", g.Chains)
	}
}
