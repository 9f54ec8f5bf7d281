package provenance

import (
	"fmt"

	"meshdiag/crash"
)

// maxGuard is the largest inaccessible mapping, in bytes, that is taken for a stack's guard: pthread's default and
// coroutine libraries use one page, Java up to 20 of them.
const maxGuard = 128 << 10

// isGuard reports whether m is an inaccessible strip directly below a writable anonymous mapping, as stacks have it.
func (a *Analyzer) isGuard(m *crash.Mapping) bool {
	if m == nil || !m.PermsOK || m.Perms&(crash.Read|crash.Write|crash.Exec) != 0 || m.Size() > maxGuard || m.Path != "" {
		return false
	}
	above := a.mapping(m.End)
	return above != nil && above.Start == m.End && above.Path == "" && writable(above)
}

func writable(m *crash.Mapping) bool {
	return m != nil && m.PermsOK && m.Perms&(crash.Read|crash.Write) == crash.Read|crash.Write
}

// guardBelow is the guard directly below a mapping, nil if there is none.
func (a *Analyzer) guardBelow(m *crash.Mapping) *crash.Mapping {
	if m == nil || m.Start == 0 {
		return nil
	}
	if g := a.mapping(m.Start - 1); g != nil && g.End == m.Start && a.isGuard(g) {
		return g
	}
	return nil
}

// stackOf says which stack a mapping is, "" when it is none: the kernel's [stack], a mapping in which a thread's stack
// pointer stands, or one with a guard below it (a thread or coroutine that is not running).
func (a *Analyzer) stackOf(m *crash.Mapping) string {
	if m == nil {
		return ""
	}
	if m.Path == "[stack]" {
		return "the main stack"
	}
	if m.Path != "" || m.PermsOK && !writable(m) {
		return ""
	}
	for i := range a.crash.Threads {
		t := &a.crash.Threads[i]
		if !t.RegsOK {
			continue
		}
		if name := threadStack(a, t, m); name != "" {
			return name
		}
	}
	if a.guardBelow(m) != nil {
		return "a stack"
	}
	return ""
}

// threadStack says what m is to thread t. A thread's own stack holds its thread control block (glibc puts both in one
// mapping); a thread that runs elsewhere runs on a coroutine's stack.
func threadStack(a *Analyzer, t *crash.Thread, m *crash.Mapping) string {
	running, own := m.Contains(t.Regs.RSP), t.Regs.FSBase != 0 && m.Contains(t.Regs.FSBase)
	switch {
	case t.AltStack.Size() > 0 && m.Contains(t.AltStack.Start):
		return fmt.Sprintf("the alternate signal stack of thread %d", t.TID)
	case own && (running || a.guardBelow(m) != nil):
		return fmt.Sprintf("the stack of thread %d", t.TID)
	case running && a.guardBelow(m) != nil:
		return fmt.Sprintf("the coroutine stack that thread %d runs on", t.TID)
	case running:
		return fmt.Sprintf("the stack that thread %d runs on", t.TID)
	}
	return ""
}

// stackName is stackOf with the bounds, for any mapping.
func (a *Analyzer) stackName(m *crash.Mapping) string {
	if m == nil {
		return "nothing"
	}
	name := a.stackOf(m)
	if name == "" {
		name = "a stack"
	}
	return fmt.Sprintf("%s %#x-%#x", name, m.Start, m.End)
}
