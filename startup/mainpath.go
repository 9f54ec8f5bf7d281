package startup

import (
	"slices"
	"strings"

	"meshdiag/profile"
)

// keepMainPath drops messages that are no start-up steps: failures in words, and those on branches that report something
// and give up, from where no later step can be reached. Two messages of which neither can follow the other are two
// wordings of one step.
func (f *function) keepMainPath(p *profile.Profile) {
	for i := range f.events {
		if e := &f.events[i]; e.texts != nil {
			e.dropFailures(p)
		}
	}
	g := f.graph()
	last := g.lastStep()
	if last == start {
		return
	}
	for n := range g.nodes {
		e := g.nodes[n]
		if n == start || n == last || e.texts == nil {
			continue
		}
		e.dropped = !g.reaches(n, last)
		e.optional = g.reaches(start, last, n)
	}
	g.mergeAlternatives(last)
}

// graph says which message of a function can follow which. Node 0 is the function's start.
type graph struct {
	nodes []*event // nil for the start
	next  [][]int
}

const start = 0

// graph follows the code from each message to the next ones.
func (f *function) graph() *graph {
	g := &graph{nodes: []*event{nil}}
	at := make(map[uint64]int, len(f.places)) // address -> index in places
	for i := range f.places {
		at[f.places[i].addr] = i
	}
	nodeAt := map[int]int{} // index in places -> node
	for i := range f.events {
		e := &f.events[i]
		if place, ok := at[e.at]; ok && !e.dropped && (e.texts != nil || e.inside != nil) && len(g.nodes) <= maxSteps {
			nodeAt[place] = len(g.nodes)
			g.nodes = append(g.nodes, e)
		}
	}
	g.next = make([][]int, len(g.nodes))
	seen := make([]int, len(f.places)) // 1 + the node from which a place was last visited
	visit := func(node int, from []int) {
		for len(from) > 0 {
			i := from[len(from)-1]
			from = from[:len(from)-1]
			if i >= len(f.places) || seen[i] == node+1 {
				continue
			}
			seen[i] = node + 1
			if n, ok := nodeAt[i]; ok {
				g.next[node] = append(g.next[node], n)
				continue
			}
			from = append(from, f.after(i, at)...)
		}
	}
	visit(start, []int{0})
	for i, n := range nodeAt {
		visit(n, f.after(i, at))
	}
	for n := range g.next {
		slices.Sort(g.next[n])
	}
	return g
}

// after lists the places that may come after place i.
func (f *function) after(i int, at map[uint64]int) []int {
	var next []int
	if !f.places[i].ends {
		next = append(next, i+1)
	}
	if to := f.places[i].to; to != 0 {
		if j, ok := at[to]; ok {
			next = append(next, j)
		}
	}
	return next
}

// reaches reports whether node b can come after node a without any of avoid in between.
func (g *graph) reaches(a, b int, avoid ...int) bool {
	seen := make([]bool, len(g.nodes))
	for _, n := range avoid {
		seen[n] = true
	}
	todo := []int{a}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, m := range g.next[n] {
			if m == b {
				return true
			}
			if !seen[m] {
				seen[m] = true
				todo = append(todo, m)
			}
		}
	}
	return false
}

// lastStep is the node that the most messages lead to: the end of the main path; start when nothing is printed.
func (g *graph) lastStep() int {
	best, most := start, 0
	for n := 1; n < len(g.nodes); n++ {
		sum := g.nodes[n].weight()
		for m := 1; m < n; m++ {
			if g.reaches(m, n) {
				sum += g.nodes[m].weight()
			}
		}
		if sum > most {
			best, most = n, sum
		}
	}
	return best
}

// weight is how many messages an event stands for.
func (e *event) weight() int {
	if e.inside == nil {
		return 1
	}
	n := 0
	for i := range e.inside.events {
		if d := &e.inside.events[i]; !d.dropped && (d.texts != nil || d.inside != nil) {
			n += d.weight()
		}
	}
	return n
}

// mergeAlternatives joins messages that follow each other in the code but never in a run.
func (g *graph) mergeAlternatives(last int) {
	prev := start
	for n := 1; n < len(g.nodes); n++ {
		e := g.nodes[n]
		if e.dropped {
			continue
		}
		if before := g.nodes[prev]; prev != start && e.optional && before.optional && e.texts != nil && before.texts != nil &&
			!g.reaches(prev, n) && !g.reaches(n, prev) {
			before.texts = append(before.texts, e.texts...)
			before.optional = g.reaches(start, last, prev, n)
			e.dropped = true
			continue
		}
		prev = n
	}
}

// dropFailures removes wordings that a message rule knows as a failure, unless they are a phase of the profile; a message
// without any other wording is no step.
func (e *event) dropFailures(p *profile.Profile) {
	e.texts = slices.DeleteFunc(e.texts, func(pieces []string) bool {
		text := strings.Join(pieces, "")
		if isPhase(p, text) {
			return false
		}
		m, ok := p.Match(text, "")
		return ok && m.Rule.Meaning != profile.MeansNoise
	})
	if len(e.texts) == 0 {
		e.texts, e.dropped = nil, true
	}
}

func isPhase(p *profile.Profile, text string) bool {
	for i := range p.Startup {
		for j := range p.Startup[i].Phases {
			if p.Startup[i].Phases[j].Message.MatchString(text) {
				return true
			}
		}
	}
	return false
}
