package heuristics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func evidence(group string, w float64) Evidence {
	return Evidence{ID: "e", Group: group, Text: "a fact", Weight: w}
}

func with(id, kind string, e ...Evidence) Hypothesis {
	return Hypothesis{ID: id, Kind: kind, Evidence: e}
}

func TestScoreCountsAGroupOnce(t *testing.T) {
	one := with(idNull, kindOther, evidence("value", 2))
	more := with(idNull, kindOther, evidence("value", 2), evidence("value", 1.5), evidence("value", 2))
	if Score(&one) != Score(&more) {
		t.Errorf("related facts were added up: %v, %v", Score(&one), Score(&more))
	}
	other := with(idNull, kindOther, evidence("value", 2), evidence("origin", 1.5))
	if got := Score(&other) - Score(&one); math.Abs(got-1.5) > 1e-12 {
		t.Errorf("an independent fact adds %v", got)
	}
}

func TestScoreCapsASingleFact(t *testing.T) {
	for _, sign := range []float64{1, -1} {
		h := with(idNull, kindOther, evidence("value", sign*50))
		if got := Score(&h) - prior(idNull, kindOther); got != sign*maxItem {
			t.Errorf("a fact of weight %v counts %v", sign*50, got)
		}
	}
}

func TestFactsWithoutGroupAreIndependent(t *testing.T) {
	h := with(idNull, kindOther, evidence("", 1), evidence("", 1))
	if got := Score(&h) - prior(idNull, kindOther); got != 2 {
		t.Errorf("two facts without a group count %v", got)
	}
}

// More for a cause never makes it less likely, and never makes another one more likely.
func TestRankIsMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	groups := []string{"a", "b", "c", "d"}
	for range 500 {
		base := make([]Hypothesis, 3)
		for i, id := range []string{idNull, idABI, idWild} {
			base[i] = with(id, "")
			for range r.IntN(4) {
				base[i].Evidence = append(base[i].Evidence, evidence(groups[r.IntN(4)], r.Float64()*8-4))
			}
		}
		before, noneBefore := Rank(base)
		grown := append([]Hypothesis{}, base...)
		grown[0].Evidence = append(append([]Evidence{}, base[0].Evidence...), evidence(groups[r.IntN(4)], r.Float64()*3))
		after, noneAfter := Rank(grown)
		if confidence(after, idNull) < confidence(before, idNull)-1e-12 {
			t.Fatalf("evidence for a cause lowered it: %+v", grown[0])
		}
		if confidence(after, idABI) > confidence(before, idABI)+1e-12 || noneAfter > noneBefore+1e-12 {
			t.Fatalf("evidence for one cause raised another: %+v", grown[0])
		}
		sum := noneAfter
		for _, h := range after {
			sum += h.Confidence
		}
		if sum > 1+1e-9 {
			t.Fatalf("confidences add up to %v", sum)
		}
	}
}

func confidence(hs []Hypothesis, id string) float64 {
	for _, h := range hs {
		if h.ID == id {
			return h.Confidence
		}
	}
	return 0
}

func TestRankDoesNotDependOnOrder(t *testing.T) {
	a := with(idNull, kindOther, evidence("value", 1.5))
	b := with(idWild, "", evidence("value", 1.2))
	c := with(idABI, kindArity, evidence("argument", 3))
	x, _ := Rank([]Hypothesis{a, b, c})
	y, _ := Rank([]Hypothesis{c, a, b})
	for i := range x {
		if x[i].ID != y[i].ID || math.Abs(x[i].Confidence-y[i].Confidence) > 1e-12 {
			t.Fatalf("%+v\n%+v", x, y)
		}
	}
}

func TestNoConfidentClaimWithoutDirectEvidence(t *testing.T) {
	weak := with(idNull, kindOther, evidence("a", 1.4), evidence("b", 1.4), evidence("c", 1.4), evidence("d", 1.4), evidence("e", 1.4))
	if got, _ := Rank([]Hypothesis{weak}); got[0].Confidence >= 0.8 {
		t.Errorf("five weak facts claim %.2f", got[0].Confidence)
	}
	one := with(idABI, kindArity, evidence("a", 1))
	if got, none := Rank([]Hypothesis{one}); got[0].Confidence >= none {
		t.Errorf("one weak fact beats \"none of these\": %.2f against %.2f", got[0].Confidence, none)
	}
	sure := with(idNull, kindOther, evidence("a", 3), evidence("b", 2.5), evidence("c", 2))
	if got, _ := Rank([]Hypothesis{sure}); got[0].Confidence < 0.8 || got[0].Confidence >= 1 {
		t.Errorf("direct evidence of three kinds claims %.2f", got[0].Confidence)
	}
}

func TestUnknownLeadsWithoutEvidence(t *testing.T) {
	m := segv(plain(t), "walk", "main")
	d := m.run()
	if len(d.Causes) == 0 || d.Causes[0].ID != idUnknown {
		t.Fatalf("causes %+v", d.Causes)
	}
	h := d.Causes[0]
	if h.Confidence > ceilingUnknown {
		t.Errorf("not knowing is claimed with %.2f", h.Confidence)
	}
	if len(h.Next) == 0 || h.Blame.Symbol != "walk" {
		t.Errorf("unknown says too little: %+v", h)
	}
}

// Unknown names the two causes that come nearest, and what would tell them apart.
func TestUnknownNamesTwoHypotheses(t *testing.T) {
	m := segv(plain(t), "walk", "main")
	near := []Hypothesis{with(idNull, kindOther, evidence("a", 0.2)), with(idWild, "", evidence("a", 0.1))}
	ranked, none := Rank(near)
	h := notKnown(&m.c, ranked, none)
	for _, want := range []string{"null-value/other", "wild-pointer"} {
		if !contains(h.Summary, want) || !anyContains(h.Next, want) {
			t.Errorf("%q is missing in %q, %q", want, h.Summary, h.Next)
		}
	}
	if !contains(h.Summary, "died of SIGSEGV in walk") {
		t.Errorf("what is certain is missing: %q", h.Summary)
	}
}
