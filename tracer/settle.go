package tracer

import (
	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// settle marks the sighting that the death follows from, if one does: the process ended while its handler or panic had not
// been left. An exit with status 0 follows from nothing.
func (s *sightings) settle(c *crash.Crash) {
	if c.Outcome.End == crash.EndExit && c.Outcome.ExitCode == 0 {
		return
	}
	if x := s.origin(c, c.FocusThread()); x != nil {
		x.Final = true
		return
	}
	// The dying thread has none. A handler may also hand the death to another thread (kill, or a thread that reports and
	// exits) and wait; the last such wait is then the origin.
	var last *sighting
	for i := range c.Threads {
		if x := s.origin(c, &c.Threads[i]); x != nil && x.Why == "signal" && (last == nil || x.At > last.At) {
			last = x
		}
	}
	if last != nil {
		last.Final = true
	}
}

// origin is the sighting a thread has not got out of: the outermost of those still active, and of several at the same
// place on the stack the newest (the earlier ones were left, or they would not have been reached again).
func (s *sightings) origin(c *crash.Crash, th *crash.Thread) *sighting {
	if th == nil || !th.RegsOK {
		return nil
	}
	var found *sighting
	for _, x := range s.all {
		if x.Thread.TID != th.TID || !x.active(c, th) {
			continue
		}
		if found == nil || found.slot == x.slot {
			found = x
		}
	}
	return found
}

// active reports whether a thread is still where the sighting left it: back at the same instruction (a handler that gives
// up restores the default action and returns), or inside its handler or panic.
func (x *sighting) active(c *crash.Crash, th *crash.Thread) bool {
	is := &th.Regs
	if sameMoment(&x.Thread.Regs, is) {
		return true
	}
	if x.slot == 0 || is.RSP > x.slot {
		return false
	}
	m, ok := c.MappingAt(x.slot)
	if !ok || !m.Contains(is.RSP) {
		return false
	}
	if word, err := crash.ReadUint64(c.Memory, x.slot); err != nil || word != x.word {
		return false
	}
	if x.Why != "signal" {
		return true
	}
	return x.frameIntact(c) && !x.unblocked(c, th.TID)
}

// sameMoment reports that nothing was executed in between: all general registers are as they were.
func sameMoment(a, b *crash.Regs) bool {
	for n := crash.RAX; n < crash.NumRegs; n++ {
		if a.Get(n) != b.Get(n) {
			return false
		}
	}
	return true
}

// frameIntact compares the context that the kernel saved for the handler with what was seen at the fault.
func (x *sighting) frameIntact(c *crash.Crash) bool {
	rip, err1 := crash.ReadUint64(c.Memory, x.slot+frameUContext+sigcontextRIP)
	rsp, err2 := crash.ReadUint64(c.Memory, x.slot+frameUContext+sigcontextRSP)
	return err1 == nil && err2 == nil && rip == x.Thread.Regs.RIP && rsp == x.Thread.Regs.RSP
}

// unblocked reports that the signal mask says the handler was left. When the process dies of the very signal it proves
// nothing: a handler unblocks it to raise it again, and the kernel does for a second fault.
func (x *sighting) unblocked(c *crash.Crash, tid int) bool {
	if c.Outcome.Signal != nil && c.Outcome.Signal.Number == x.Signal.Number {
		return false
	}
	mask, ok := blockedSignals(tid)
	return ok && x.blocked && mask&signalBit(unix.Signal(x.Signal.Number)) == 0
}
