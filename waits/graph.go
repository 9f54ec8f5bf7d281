package waits

import (
	"slices"

	"meshdiag/crash"
)

// next is the member that another one waits for; -1 when it waits for none, or when that is over already.
func (g *Graph) next(i int) (n int, sure bool) {
	w := &g.Waits[i]
	if w.Passed || len(w.Holders) == 0 {
		return -1, false
	}
	h := w.Holders[0]
	return h.Thread, h.Sure && !w.Timed
}

// cycles follows the graph, in which each member waits for one other at most, and collects its rings.
func cycles(g *Graph) []Cycle {
	var all []Cycle
	state := make([]int, len(g.Waits)) // 0 new, 1 on the way, 2 done
	for start := range g.Waits {
		var way []int
		i := start
		for i >= 0 && state[i] == 0 {
			state[i] = 1
			way = append(way, i)
			i, _ = g.next(i)
		}
		if i >= 0 && state[i] == 1 {
			at := slices.Index(way, i)
			all = append(all, g.ring(way[at:]))
		}
		for _, j := range way {
			state[j] = 2
		}
	}
	return all
}

// ring makes a cycle that begins with its first member.
func (g *Graph) ring(members []int) Cycle {
	at := slices.Index(members, slices.Min(members))
	c := Cycle{Threads: append(slices.Clone(members[at:]), members[:at]...), Proven: true}
	for _, i := range c.Threads {
		if _, sure := g.next(i); !sure {
			c.Proven = false
		}
	}
	return c
}

// chains finds the ends of all ways that do not run into a ring, each with the longest way to it: those of two members or
// more, or with an owner that has ended. A member is looked at when all that wait for it have been.
func chains(g *Graph) []Chain {
	n := len(g.Waits)
	behind := make([]int, n)  // how many wait for it, directly or through others
	depth := make([]int, n)   // of the longest way to it
	through := make([]int, n) // the member before it on that way; -1 none
	waiting := make([]int, n) // how many wait for it directly and were not looked at yet
	var ready []int
	for i := range n {
		through[i] = -1
		if next, _ := g.next(i); next >= 0 {
			waiting[next]++
		}
	}
	for i := range n {
		if waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	var all []Chain
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		next, _ := g.next(i)
		if next < 0 {
			if c := g.chainTo(i, through); len(c.Threads) > 1 || c.Dead != 0 {
				c.Waiters = behind[i]
				all = append(all, c)
			}
			continue
		}
		behind[next] += behind[i] + 1
		if depth[i]+1 > depth[next] {
			depth[next], through[next] = depth[i]+1, i
		}
		if waiting[next]--; waiting[next] == 0 {
			ready = append(ready, next)
		}
	}
	slices.SortStableFunc(all, func(a, b Chain) int { return a.end() - b.end() })
	return all
}

// chainTo collects the longest way to an end.
func (g *Graph) chainTo(end int, through []int) Chain {
	c := Chain{Sure: true}
	for i := end; i >= 0; i = through[i] {
		c.Threads = append(c.Threads, i)
		if i != end {
			_, sure := g.next(i)
			c.Sure = c.Sure && sure
		}
	}
	slices.Reverse(c.Threads)
	if w := &g.Waits[end]; !w.Passed && len(w.Holders) > 0 {
		c.Dead = w.Holders[0].TID
	}
	return c
}

func (c *Chain) end() int { return c.Threads[len(c.Threads)-1] }

// Actor is the actor behind an index of Waits; nil for a thread.
func (g *Graph) Actor(i int) *Actor {
	if n := len(g.Waits) - len(g.Actors); i >= n && i < len(g.Waits) {
		return &g.Actors[i-n]
	}
	return nil
}

// tid is the thread id behind an index of Waits; 0 for an actor that stands on no thread.
func (g *Graph) tid(c *crash.Crash, i int) int {
	if x := g.Actor(i); x != nil {
		return 0
	}
	return c.Threads[i].TID
}

// closed reports whether every thread waits for another thread of the process for as long as it takes. Actors on no thread
// wait for a thread to take them up.
func closed(g *Graph) bool {
	for i := range len(g.Waits) - len(g.Actors) {
		w := &g.Waits[i]
		switch w.Kind {
		case Lock, Condition:
			if !w.Private {
				return false
			}
		case Join:
		default:
			return false
		}
		if w.Passed || w.Timed {
			return false
		}
	}
	return len(g.Waits) > 0
}
