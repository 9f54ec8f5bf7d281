package startup

import (
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
)

// see marks the steps whose messages were printed and finds the last one.
func (t *Timeline) see(c *crash.Crash) {
	order := t.mark(c.Output.Lines)
	if t.Source == "profile" {
		t.followOutput(order)
	}
	for i := range t.Steps {
		if t.Steps[i].Seen {
			t.Last = i
		}
	}
	if t.Last < 0 {
		t.Why = "none of the start-up messages was printed; " + t.Why
	}
}

// mark gives each line to the step whose message fits it best, and returns the steps in the order of their first lines.
func (t *Timeline) mark(lines []crash.OutputLine) (order []int) {
	for n := range lines {
		text := profile.PlainLine(lines[n].Text)
		best, most := -1, 0
		for i := range t.steps {
			score := t.steps[i].says(text, string(lines[n].Stream))
			// Of two steps with the same words the later one is meant once the earlier was seen.
			if score > most || score == most && score > 0 && t.Steps[best].Seen && !t.Steps[i].Seen {
				best, most = i, score
			}
		}
		if best < 0 {
			continue
		}
		t.taken[n] = true
		if st := &t.Steps[best]; !st.Seen {
			st.Seen, st.At, st.Message = true, lines[n].At, text
			order = append(order, best)
		}
	}
	return order
}

// How well a line fits a step: an equal constant beats the profile's pattern, which beats a constant that the line only
// begins with. Of those the longer constant is better.
const (
	fitsPattern = 1 << 13
	fitsEqual   = 1 << 14
)

// says is how well a printed line fits this step's message; 0 not at all.
func (s *step) says(line, stream string) int {
	best := 0
	if ph := s.phase; ph != nil && (ph.Stream == "" || stream == "" || ph.Stream == stream) && ph.Message.MatchString(line) {
		best = fitsPattern
	}
	for _, pieces := range s.texts {
		best = max(best, madeOf(line, pieces))
	}
	return best
}

// shortestPiece is the least length of a constant that may be the beginning of a longer line: shorter ones fit too much.
const shortestPiece = 6

// madeOf is how well a line fits a message of constant pieces with anything between and behind them: fitsEqual when it is
// the one piece, else the number of its bytes that are constant; 0 when it does not fit.
func madeOf(line string, pieces []string) int {
	if len(pieces) == 0 || !strings.HasPrefix(line, pieces[0]) {
		return 0
	}
	if line == pieces[0] && len(pieces) == 1 {
		return fitsEqual
	}
	if len(pieces[0]) < shortestPiece {
		return 0
	}
	known, rest := len(pieces[0]), line[len(pieces[0]):]
	for _, p := range pieces[1:] {
		i := strings.Index(rest, p)
		if i < 0 {
			return 0
		}
		known, rest = known+len(p), rest[i+len(p):]
	}
	return known
}

// followOutput moves steps so that those that were seen stand in the order they were printed: the program is right, the
// table may be of another version. Messages of other writers stay where they are, for they come when they come.
func (t *Timeline) followOutput(order []int) {
	main := t.streamOfMost()
	var seen []int
	for _, i := range order {
		if ph := t.steps[i].phase; ph != nil && ph.Stream == main {
			seen = append(seen, i)
		}
	}
	places := slices.Clone(seen)
	slices.Sort(places)
	if slices.Equal(places, seen) {
		return
	}
	steps, inner := slices.Clone(t.Steps), slices.Clone(t.steps)
	for k, place := range places {
		t.Steps[place], t.steps[place] = steps[seen[k]], inner[seen[k]]
	}
	t.Why += "; the order of the steps is the one in which they were printed"
}

func (t *Timeline) streamOfMost() string {
	n := map[string]int{}
	best := ""
	for i := range t.steps {
		if ph := t.steps[i].phase; ph != nil {
			if n[ph.Stream]++; n[ph.Stream] > n[best] || best == "" {
				best = ph.Stream
			}
		}
	}
	return best
}
