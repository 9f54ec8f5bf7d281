package startup

import (
	"encoding/binary"
	"fmt"
	"slices"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// roleByStack tells an actor by the stack that its thread runs on, when frames do not: after a stack overflow or a smashed
// stack. The profile knows how large such stacks are and that each has a guard page below it.
func roleByStack(c *crash.Crash, code Code, t *crash.Thread, p *profile.Profile) (ThreadRole, bool) {
	m, ok := actorStack(c, t, p)
	if !ok {
		return ThreadRole{}, false
	}
	if r, ok := roleByFarEnd(c, code, m, p); ok {
		return r, true
	}
	return ThreadRole{Role: profile.RoleActor, FrameIndex: -1,
		Why: fmt.Sprintf("its stack is an actor's: %d KiB above a guard page", m.Size()>>10)}, true
}

// actorStack finds the actor stack that rsp lies in or has just overflowed.
func actorStack(c *crash.Crash, t *crash.Thread, p *profile.Profile) (*crash.Mapping, bool) {
	if p == nil || p.Stacks.Actor == 0 || p.Stacks.Guard == 0 || !t.RegsOK {
		return nil, false
	}
	m, ok := c.MappingAt(t.Regs.RSP)
	if ok && m.PermsOK && m.Perms&(crash.Read|crash.Write) == 0 && m.Size() == p.Stacks.Guard {
		m, ok = c.MappingAt(m.End) // rsp stands in the guard page: the stack is above it
	}
	if !ok || m.Path != "" || m.Start == 0 || m.PermsOK && m.Perms&crash.Write == 0 {
		return nil, false
	}
	if m.Size() != p.Stacks.Actor && !slices.Contains(p.Stacks.ActorStale, m.Size()) {
		return nil, false
	}
	guard, ok := c.MappingAt(m.Start - 1)
	if !ok || !guard.PermsOK || guard.Perms&(crash.Read|crash.Write|crash.Exec) != 0 || guard.Size() != p.Stacks.Guard {
		return nil, false
	}
	return m, true
}

// farEnd is how many bytes of a stack's far end are looked at: the frames of the actor's entry and the first ones it calls.
const farEnd = 8 << 10

// roleByFarEnd looks for return addresses at the end of an actor's stack where it began. What stands there is older than
// whatever destroyed the rest, and it is not stale: those functions have not returned.
func roleByFarEnd(c *crash.Crash, code Code, m *crash.Mapping, p *profile.Profile) (ThreadRole, bool) {
	if code == nil {
		return ThreadRole{}, false
	}
	best := ThreadRole{FrameIndex: -1}
	page := make([]byte, 4096)
	for top := m.End; top > m.Start && top > m.End-farEnd; top -= 4096 {
		if n, _ := c.Memory.ReadMemory(page, top-4096); n < len(page) {
			break
		}
		for off := len(page) - 8; off >= 0; off -= 8 {
			if r := roleOfReturn(c, code, binary.LittleEndian.Uint64(page[off:]), p); rank[r.Role] > rank[best.Role] {
				best = r
			}
		}
	}
	return best, rank[best.Role] > rank[profile.RoleWorker]
}

// roleOfReturn is the role that a word gives when it is a return address.
func roleOfReturn(c *crash.Crash, code Code, word uint64, p *profile.Profile) ThreadRole {
	if m, ok := c.MappingAt(word); !ok || m.PermsOK && m.Perms&crash.Exec == 0 {
		return ThreadRole{}
	}
	sym, mod, ok := code.Lookup(crash.ReturnAddress(word))
	if !ok || mod == nil || sym.IsData {
		return ThreadRole{}
	}
	readable, _ := symbols.Demangle(sym.Name)
	cl := p.Classify(sym.Name, readable, mod.Path, mod.Main)
	return ThreadRole{Role: cl.Role, Actor: cl.Actor, FrameIndex: -1,
		Why: fmt.Sprintf("the far end of its stack holds a return address into %s%s", cl.Readable, how(cl.Part))}
}
