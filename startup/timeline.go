package startup

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
)

// step is a Step with what is needed to recognise its message.
type step struct {
	Step
	phase *profile.Phase // nil: read off the binary only
	texts [][]string     // the message's constant pieces, by variant; nil: only the phase's pattern
}

// timeline merges what the profile knows with what the binary says.
func timeline(c *crash.Crash, p *profile.Profile, bin *codeMap) Timeline {
	seq, fit := chooseSequence(c, p, bin)
	t := Timeline{Last: -1, taken: map[int]bool{}}
	if seq != nil {
		t.Known = seq.ID
	}
	switch {
	case len(bin.steps) == 0 && seq == nil:
		return t
	case len(bin.steps) == 0:
		t.Source = "profile"
		t.steps = fromProfile(seq)
		t.Why = fmt.Sprintf("the steps are those of the profile's start-up sequence %q", seq.ID)
		if bin.why != "" {
			t.Why += " (" + bin.why + ")"
		}
	case seq == nil || fit == 0:
		t.Source, t.Known = "binary", ""
		t.steps = fromBinary(p, bin, nil, nil)
		t.Why = "the steps are the constants that " + bin.entry + " prints, in the order of its code"
	default:
		pair := align(bin.steps, seq.Phases)
		t.Source = "both"
		t.steps = fromBinary(p, bin, seq, pair)
		t.Why = fmt.Sprintf("the steps are the constants that %s prints, in the order of its code, matched with the profile's sequence %q", bin.entry, seq.ID)
	}
	for i := range t.steps {
		t.Steps = append(t.Steps, t.steps[i].Step)
	}
	return t
}

func fromProfile(seq *profile.Sequence) []step {
	var steps []step
	for i := range seq.Phases {
		steps = append(steps, phaseStep(&seq.Phases[i]))
	}
	return steps
}

func phaseStep(ph *profile.Phase) step {
	s := step{phase: ph, Step: Step{ID: ph.ID, Title: ph.Title, Message: ph.Literal, Optional: ph.Optional}}
	if s.Title == "" {
		s.Title = ph.ID
	}
	return s
}

// fromBinary lists the binary's steps in the order of its code, named after the phases they were matched with, and puts
// in the phases that the entry function cannot print: those of other streams, which the runtime writes. Other phases
// that the binary lacks are not part of this program. A step that can say that it failed is named after its success.
func fromBinary(p *profile.Profile, bin *codeMap, seq *profile.Sequence, pair []int) []step {
	var steps []step
	used := map[int]int{} // phase -> index in steps
	for i := range bin.steps {
		b := &bin.steps[i]
		s := step{texts: b.texts, Step: Step{ID: binaryID(b.text()), Title: title(b.text()), Message: b.text(), FromBinary: true,
			CodeAddr: b.load, Calls: b.calls, Function: b.function, Optional: b.optional}}
		if pair != nil && pair[i] >= 0 {
			ph := &seq.Phases[pair[i]]
			if at, twice := used[pair[i]]; twice { // the same phase said in another way, on another path
				steps[at].texts = append(steps[at].texts, b.texts...)
				if says(b.texts, ph.Literal) {
					steps[at].Message = ph.Literal
				}
				continue
			}
			used[pair[i]] = len(steps)
			s.phase = ph
			s.ID, s.Title, s.FromBinary = ph.ID, ph.Title, false
			s.Optional = s.Optional || ph.Optional
			if _, failure := p.Match(s.Message, ""); failure && ph.Literal != "" || says(b.texts, ph.Literal) {
				s.Message = ph.Literal
			}
		}
		steps = append(steps, s)
	}
	if seq == nil {
		return steps
	}
	return insertOthers(steps, seq, used)
}

// says reports whether one of a message's wordings is the profile's own.
func says(texts [][]string, literal string) bool {
	return slices.ContainsFunc(texts, func(t []string) bool { return t[0] == literal })
}

// insertOthers puts phases of other writers behind the phase that comes before them in the profile.
func insertOthers(steps []step, seq *profile.Sequence, used map[int]int) []step {
	main := mainStream(seq)
	for i := range seq.Phases {
		ph := &seq.Phases[i]
		if _, have := used[i]; have || ph.Stream == main && ph.Literal != "" {
			continue
		}
		at := 0
		for j := i - 1; j >= 0 && at == 0; j-- {
			at = 1 + slices.IndexFunc(steps, func(s step) bool { return s.phase == &seq.Phases[j] })
		}
		if at > 0 {
			steps = slices.Insert(steps, at, phaseStep(ph))
		}
	}
	return steps
}

// mainStream is the stream of most phases.
func mainStream(seq *profile.Sequence) string {
	n := map[string]int{}
	best := ""
	for i := range seq.Phases {
		s := seq.Phases[i].Stream
		if n[s]++; n[s] > n[best] || best == "" {
			best = s
		}
	}
	return best
}

// chooseSequence finds the profile's sequence that fits best, and how well: first by what the binary prints, which is
// complete, else by what was printed so far. Of equals the first in the profile is taken.
func chooseSequence(c *crash.Crash, p *profile.Profile, bin *codeMap) (best *profile.Sequence, fit int) {
	most := 0
	for i := range p.Startup {
		seq := &p.Startup[i]
		var score, n int
		if len(bin.steps) > 0 {
			score, n = binaryFit(bin.steps, seq)
		} else {
			score, n = outputFit(c.Output.Lines, seq)
		}
		if best == nil || score > most {
			best, most, fit = seq, score, n
		}
	}
	return best, fit
}

// binaryFit counts the binary's messages that are phases, in order, against those that either side lacks.
func binaryFit(steps []printed, seq *profile.Sequence) (score, matched int) {
	var order []int
	for i := range steps {
		if j := phaseOf(&steps[i], seq.Phases); j >= 0 {
			order = append(order, j)
		}
	}
	in := longestRising(order)
	return 3*in - (len(seq.Phases) - in) - (len(steps) - in), len(order)
}

// outputFit does the same for lines that were printed. What comes after the last one is not known and counts nothing.
func outputFit(lines []crash.OutputLine, seq *profile.Sequence) (score, matched int) {
	var order []int
	furthest := -1
	for i := range lines {
		text := profile.PlainLine(lines[i].Text)
		for j := range seq.Phases {
			if seq.Phases[j].Message.MatchString(text) && !slices.Contains(order, j) {
				order = append(order, j)
				furthest = max(furthest, j)
				break
			}
		}
	}
	skipped := 0
	for j := 0; j < furthest; j++ {
		if !seq.Phases[j].Optional && !slices.Contains(order, j) {
			skipped++
		}
	}
	return 3*longestRising(order) - skipped, len(order)
}

// longestRising is the length of the longest strictly rising subsequence.
func longestRising(a []int) int {
	var tails []int
	for _, v := range a {
		i := sort.SearchInts(tails, v)
		if i == len(tails) {
			tails = append(tails, v)
		} else {
			tails[i] = v
		}
	}
	return len(tails)
}

// binaryID makes a stable id of a message that no profile names: its words, "start-up step started".
func binaryID(text string) string {
	return strings.Join(wordsOf(text), "-")
}

// title is the message without a leading tag in brackets.
func title(text string) string {
	if i := strings.Index(text, "] "); i > 0 && text[0] == '[' {
		text = text[i+2:]
	}
	return strings.TrimSpace(text)
}
