package heuristics

import (
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/startup"
)

// ended weighs how well a cause outside fits the way the process ended.
func (c *Case) ended(h *Hypothesis) {
	switch c.Kind {
	case crash.Exited:
		h.fact(true, "gave-up", "end", wGaveUp, "the program then gave up: it exited with status %d", c.Crash.Outcome.ExitCode)
	case crash.Hung, crash.Killed, crash.Healthy:
		h.fact(true, "went-on", "end", wWentOn, "the program went on without being able to do its job")
	case crash.Panicked:
		named := false
		if p := c.facts().panic; p != nil {
			cause, _ := c.wordsOf(p)
			named = cause == h.ID || h.ID == idOutOfMemory && c.refusedSize(p)
		}
		h.fact(named, "panicked-over-it", "end", wPanickedOver, "it is what the program panicked over")
		h.fact(!named, "panicked", "end", wCrashedAnyway, "the program panicked over something else")
	case crash.Crashed:
		h.fact(true, "crashed", "end", wCrashedAnyway, "the process died of a fault, which such a failure does not explain by itself")
	}
}

// refusedSize reports whether a panic is about memory that was refused, of a size that can have been meant.
func (c *Case) refusedSize(p *PanicSite) bool {
	return c.panicKind(p) == kindAllocation && failedAllocation(p.Message) < absurdSize || strings.Contains(p.Message, "std::bad_alloc")
}

// limitedMemory reports whether a check found a limit of memory.
func (c *Case) limitedMemory() bool {
	return slices.ContainsFunc(c.Checks, func(k Check) bool { return !k.OK && k.Cause == idOutOfMemory })
}

// failedInWords reports whether the target said that something outside it failed.
func (c *Case) failedInWords() bool {
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Fatal || outside(m.Cause) && profile.Meaning(m.Meaning) == profile.MeansFailure {
			return true
		}
	}
	return false
}

// outside reports whether a cause lies in the world outside the program.
func outside(id string) bool { return id == idDatabase || id == idPort || id == idStale }

// spoken builds one hypothesis per kind that the target's words point to.
func (c *Case) spoken(id string, each func(h *Hypothesis, m *startup.Message)) []*Hypothesis {
	var hs []*Hypothesis
	seen := map[string]*Hypothesis{}
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Cause != id {
			continue
		}
		kind := m.Kind
		if kind == "" && (id == idDatabase || id == idPort) {
			kind = kindOther
		}
		h, ok := seen[kind]
		if !ok {
			h = hypothesis(id, kind)
			seen[kind] = h
			hs = append(hs, h)
			c.ended(h)
		}
		h.fact(true, "words", "words", wWords, "the target said: %q", m.Line.Text)
		h.fact(m.Fatal, "fatal", "fatal", wFatalWords, "after that it could not do its job")
		if !ok {
			each(h, m)
		}
		h.next(m.Next...)
	}
	return hs
}

// checkStatements is the check that holds all SQL of the program against the database, whether it was run or not.
const checkStatements = "database-statements"

// checkPartitions is the check of the partitions that the program makes itself while it starts.
const checkPartitions = "database-partitions"

// probed adds the hypotheses that failed checks of the world outside point to.
func (c *Case) probed(id string, hs []*Hypothesis, title func(h *Hypothesis, detail string)) []*Hypothesis {
	for _, k := range c.Checks {
		if k.OK || k.Cause != id {
			continue
		}
		var h *Hypothesis
		for _, old := range hs {
			if old.Kind == k.Kind {
				h = old
			}
		}
		if h == nil && k.ID == checkPartitions && len(hs) > 0 && !c.leftOpen(id) {
			h = hs[0] // its words tell why there is no partition
		}
		if h == nil {
			h = hypothesis(id, k.Kind)
			c.ended(h)
			title(h, k.Detail)
			hs = append(hs, h)
		}
		weight := wCheckFailed
		switch {
		case k.ID == checkStatements:
			weight = wUnfitSQL
		case k.Hint:
			weight = wCheckHint
		}
		h.fact(true, "check-"+k.ID, "check", weight, "a check from outside found: %s", k.Detail)
		h.next(k.Next...)
	}
	return hs
}

// blameSpeaker blames the program's function that was running when it gave up, where a stack still tells.
func (c *Case) blameSpeaker(h *Hypothesis) {
	v := c.facts()
	if v.suspect >= 0 && (c.Kind == crash.Panicked || c.Kind == crash.Crashed || c.Kind == crash.Exited) {
		c.blameSuspect(h)
	}
}
