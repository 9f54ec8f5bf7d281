package startup

import (
	"slices"
	"strings"

	"meshdiag/profile"
)

// keepMainPath drops messages that are no start-up steps: failures in words, and those on branches that report something
// and give up, from where no later step can be reached. Two messages of which neither can follow the other are two
// wordings of one step. It puts the events in the order in which they happen, for compilers move branches about.
func (f *function) keepMainPath(p *profile.Profile) {
	for i := range f.events {
		if e := &f.events[i]; e.texts != nil {
			e.dropFailures(p)
		}
	}
	if !f.prints() {
		return
	}
	g := f.graph()
	last := g.lastStep()
	for n := 1; n < len(g.nodes); n++ {
		e := g.nodes[n]
		if n == last || e.texts == nil {
			continue
		}
		e.dropped = !g.after[n].has(last)
		e.optional = g.avoidable(last, n)
	}
	order := g.order()
	g.mergeAlternatives(order, last)
	f.events = g.inOrder(order)
}

// maxNodes bounds the messages of one function that are put in order.
const maxNodes = 128

// graph says which message of a function can follow which. Node 0 is the function's start, the others are its messages
// and the calls of functions that print some.
type graph struct {
	nodes []*event
	next  [][]int  // the nodes that may come directly after
	after []bits   // the nodes that may come some time after
	calls []called // all other calls
}

// called is a call that is no message, and the nodes that it may come directly after.
type called struct {
	event *event
	after []int
}

const start = 0

// bits is a set of small numbers.
type bits []uint64

func (b bits) has(n int) bool { return b[n/64]>>(n%64)&1 != 0 }
func (b bits) add(n int)      { b[n/64] |= 1 << (n % 64) }

// graph follows the code from each message to the next ones.
func (f *function) graph() *graph {
	g := &graph{nodes: []*event{nil}}
	at := make(map[uint64]int, len(f.places)) // address -> index in places
	for i := range f.places {
		at[f.places[i].addr] = i
	}
	nodeAt, callAt := map[int]int{}, map[int]int{} // index in places -> node, or index in calls
	for i := range f.events {
		e := &f.events[i]
		place := at[e.at]
		if e.weight() > 0 && len(g.nodes) <= maxNodes {
			nodeAt[place] = len(g.nodes)
			g.nodes = append(g.nodes, e)
		} else if e.weight() == 0 && !e.dropped {
			callAt[place] = len(g.calls)
			g.calls = append(g.calls, called{event: e})
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
			if c, ok := callAt[i]; ok {
				g.calls[c].after = append(g.calls[c].after, node)
			}
			from = append(from, f.after(i, at)...)
		}
	}
	visit(start, []int{0})
	for i, n := range nodeAt {
		visit(n, f.after(i, at))
	}
	g.close()
	return g
}

// inOrder lists the messages in order, and behind each the calls that come after it and before the next.
func (g *graph) inOrder(order []int) []event {
	position := make([]int, len(g.nodes)) // the start's is 0
	for i, n := range order {
		position[n] = i + 1
	}
	behind := make([][]*event, len(g.nodes))
	for i := range g.calls {
		c := &g.calls[i]
		last := -1
		for _, n := range c.after {
			if dropped := n != start && g.nodes[n].dropped; !dropped {
				last = max(last, position[n])
			}
		}
		if last >= 0 { // else it only follows what is no step: a branch that gives up
			behind[last] = append(behind[last], c.event)
		}
	}
	var out []event
	for i := range behind {
		if i > 0 {
			out = append(out, *g.nodes[order[i-1]])
		}
		for _, e := range behind[i] {
			out = append(out, *e)
		}
	}
	return out
}

// close finds for each node all nodes that may come after it.
func (g *graph) close() {
	g.after = make([]bits, len(g.nodes))
	for n := range g.nodes {
		g.after[n] = g.reach(n)
	}
}

// reach is the set of nodes that may come after n, without passing one of avoid.
func (g *graph) reach(n int, avoid ...int) bits {
	found := make(bits, len(g.nodes)/64+1)
	todo := []int{n}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, m := range g.next[n] {
			if !found.has(m) && !slices.Contains(avoid, m) {
				found.add(m)
				todo = append(todo, m)
			}
		}
	}
	return found
}

// avoidable reports whether the function can get to node last without any of nodes.
func (g *graph) avoidable(last int, nodes ...int) bool { return g.reach(start, nodes...).has(last) }

// order lists the messages so that what can only come before something else stands before it; else in the order of the
// code.
func (g *graph) order() []int {
	before := make([]int, len(g.nodes))
	for n := 1; n < len(g.nodes); n++ {
		for m := 1; m < len(g.nodes); m++ {
			if g.after[m].has(n) && !g.after[n].has(m) {
				before[n]++
			}
		}
	}
	order := make([]int, 0, len(g.nodes)-1)
	for n := 1; n < len(g.nodes); n++ {
		order = append(order, n)
	}
	slices.SortStableFunc(order, func(a, b int) int { return before[a] - before[b] })
	return order
}

// lastStep is the node that the most messages lead to: the end of the main path.
func (g *graph) lastStep() int {
	best, most := start, 0
	for n := 1; n < len(g.nodes); n++ {
		sum := g.nodes[n].weight()
		for m := 1; m < len(g.nodes); m++ {
			if m != n && g.after[m].has(n) {
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
	switch {
	case e.dropped:
		return 0
	case e.texts != nil:
		return 1
	case e.inside == nil:
		return 0
	}
	n := 0
	for i := range e.inside.events {
		n += e.inside.events[i].weight()
	}
	return n
}

// mergeAlternatives joins messages that stand beside each other but never come in one run.
func (g *graph) mergeAlternatives(order []int, last int) {
	prev := start
	for _, n := range order {
		e := g.nodes[n]
		if e.dropped {
			continue
		}
		if before := g.nodes[prev]; prev != start && e.optional && before.optional && e.texts != nil && before.texts != nil &&
			!g.after[prev].has(n) && !g.after[n].has(prev) {
			before.texts = append(before.texts, e.texts...)
			before.optional = g.avoidable(last, prev, n)
			e.dropped = true
			continue
		}
		prev = n
	}
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
