package waits

import (
	"encoding/binary"
	"slices"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// Bounds of how much of each stack, and of all together, is searched for the addresses of locks.
const (
	stackSearched  = 256 << 10
	stacksSearched = 128 << 20
)

// findHolders looks on the stacks for those who have the locks that record no owner: a thread in a function that will give
// the lock back, and if no function's code tells, one that has the lock's address on its stack, where a guard keeps it. So
// does a thread that waits for the lock, and one that merely knows it. Only where it is one other thread alone, that one is
// named, as likely.
func (a *analysis) findHolders(g *Graph) {
	wanted := map[uint64][]int{} // lock -> threads on whose stack it stands
	for i := range g.Waits {
		if w := &g.Waits[i]; unrecorded(w) {
			wanted[w.Address] = nil
		}
	}
	if len(wanted) == 0 {
		return
	}
	gives := make([]map[uint64][]string, len(a.c.Threads))
	for i := range a.c.Threads {
		gives[i] = a.releases(i, wanted)
		for addr := range a.mentions(i, wanted) {
			wanted[addr] = append(wanted[addr], i)
		}
	}
	for i := range g.Waits {
		if w := &g.Waits[i]; unrecorded(w) {
			w.Holders = a.likelyHolder(g, i, gives, wanted)
		}
	}
}

// findInitialisers finds who runs the one-time initialisation that a thread waits for: the function that calls it has the
// address of the once-word in a register, and stands further out on the stack of the thread that it runs on.
func (a *analysis) findInitialisers(g *Graph) {
	for i := range a.c.Threads {
		w := &g.Waits[i]
		if w.Primitive != profile.PthreadOnce && w.Primitive != profile.RustOnce || w.Kind != Lock || w.Passed {
			continue
		}
		for j := range a.c.Threads {
			if a.initialises(j, w) {
				w.Holders = append(w.Holders, a.holder(j, "it runs the initialisation", true))
			}
		}
		w.Holders = onlyOne(w.Holders)
	}
}

// initialises reports whether a thread stands inside of the call that w waits for the end of.
func (a *analysis) initialises(i int, w *Wait) bool {
	if i >= len(a.stacks) {
		return false
	}
	inside := false // behind the first frame of the program's own code
	for j := range a.stacks[i].Frames {
		f := &a.stacks[i].Frames[j]
		k := a.classified(f)
		if !foreign(k.Kind) {
			inside = true
		}
		if f.Trust == symbols.TrustScan {
			return false
		}
		if !inside || k.Rule == nil || k.Rule.Primitive != w.Primitive {
			continue
		}
		for n := range keptOverCalls {
			if f.Regs[n].Known && f.Regs[n].Value == w.Address {
				return true
			}
		}
	}
	return false
}

// likelyHolder is the one thread that can have the lock that thread i waits for; none when there are several.
func (a *analysis) likelyHolder(g *Graph, i int, gives []map[uint64][]string, mentioned map[uint64][]int) []Holder {
	w := &g.Waits[i]
	if len(a.c.Threads) == 1 && w.Private {
		// A Rust guard is dropped when its thread ends; in C another thread may have ended with the lock.
		return []Holder{a.holder(i, "the process has no other thread", w.Primitive != profile.PthreadRWLock)}
	}
	var all []Holder
	for j := range a.c.Threads {
		switch functions := gives[j][w.Address]; {
		case j == i && len(functions) > 1:
			all = append(all, a.holder(j, readable(functions[1])+" on its own stack gives the lock back later", false))
		case j != i && len(functions) > 0 && !waitsFor(&g.Waits[j], w.Address):
			all = append(all, a.holder(j, readable(functions[0])+" on its stack gives the lock back later", false))
		}
	}
	if len(all) > 0 {
		return onlyOne(all)
	}
	for _, j := range mentioned[w.Address] {
		if j != i && !waitsFor(&g.Waits[j], w.Address) {
			all = append(all, a.holder(j, "no other stack has the lock's address", false))
		}
	}
	return onlyOne(all)
}

func (a *analysis) holder(i int, why string, sure bool) Holder {
	return Holder{Thread: i, TID: a.c.Threads[i].TID, Why: why, Sure: sure}
}

func onlyOne(all []Holder) []Holder {
	if len(all) == 1 {
		return all
	}
	return nil
}

func waitsFor(w *Wait, lock uint64) bool { return w.Kind == Lock && w.Address == lock }

// unrecorded reports whether somebody has the lock that a thread waits for, and the lock does not say who.
func unrecorded(w *Wait) bool {
	if w.Kind != Lock || w.Passed || w.Address == 0 || len(w.Holders) > 0 {
		return false
	}
	switch w.Primitive {
	case profile.RustMutex, profile.RustRWLock, profile.PthreadRWLock:
		return true
	}
	return false
}

// mentions are those of the addresses that stand in a thread's registers or on its stack.
func (a *analysis) mentions(i int, wanted map[uint64][]int) map[uint64]bool {
	found := map[uint64]bool{}
	t := &a.c.Threads[i]
	if !t.RegsOK {
		return found
	}
	r := &t.Regs
	for _, v := range []uint64{r.RBX, r.RBP, r.R12, r.R13, r.R14, r.R15} {
		if _, ok := wanted[v]; ok {
			found[v] = true
		}
	}
	m, ok := a.c.MappingAt(r.RSP)
	if !ok {
		return found
	}
	size := min(a.liveEnd(i, m)-r.RSP&^7, stackSearched, a.stackBudget)
	a.stackBudget -= size
	buf := make([]byte, size)
	n, _ := a.c.Memory.ReadMemory(buf, r.RSP&^7)
	for off := 0; off+8 <= n; off += 8 {
		v := binary.LittleEndian.Uint64(buf[off:])
		if _, ok := wanted[v]; ok {
			found[v] = true
		}
	}
	return found
}

// liveEnd is where the frames of a stack end, as far as they are known: what lies behind is the loader's and the kernel's.
func (a *analysis) liveEnd(i int, m *crash.Mapping) uint64 {
	if i < len(a.stacks) && len(a.stacks[i].Frames) > 0 && a.stacks[i].Truncated == "" {
		last := a.stacks[i].Frames[len(a.stacks[i].Frames)-1]
		if last.CFA.Known && m.Contains(last.CFA.Value) && last.CFA.Value > a.c.Threads[i].Regs.RSP {
			return last.CFA.Value
		}
	}
	return m.End
}

// findReplies finds the thread or actor that runs the service from which another one waits for an answer. A service is one actor
// that does one thing at a time: it answers when it has done what it does now. Where several run the same service, or an
// actor is not known to run anything, nothing is sure.
func (a *analysis) findReplies(g *Graph) {
	sure := !slices.ContainsFunc(g.Actors, func(x Actor) bool { return x.State == ActorUnknown })
	for i := range g.Waits {
		w := &g.Waits[i]
		if w.Kind != Reply {
			continue
		}
		w.Timed, w.LeftKnown = false, false // who waits so looks again until the answer is there
		if w.Name == "" && i < len(a.stacks) {
			w.Name = a.askedIn(a.stacks[i].Frames)
		}
		if w.Name == "" {
			continue
		}
		for j := range g.Waits {
			if a.serves(g, j) == w.Name {
				w.Holders = append(w.Holders, Holder{Thread: j, TID: g.tid(a.c, j), Why: "it runs the service that was asked"})
			}
		}
		switch {
		case len(w.Holders) == 1:
			w.Holders[0].Sure = sure
		case len(w.Holders) > 1:
			w.Holders = nil
		}
	}
}

// askedIn is the service whose answer is waited for.
func (a *analysis) askedIn(frames []symbols.Frame) string {
	for j := range frames {
		if k := a.classified(&frames[j]); k.Part == profile.PartCallHelper {
			return k.Actor
		}
	}
	return ""
}

// serves is the service that a thread or an actor runs.
func (a *analysis) serves(g *Graph, i int) string {
	if x := g.Actor(i); x != nil {
		switch x.State {
		case ActorNew:
			return x.Name
		case ActorRuns:
			return "" // its thread does
		}
		return a.servesIn(x.Trace.Frames)
	}
	if i < len(a.stacks) {
		return a.servesIn(a.stacks[i].Frames)
	}
	return ""
}

func (a *analysis) servesIn(frames []symbols.Frame) string {
	for j := range frames {
		if k := a.classified(&frames[j]); k.Part == profile.PartServiceLoop || k.Part == profile.PartHandler {
			return k.Actor
		}
	}
	return ""
}
