package waits

import (
	"slices"

	"meshdiag/crash"
)

// next is the thread that another one waits for; -1 when it waits for none, or when that is over already.
func (g *Graph) next(i int) (n int, sure bool) {
	w := &g.Waits[i]
	if w.Passed || len(w.Holders) == 0 {
		return -1, false
	}
	h := w.Holders[0]
	return h.Thread, h.Sure && !w.Timed
}

// cycles follows the graph, in which each thread waits for one other at most, and collects its rings.
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

// ring makes a cycle that begins with its first thread.
func (g *Graph) ring(threads []int) Cycle {
	at := slices.Index(threads, slices.Min(threads))
	c := Cycle{Threads: append(slices.Clone(threads[at:]), threads[:at]...), Proven: true}
	for _, i := range c.Threads {
		if _, sure := g.next(i); !sure {
			c.Proven = false
		}
	}
	return c
}

// InCycle is the cycle that a thread is part of; nil when it is in none.
func (g *Graph) InCycle(thread int) *Cycle {
	for i := range g.Cycles {
		if slices.Contains(g.Cycles[i].Threads, thread) {
			return &g.Cycles[i]
		}
	}
	return nil
}

// chains are the longest ways that do not run into a cycle: they begin with a thread that nobody waits for.
func chains(g *Graph) []Chain {
	awaited := make([]bool, len(g.Waits))
	for i := range g.Waits {
		if n, _ := g.next(i); n >= 0 {
			awaited[n] = true
		}
	}
	var all []Chain
	for i := range g.Waits {
		if awaited[i] {
			continue
		}
		if c, ok := g.chain(i); ok && (len(c.Threads) > 1 || c.Dead != 0) {
			all = append(all, c)
		}
	}
	return all
}

// chain follows the waits from one thread; ok is false when they lead into a cycle.
func (g *Graph) chain(i int) (c Chain, ok bool) {
	c.Sure = true
	for {
		if g.InCycle(i) != nil {
			return Chain{}, false
		}
		c.Threads = append(c.Threads, i)
		n, sure := g.next(i)
		if n < 0 {
			if w := &g.Waits[i]; !w.Passed && len(w.Holders) > 0 {
				c.Dead = w.Holders[0].TID
			}
			return c, true
		}
		c.Sure = c.Sure && sure
		i = n
	}
}

// Waiters is how many threads wait for a thread, directly or through others.
func (g *Graph) Waiters(thread int) int {
	n := 0
	for i := range g.Waits {
		if i != thread && g.leadsTo(i, thread) {
			n++
		}
	}
	return n
}

func (g *Graph) leadsTo(from, to int) bool {
	for range g.Waits {
		if from, _ = g.next(from); from < 0 {
			return false
		}
		if from == to {
			return true
		}
	}
	return false
}

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
