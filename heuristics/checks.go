package heuristics

// exact gives a hypothesis that rests on words which leave the kind open the kind that a failed check of the same cause
// found: the program swallowed the reason, the check tells it.
func (c *Case) exact(id string, hs []*Hypothesis, describe func(h *Hypothesis, detail string)) {
	has := func(kind string) *Hypothesis {
		for _, h := range hs {
			if h.Kind == kind {
				return h
			}
		}
		return nil
	}
	for _, k := range c.Checks {
		open := has(kindOther)
		if k.OK || k.Cause != id || k.Kind == "" || open == nil || has(k.Kind) != nil {
			if !k.OK && k.Cause == id && k.Kind == kindOther {
				return // the open kind is the right one; later checks may fail in consequence
			}
			continue
		}
		open.Kind = k.Kind
		open.Next = nil // advice to find out what is known now
		describe(open, k.Detail)
	}
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
