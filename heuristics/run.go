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
		f := h.Run(c)
		all = append(all, f.Hypotheses...)
		out = append(out, f.RuledOut...)
	}
	ranked, none := Rank(all)
	if kind == crash.Healthy {
		d.Causes = slices.DeleteFunc(ranked, func(h Hypothesis) bool {
			return h.Kind != kindCaught && !outside(h.ID) || Score(&h) < noneScore
		})
		return d
	}
	d.Causes = shown(c, ranked, none)
	d.RuledOut = slices.DeleteFunc(out, func(r RuledOut) bool { return claims(d.Causes, r.ID) })
	return d
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
