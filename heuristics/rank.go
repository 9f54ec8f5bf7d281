package heuristics

import (
	"math"
	"slices"
	"strings"
)

// Rank turns evidence into confidence. The score of a hypothesis is its prior plus, per group of related facts, the
// weight of the strongest one; the scores of all hypotheses and of "none of these" compete in a softmax. It is a pure
// function of what is recorded in the hypotheses: the same evidence gives the same confidence, and the order in which
// heuristics ran does not matter.
func Rank(hs []Hypothesis) (ranked []Hypothesis, none float64) {
	ranked = slices.Clone(hs)
	scores := make([]float64, len(ranked))
	top := noneScore
	for i := range ranked {
		scores[i] = Score(&ranked[i])
		top = max(top, scores[i])
	}
	sum := math.Exp(noneScore - top)
	for _, s := range scores {
		sum += math.Exp(s - top)
	}
	for i := range ranked {
		p := math.Exp(scores[i]-top) / sum
		ranked[i].Confidence = min(p, ceiling(&ranked[i]))
	}
	slices.SortStableFunc(ranked, func(a, b Hypothesis) int {
		switch sa, sb := Score(&a), Score(&b); {
		case sa > sb:
			return -1
		case sa < sb:
			return 1
		}
		return strings.Compare(a.ID+"/"+a.Kind, b.ID+"/"+b.Kind)
	})
	return ranked, math.Exp(noneScore-top) / sum
}

// Score is a hypothesis's prior plus its evidence in log-odds, each group counted once.
func Score(h *Hypothesis) float64 {
	score := prior(h.ID, h.Kind)
	for _, w := range groupWeights(h.Evidence) {
		score += w
	}
	return score
}

// groupWeights is the weight of each group, in order of first appearance so that sums are reproducible to the last bit.
func groupWeights(evidence []Evidence) []float64 {
	var names []string
	var weights []float64
	for _, e := range evidence {
		w := clamp(e.Weight, maxItem)
		i := slices.Index(names, e.Group)
		if i < 0 || e.Group == "" {
			names, weights = append(names, e.Group), append(weights, w)
			continue
		}
		if math.Abs(w) > math.Abs(weights[i]) || math.Abs(w) == math.Abs(weights[i]) && w > weights[i] {
			weights[i] = w
		}
	}
	for i := range weights {
		weights[i] = clamp(weights[i], maxGroup)
	}
	return weights
}

func clamp(w, limit float64) float64 { return max(-limit, min(limit, w)) }

// ceiling bounds the confidence of a hypothesis by its best single fact: however little competes with it, a cause that
// is only inferred from indirect signs is not claimed as sure.
func ceiling(h *Hypothesis) float64 {
	best := 0.0
	for _, e := range h.Evidence {
		best = max(best, e.Weight)
	}
	switch {
	case best >= direct:
		return ceilingDirect
	case best >= strong:
		return ceilingStrong
	}
	return ceilingWeak
}
