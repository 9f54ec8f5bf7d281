package waits

import (
	"encoding/binary"
	"slices"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// ActorState says what became of an actor's coroutine.
type ActorState string

// The states of actors. The tokens are part of the report contract.
const (
	ActorRuns      ActorState = "on-thread" // a thread stands on its stack
	ActorSuspended ActorState = "suspended"
	ActorNew       ActorState = "never-ran"
	ActorUnknown   ActorState = "unknown"
)

// Actor is a coroutine with a stack of its own, as runtimes have them by the hundreds on few threads.
type Actor struct {
	Stack  crash.Range
	State  ActorState
	Thread int    // index of the thread that stands on the stack; -1 none
	Name   string // of the service or the actor's function; "" unknown
	Trace  symbols.Stack
	start  crash.Regs // with which it would go on
}

// Bounds of the search for actors.
const (
	maxActors       = 4096
	maxUnwound      = 256      // suspended ones whose stack is walked
	actorFrames     = 48       // of each
	memorySearched  = 64 << 20 // bytes in which the runtime's own notes of its coroutines are looked for
	searchChunk     = 1 << 20
	closureWords    = 32 // at the start of a stack in which a new actor's closure lies
	coroutineRadius = 6  // words around the base of the stack in which the other fields of a coroutine lie
)

// Tracer walks the stack of a thread, or of what stands in for one.
type Tracer interface {
	Unwind(t *crash.Thread, mem crash.Memory, max int) symbols.Stack
}

// findActors finds the stacks of actors by their size and guard page, which the profile tells, and then the coroutine object of
// each. Those of the crate corosensei, which Rust runtimes are built on, hold the stack (base and length with the guard), the
// stack pointer of the suspended coroutine, and the one of its start (src/coroutine.rs); the order of the fields is the
// compiler's.
func (a *analysis) findActors() []Actor {
	p := a.profile
	if p == nil || p.Stacks.Actor == 0 || p.Stacks.Guard == 0 {
		return nil
	}
	actors := a.actorStacks()
	if len(actors) == 0 {
		return nil
	}
	byBase := map[uint64]int{}
	for i := range actors {
		byBase[actors[i].Stack.End] = i
	}
	found := make([]bool, len(actors))
	a.search(func(word uint64, around []uint64) {
		i, ok := byBase[word]
		if !ok || found[i] {
			return
		}
		x := &actors[i]
		if slices.Contains(around, x.Stack.Size()+p.Stacks.Guard) && a.coroutine(x, around) {
			found[i] = true
		}
	})
	// A stack that no coroutine object belongs to and no thread stands on is some other memory of that size.
	known := actors[:0]
	for i, x := range actors {
		if found[i] || x.State == ActorRuns {
			known = append(known, x)
		}
	}
	return known
}

// actorStacks are the mappings that look like stacks of actors.
func (a *analysis) actorStacks() []Actor {
	var all []Actor
	sizes := append([]uint64{a.profile.Stacks.Actor}, a.profile.Stacks.ActorStale...)
	for i := 0; i+1 < len(a.c.Mappings) && len(all) < maxActors; i++ {
		guard, m := &a.c.Mappings[i], &a.c.Mappings[i+1]
		if guard.Size() != a.profile.Stacks.Guard || !guard.PermsOK || guard.Perms&(crash.Read|crash.Write|crash.Exec) != 0 ||
			m.Start != guard.End || m.Path != "" || m.PermsOK && m.Perms&crash.Write == 0 {
			continue
		}
		for _, size := range sizes { // the kernel joins it with the mapping behind it, when that is of the same kind
			if m.Size() < size {
				continue
			}
			x := Actor{Stack: crash.Range{Start: m.Start, End: m.Start + size}, State: ActorUnknown, Thread: -1}
			for j := range a.c.Threads {
				if t := &a.c.Threads[j]; t.RegsOK && m.Size() == size && x.Stack.Contains(t.Regs.RSP) {
					x.State, x.Thread = ActorRuns, j
				}
			}
			all = append(all, x)
			break
		}
	}
	return all
}

// coroutine reads the fields around the base of an actor's stack; false when they are no coroutine's. On top of the stack of a
// suspended one lie rip, rbx and rbp with which it goes on (corosensei src/arch/x86_64.rs, switch_yield).
func (a *analysis) coroutine(x *Actor, around []uint64) bool {
	var inside []uint64
	for _, w := range around {
		if w > x.Stack.Start && w < x.Stack.End && w%8 == 0 {
			inside = append(inside, w)
		}
	}
	if len(inside) == 0 {
		return false
	}
	if x.State == ActorRuns {
		return true
	}
	sp := slices.Min(inside)
	first := slices.Max(inside)
	switch {
	case len(inside) > 1 && sp == first:
		x.State = ActorNew
		x.Name = a.entryOf(sp, x.Stack.End)
		return true
	case len(inside) == 1:
		return true // it has ended, or is running: nothing can be said
	}
	var saved [3]uint64
	for n := range saved {
		v, err := crash.ReadUint64(a.c.Memory, sp+8*uint64(n))
		if err != nil {
			return true
		}
		saved[n] = v
	}
	if m, ok := a.c.MappingAt(saved[0]); !ok || m.PermsOK && m.Perms&crash.Exec == 0 {
		return true
	}
	x.State = ActorSuspended
	x.start = crash.Regs{RIP: saved[0], RBX: saved[1], RBP: saved[2], RSP: sp + 24, OrigRAX: 1<<64 - 1}
	return true
}

// entryOf is the function that an actor would begin with: the closure at the start of its stack holds its address.
func (a *analysis) entryOf(sp, end uint64) string {
	if a.names == nil {
		return ""
	}
	for addr := sp; addr+8 <= min(end, sp+8*closureWords); addr += 8 {
		v, err := crash.ReadUint64(a.c.Memory, addr)
		if err != nil {
			return ""
		}
		sym, mod, ok := a.names.Lookup(crash.PC(v))
		if !ok || mod == nil || !mod.Main || sym.Start != v {
			continue
		}
		f := symbols.Frame{Symbol: sym, Module: mod}
		if k := a.classified(&f); k.Kind == profile.KindProgram {
			return orElse(k.Actor, k.Readable)
		}
	}
	return ""
}

// search hands over every word of the process's own writable memory, with the words around it.
func (a *analysis) search(each func(word uint64, around []uint64)) {
	left := uint64(memorySearched)
	buf := make([]byte, searchChunk)
	words := make([]uint64, 0, searchChunk/8)
	for i := range a.c.Mappings {
		m := &a.c.Mappings[i]
		anonymous := m.Path == "" || m.Path == "[heap]"
		if !anonymous || m.PermsOK && m.Perms&crash.Write == 0 || m.Perms&crash.Shared != 0 {
			continue
		}
		for at := m.Start; at < m.End && left > 0; {
			n, _ := a.c.Memory.ReadMemory(buf[:min(uint64(len(buf)), m.End-at, left)], at)
			if n < 8 {
				break
			}
			words = words[:0]
			for off := 0; off+8 <= n; off += 8 {
				words = append(words, binary.LittleEndian.Uint64(buf[off:]))
			}
			for j, w := range words {
				if w > m.Start|1<<12 { // cheap: small numbers are no addresses
					each(w, words[max(j-coroutineRadius, 0):min(j+coroutineRadius+1, len(words))])
				}
			}
			at += uint64(n)
			left -= uint64(n)
		}
	}
}

// trace walks the stacks of suspended actors and names them.
func (a *analysis) trace(actors []Actor) {
	walk, ok := a.names.(Tracer)
	if !ok {
		return
	}
	unwound := 0
	for i := range actors {
		x := &actors[i]
		switch x.State {
		case ActorRuns:
			if x.Thread < len(a.stacks) {
				x.Trace = a.stacks[x.Thread]
			}
		case ActorSuspended:
			if unwound++; unwound > maxUnwound {
				continue
			}
			x.Trace = walk.Unwind(&crash.Thread{Regs: x.start, RegsOK: true}, nil, actorFrames)
		default:
			continue
		}
		x.Name = a.actorName(x.Trace.Frames)
	}
}

// actorName is the service that frames run, or the outermost function of the program's own code among them.
func (a *analysis) actorName(frames []symbols.Frame) string {
	if s := a.servesIn(frames); s != "" {
		return s
	}
	name := ""
	for j := range frames {
		k := a.classified(&frames[j])
		if k.Part == profile.PartCoroutineEntry {
			break
		}
		if k.Kind == profile.KindProgram {
			name = orElse(k.Actor, k.Readable)
		}
	}
	return name
}

// actorWait is what an actor waits for that stands on no thread.
func (a *analysis) actorWait(x *Actor) Wait {
	switch x.State {
	case ActorNew:
		return Wait{Kind: Other, Text: "was never started"}
	case ActorSuspended:
	default:
		return Wait{Kind: Unknown}
	}
	for j := range x.Trace.Frames {
		k := a.classified(&x.Trace.Frames[j])
		if k.Rule != nil && k.Rule.Primitive == profile.ActorReply {
			return Wait{Kind: Reply, Primitive: profile.ActorReply, Name: a.askedIn(x.Trace.Frames)}
		}
		if k.Kind == profile.KindProgram {
			break
		}
	}
	return Wait{Kind: Other, Rest: true, Text: "is suspended until a message or the time comes"}
}
