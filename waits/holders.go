package waits

import (
	"encoding/binary"

	"meshdiag/profile"
)

// stackSearched bounds how much of each stack is searched for the address of a lock.
const stackSearched = 256 << 10

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
	buf := make([]byte, min(m.End-r.RSP&^7, stackSearched))
	n, _ := a.c.Memory.ReadMemory(buf, r.RSP&^7)
	for off := 0; off+8 <= n; off += 8 {
		v := binary.LittleEndian.Uint64(buf[off:])
		if _, ok := wanted[v]; ok {
			found[v] = true
		}
	}
	return found
}

// findReplies finds the thread that runs the service from which another one waits for an answer.
func (a *analysis) findReplies(g *Graph) {
	for i := range g.Waits {
		w := &g.Waits[i]
		if w.Kind != Reply {
			continue
		}
		service := a.asked(i)
		if service == "" {
			continue
		}
		w.Name = service
		for j := range a.c.Threads {
			if a.serves(j) == service {
				w.Holders = append(w.Holders, Holder{Thread: j, TID: a.c.Threads[j].TID, Why: "it runs the service that was asked"})
				break
			}
		}
	}
}

// asked is the service whose answer a thread waits for.
func (a *analysis) asked(i int) string {
	for j := range a.stacks[i].Frames {
		if k := a.classified(&a.stacks[i].Frames[j]); k.Part == profile.PartCallHelper {
			return k.Actor
		}
	}
	return ""
}

// serves is the service that a thread runs.
func (a *analysis) serves(i int) string {
	if i >= len(a.stacks) {
		return ""
	}
	for j := range a.stacks[i].Frames {
		if k := a.classified(&a.stacks[i].Frames[j]); k.Part == profile.PartServiceLoop || k.Part == profile.PartHandler {
			return k.Actor
		}
	}
	return ""
}
