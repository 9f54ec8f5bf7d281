package heuristics

import "slices"

// exact gives a hypothesis that rests on words which leave the kind open the kind that a failed check of the same cause
// found: the program swallowed the reason, the check tells it.
func (c *Case) exact(id string, hs []*Hypothesis, describe func(h *Hypothesis, detail string)) {
	var open *Hypothesis
	for _, h := range hs {
		if h.Kind == kindOther && c.leftOpen(id) {
			open = h
		}
	}
	if open == nil {
		return
	}
	for _, k := range c.Checks {
		if k.OK || k.Cause != id || k.Kind == "" {
			continue
		}
		if h := slices.IndexFunc(hs, func(h *Hypothesis) bool { return h.Kind == k.Kind }); h >= 0 && hs[h] != open {
			return // the words tell it elsewhere; later checks may fail in consequence
		}
		open.Kind = k.Kind
		open.Next = nil // advice to find out what is known now
		describe(open, k.Detail)
		return
	}
}

// leftOpen reports whether all words about a cause that name no exact kind leave it open.
func (c *Case) leftOpen(id string) bool {
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Cause == id && (m.Kind == "" || m.Kind == kindOther) && !m.Open {
			return false
		}
	}
	return true
}

// unreachable reports whether a check found that the database does not answer.
func (c *Case) unreachable() bool {
	for _, k := range c.Checks {
		if !k.OK && k.Cause == idDatabase && k.Kind == kindUnreachable {
			return true
		}
	}
	return false
}

// checkLocks is the check that found the program's own session waiting for a lock that another session holds.
const checkLocks = "database-locks"

// lockedOut reports whether a check found that the database lets the program wait for somebody else.
func (c *Case) lockedOut() bool {
	for _, k := range c.Checks {
		if !k.OK && k.ID == checkLocks {
			return true
		}
	}
	return false
}
