package heuristics

import (
	"slices"

	"meshdiag/crash"
)

// Run weighs all causes for a case. A program that ended well has none, except a panic that it survived and failures that
// it spoke of and lived with.
func Run(c *Case) Diagnosis {
	kind := c.Kind
	if kind == "" {
		kind = Interpret(c)
	}
	c.Kind = kind
	d := Diagnosis{Kind: kind}
	var all []Hypothesis
	var out []RuledOut
	for _, h := range Registry() {
		f, failed := attempt(&h, c)
		if failed != nil {
			d.Failed = append(d.Failed, Failure{h.Doc.ID, failed})
		}
		all = append(all, f.Hypotheses...)
		out = append(out, f.RuledOut...)
	}
	c.weaken(all)
	c.contradict(all)
	ranked, none := Rank(all)
	if kind == crash.Healthy {
		d.Causes = slices.DeleteFunc(ranked, func(h Hypothesis) bool {
			return h.Kind != kindCaught && h.ID != idHang && !outside(h.ID) || Score(&h) < noneScore
		})
		return d
	}
	d.Causes = shown(c, ranked, none)
	d.RuledOut = slices.DeleteFunc(out, func(r RuledOut) bool { return claims(d.Causes, r.ID) })
	return d
}

// attempt runs one heuristic. failed is what it panicked with, if it did.
func attempt(h *Heuristic, c *Case) (f Finding, failed any) {
	defer func() { failed = recover() }()
	return h.Run(c), nil
}

// groupOrigin is the group of all facts about where a value came from.
const groupOrigin = "origin"

// weaken takes back a part of what rests on the origin of the bad value when the dump allows another origin just as well.
func (c *Case) weaken(all []Hypothesis) {
	if c.Chain == nil || len(c.Chain.Alternatives) == 0 {
		return
	}
	for i := range all {
		for j := range all[i].Evidence {
			if e := &all[i].Evidence[j]; e.Group == groupOrigin && e.Weight > 0 {
				e.Weight *= tierPossible
			}
		}
	}
}

// contradict counts against every cause that is read off the fault when signal, registers and code cannot all be right: one of
// them is not that of the fault.
func (c *Case) contradict(all []Hypothesis) {
	if c.Fault == nil || len(c.Fault.Inconsistent) == 0 {
		return
	}
	for i := range all {
		switch all[i].ID {
		case idNull, idWild, idDispatch, idABI, idFreed, idReadOnly, idHandle:
			all[i].fact(true, "contradiction", "contradiction", wContradiction, "%s", c.Fault.Inconsistent[0])
		}
	}
}

// shown are the causes worth a reader's time. "Unknown" leads where nothing has more behind it than "none of these".
func shown(c *Case, ranked []Hypothesis, none float64) []Hypothesis {
	var out []Hypothesis
	for _, h := range ranked {
		if len(out) < maxCauses && h.Confidence >= minShown {
			out = append(out, h)
		}
	}
	if len(ranked) == 0 || Score(&ranked[0]) < noneScore {
		return append([]Hypothesis{notKnown(c, ranked, none)}, out...)
	}
	return out
}

func claims(causes []Hypothesis, id string) bool {
	return slices.ContainsFunc(causes, func(h Hypothesis) bool { return h.ID == id })
}
