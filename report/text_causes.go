package report

import (
	"fmt"
	"strings"
)

const (
	shownCauses   = 3 // causes without --verbose
	otherEvidence = 3 // facts for each cause after the first
)

func (t *text) causes() {
	causes := t.r.Causes
	if len(causes) == 0 {
		return
	}
	t.heading("Why")
	for i, c := range causes {
		if i == shownCauses && !t.verbose {
			t.line(2, 2, span{fmt.Sprintf("… %s less likely, see --verbose", count(len(causes)-i, "cause")), faint})
			return
		}
		t.cause(i, c)
	}
}

func (t *text) cause(i int, c Cause) {
	title, id := c.Title, "  ["+causeName(c)+"]"
	if i == 0 {
		title, id = causeName(c), "" // its title is the first line of the report
	}
	head := []span{{fmt.Sprintf("%d. ", i+1), bold}, {title, bold}}
	if s := sureness(c); s != "" {
		head = append(head, span{" — " + s, sureStyle(c.Confidence)})
	}
	t.line(2, 5, append(head, span{id, faint})...)
	if i == 0 || t.verbose {
		if c.Summary != "" {
			t.line(5, 5, span{c.Summary, plain})
		}
		t.evidence(c.Evidence, len(c.Evidence))
		t.advice(c)
		return
	}
	t.evidence(c.Evidence, otherEvidence)
}

func sureStyle(confidence float64) style {
	if confidence >= 0.7 {
		return green
	}
	return yellow
}

// evidence lists facts for and against; those beyond limit are counted.
func (t *text) evidence(facts []Evidence, limit int) {
	for i, e := range facts {
		if i == limit && len(facts) > limit+1 && !t.verbose {
			t.line(7, 7, span{fmt.Sprintf("… %s more, see --verbose", count(len(facts)-i, "fact")), faint})
			return
		}
		sign := span{"+ ", green}
		if !e.Supports {
			sign = span{"− ", red}
		}
		spans := []span{sign, {e.Text, plain}}
		if t.verbose {
			spans = append(spans, span{fmt.Sprintf("  [%s %+.2f]", e.ID, e.Weight), faint})
		}
		t.line(5, 7, spans...)
	}
}

// advice says which code to read first and what to do.
func (t *text) advice(c Cause) {
	if w := blameWords(c.Blame); w != "" {
		t.fact("blame", span{w, bold})
	}
	t.steps("look at", c.LookAt)
	t.steps("next", c.Next)
}

// functionName is the name to show: the one for people where there is one.
func functionName(function, symbol *string) string {
	if s := deref(function); s != "" {
		return s
	}
	return deref(symbol)
}

// blamedName is the blamed function as people read it, and its symbol where that is a name to search a compiler's output
// for; a mangled one is not.
func blamedName(b Blame) string {
	name, symbol := functionName(b.Function, b.Symbol), deref(b.Symbol)
	if name == symbol || strings.HasPrefix(symbol, "_Z") || strings.HasPrefix(symbol, "_R") {
		return name
	}
	return name + " [" + symbol + "]"
}

// blameWords is "handle_row, calling mesh_map_get (src/map.rs:12)".
func blameWords(b Blame) string {
	s := blamedName(b)
	if e := deref(b.Extern); e != "" && e != deref(b.Symbol) {
		if s != "" {
			s += ", at its boundary with "
		}
		s += functionName(b.ExternFunction, b.Extern)
	}
	if src := deref(b.Source); src != "" {
		if s == "" {
			return src
		}
		s += " (" + src + ")"
	}
	return s
}

// fact is a labelled line inside a cause.
func (t *text) fact(label string, spans ...span) {
	label = fmt.Sprintf("%-9s", label)
	t.labelled(5, 5+len(label), len(label), append([]span{{label, faint}}, spans...)...)
}

// steps lists items under one label.
func (t *text) steps(label string, items []string) {
	for _, item := range items {
		t.fact(label, span{item, plain})
		label = ""
	}
}

func (t *text) ruledOut() {
	if len(t.r.RuledOut) == 0 {
		return
	}
	t.heading("Ruled out")
	for _, x := range t.r.RuledOut {
		t.line(2, 4, span{x.ID, plain}, span{": " + x.Why, faint})
	}
}
