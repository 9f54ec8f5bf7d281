package report

import (
	"fmt"
	"sort"
	"strings"
)

const maxWaitLines = 12 // threads of one ring or chain that are drawn

// waitLines draws who waits for whom: rings with an arrow back from their last thread to the first, and the chains that end
// elsewhere.
func waitLines(r *Report) []string {
	if r.Waits == nil {
		return nil
	}
	var lines []string
	for _, c := range r.Waits.Cycles {
		lines = append(lines, ringLines(r, c)...)
	}
	return append(append(lines, allChains(r)...), actorLines(r)...)
}

// maxChains bounds how many chains are drawn.
const maxChains = 4

// allChains draws the longest way to each end, and says how many others wait there.
func allChains(r *Report) []string {
	var lines []string
	for i, c := range r.Waits.Chains {
		if i == maxChains {
			return append(lines, fmt.Sprintf("… and %s more", count(len(r.Waits.Chains)-i, "chain")))
		}
		lines = append(lines, chainLines(r, c)...)
		if more := c.Waiters - len(c.Members) + 1; more > 0 && len(c.Members) > 0 {
			lines = append(lines, fmt.Sprintf("    and %d more behind %s", more, shortName(c.Members[len(c.Members)-1])))
		}
	}
	return lines
}

func ringLines(r *Report, c Cycle) []string {
	title := "a ring, proven by what locks and calls record:"
	if !c.Proven {
		title = "a probable ring:"
	}
	lines := []string{title}
	for i, m := range c.Members {
		if i == maxWaitLines {
			lines = append(lines, fmt.Sprintf("│   … %s more", count(len(c.Members)-i, "thread")))
			break
		}
		arrow := "│   "
		if i == 0 {
			arrow = "┌─▶ "
		}
		lines = append(lines, arrow+memberLine(r, m))
	}
	if len(c.Members) > 0 {
		lines = append(lines, "└── "+shortName(c.Members[0]))
	}
	return lines
}

func chainLines(r *Report, c Chain) []string {
	title := "a chain:"
	if !c.Sure {
		title = "a probable chain:"
	}
	lines := []string{title}
	for i, m := range c.Members {
		if i == maxWaitLines {
			return append(lines, fmt.Sprintf("    … %s more", count(len(c.Members)-i, "thread")))
		}
		arrow := "└─▶ "
		if i == 0 {
			arrow = "    "
		}
		lines = append(lines, arrow+memberLine(r, m))
	}
	if c.EndedTID != nil {
		lines = append(lines, fmt.Sprintf("└─▶ thread %d, which has ended", *c.EndedTID))
	}
	return lines
}

// memberLine is "thread 10 (payer) in transfer: waits for the mutex b (0x404100), which thread 11 has".
func memberLine(r *Report, m Member) string {
	line := memberName(r, m)
	if m.Function != nil {
		line += " in " + *m.Function
	}
	return line + ": " + orElse(deref(m.Text), "runs")
}

func memberName(r *Report, m Member) string {
	switch {
	case m.TID == nil:
		return "the actor " + orElse(deref(m.Actor), "without a name")
	default:
		for _, s := range r.Threads {
			if s.TID == *m.TID {
				return stackName(s)
			}
		}
	}
	return fmt.Sprintf("thread %d", *m.TID)
}

// shortName is who an arrow goes back to.
func shortName(m Member) string {
	if m.TID != nil {
		return fmt.Sprintf("thread %d", *m.TID)
	}
	return "the actor " + orElse(deref(m.Actor), "without a name")
}

// actorLines count the actors by what became of them, and name those that never ran.
func actorLines(r *Report) []string {
	if r.Waits == nil || len(r.Waits.Actors) == 0 {
		return nil
	}
	count := map[string]int{}
	var states, idle []string
	for _, a := range r.Waits.Actors {
		if count[a.State] == 0 {
			states = append(states, a.State)
		}
		count[a.State]++
		if a.State == "never-ran" {
			idle = append(idle, orElse(deref(a.Name), "one without a name"))
		}
	}
	sort.Strings(states)
	var parts []string
	for _, s := range states {
		parts = append(parts, fmt.Sprintf("%d %s", count[s], actorStates[s]))
	}
	lines := []string{"actors: " + strings.Join(parts, ", ")}
	if len(idle) > 0 {
		lines = append(lines, "never started: "+strings.Join(idle[:min(len(idle), maxNamedActors)], ", "))
	}
	return lines
}

const maxNamedActors = 8

var actorStates = map[string]string{"on-thread": "on a thread", "suspended": "suspended", "never-ran": "that never ran", "unknown": "of which nothing is known"}

// waitGraph draws who waits for whom.
func (t *text) waitGraph() {
	lines := waitLines(t.r)
	if len(lines) == 0 {
		return
	}
	t.heading("Who waits for whom")
	for _, line := range lines {
		t.line(2, 6, span{line, plain})
	}
}
