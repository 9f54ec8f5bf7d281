package waits

import (
	"encoding/binary"
	"fmt"

	"meshdiag/profile"
)

// stackSearched bounds how much of each stack is searched for the address of a lock.
const stackSearched = 256 << 10

// findHolders looks on the stacks for those who have the locks that record no owner. A guard, or the code that will unlock,
// keeps the lock's address on the stack of the thread that has it. So does a thread that waits for it, and one that merely
// knows it: only where the address stands on the stack of one other thread alone, that one is named, as likely.
func (a *analysis) findHolders(g *Graph) {
	wanted := map[uint64][]int{} // lock -> threads on whose stack it stands
	for i := range g.Waits {
		if w := &g.Waits[i]; a.unrecorded(w) {
			wanted[w.Address] = nil
		}
	}
	if len(wanted) == 0 {
		return
	}
	for i := range a.c.Threads {
		for addr := range a.mentions(i, wanted) {
			wanted[addr] = append(wanted[addr], i)
		}
	}
	for i := range g.Waits {
		w := &g.Waits[i]
		if !a.unrecorded(w) {
			continue
		}
		var others []int
		for _, j := range wanted[w.Address] {
			if o := &g.Waits[j]; j != i && (o.Kind != Lock || o.Address != w.Address) {
				others = append(others, j)
			}
		}
		if len(others) == 1 {
			w.Holders = []Holder{{Thread: others[0], TID: a.c.Threads[others[0]].TID,
				Why: fmt.Sprintf("of the threads that do not wait for the lock, only this one has its address (%#x) on its stack", w.Address)}}
		}
	}
}

// unrecorded reports whether somebody has the lock that a thread waits for, and the lock does not say who.
func (a *analysis) unrecorded(w *Wait) bool {
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
