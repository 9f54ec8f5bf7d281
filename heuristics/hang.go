package heuristics

import (
	"fmt"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
	"meshdiag/waits"
)

var hang = Heuristic{Doc: docHang, Run: runHang}

// stalled is what the threads of a process that makes no progress do.
type stalled struct {
	locked, io, poll, running, other int // threads in the middle of the program's or runtime's work
	awaiting                         int // threads that wait for a signal or the end of another thread: at work or at rest
	idle                             int // threads that wait for work
	aside                            int // threads that wait with no code of the program on their stacks
	serving                          int // of the idle ones those that wait for connections or requests
	sleeping                         int // threads that sleep in the middle of the program's code
	who                              int // thread that tells most, -1 none

	graph *waits.Graph
	cycle *waits.Cycle // the ring to tell of; nil none
	chain *waits.Chain // the way to whom most threads wait for; nil none
}

func runHang(c *Case) Finding {
	snapshot := c.Crash.Outcome.End == crash.EndRunning
	ended := c.Kind == crash.Killed && c.stuckForGood() // somebody ended it because it hung
	if c.Kind != crash.Hung && !snapshot && !ended {
		return Finding{}
	}
	s := c.lookAtThreads()
	if snapshot && s.cycle == nil && !s.graph.Closed && (s.chain == nil || s.onlyJoins(s.chain)) {
		return Finding{} // a process that lives and in which no thread waits for what another one has shows no hang
	}
	kind := s.kind()
	h := hypothesis(idHang, kind)
	h.fact(c.Crash.Outcome.End == crash.EndStalled, "stalled", "end", wStalled, "it made no progress for the time that was set, and was frozen alive")
	c.graphFacts(h, s)
	if s.cycle == nil && (kind == kindSpin || kind == kindSlow) {
		c.paceFacts(h, s)
	}
	if s.cycle == nil && s.chain == nil {
		h.fact(kind == kindBlockedIO, "blocked", "threads", wBlockedIO, "%s in the middle of work for %s", threadsWait(s.io+s.poll), c.blockedOn(s))
		h.fact(kind == kindNoProgress && s.locked > 0, "locked", "threads", wLocked, "%s in the middle of work for a lock or an answer, and who could give it is not told", threadsWait(s.locked))
		h.fact(kind == kindNoProgress && s.locked+s.awaiting == 0 && s.aside > 0, "aside", "threads", wAwaiting,
			"every thread waits, and no code of the program is seen on the stacks of %d", s.aside)
		h.fact(kind == kindNoProgress && s.sleeping > 0 && s.locked+s.awaiting+s.aside == 0 && !s.allIdle(), "sleeping", "threads", wAwaiting,
			"sleeping in the middle of the program's code: %s", plural(s.sleeping, "thread"))
		h.fact(s.allIdle(), "idle", "threads", wIdle, "every thread waits for something to do")
		h.fact(kind == kindNoProgress && s.locked == 0 && s.awaiting > 0 && !s.graph.Closed && !s.allIdle(), "awaiting", "threads", wAwaiting,
			"%s for a signal or the end of another thread: one that was forgotten, or work that nobody gave", threadsWait(s.awaiting))
		h.fact(s.graph.Closed, "nobody-left", "threads", wNobodyLeft, "%s", nobodyLeft(len(s.graph.Waits)))
	}
	proven := s.proven()
	switch still := c.stood(); {
	case !snapshot || proven:
	case still > 0:
		h.fact(true, "snapshot", "end", wSnapshotStill, "no thread had moved for %s before the core was made, which does not tell whether these waits last", still)
	default:
		h.fact(true, "snapshot", "end", wSnapshot, "one look at a living process does not tell whether these waits last")
	}
	h.fact(c.Startup.Done && kind == kindNoProgress, "started", "threads", wStartedUp, "its start-up was complete: a server that nobody asks looks like this")
	h.fact(!c.Startup.Done && c.Startup.Last >= 0, "not-started", "phase", wNotStarted, "its start-up was not complete")
	h.fact(fatalMessage(c) != nil && !proven, "explained", "words", wHangExplained, "it had said before why it cannot do its job")
	if p := c.facts().panic; p != nil && !(s.cycle != nil && s.cycle.Proven) {
		h.fact(true, "panicked-before", "words", wHangExplained, "a thread panicked before, and nobody caught it (%q): what it should have done stays undone", p.Message)
	}
	h.fact(kind == kindBlockedIO && c.unreachable(), "peer-unreachable", "words", wHangExplained, "a check from outside found that the database does not answer: that is what it waits for")
	h.fact(kind == kindBlockedIO && c.lockedOut(), "locked-out", "words", wHangExplained, "a check from outside found a lock in the database: that is what it waits for")
	c.describeHang(h, s)
	return finding(h)
}

// proven reports whether the graph itself shows that threads will never go on.
func (s *stalled) proven() bool {
	return s.graph.Closed || s.refused() || s.cycle != nil && s.cycle.Proven || s.chain != nil && s.chain.Dead != 0 && s.chain.Sure
}

// refused reports whether the chain to tell of ends with a thread to which the kernel refused a lock.
func (s *stalled) refused() bool {
	return s.chain != nil && s.graph.Waits[s.end(s.chain)].Refused
}

// stuckForGood reports whether a process holds threads that cannot go on, whatever it does next. It is not asked of one that
// died of itself: then the waits of the other threads say nothing.
func (c *Case) stuckForGood() bool {
	if c.Waits == nil && c.Crash.Outcome.End == crash.EndSignal {
		return false
	}
	s := stalled{graph: c.waitGraph()}
	s.pick()
	return s.proven()
}

// waitGraph is who waits for whom, made when it is first asked for.
func (c *Case) waitGraph() *waits.Graph {
	if c.Waits == nil {
		c.Waits = waits.Analyze(c.Crash, c.Stacks, c.Profile, nil)
	}
	return c.Waits
}

// pick chooses the ring or the chain to tell of: a proven ring, an owner that has ended, a probable ring, and else the
// thread for which most others wait.
func (s *stalled) pick() {
	g := s.graph
	for i := range g.Cycles {
		if c := &g.Cycles[i]; s.cycle == nil || c.Proven && !s.cycle.Proven {
			s.cycle = c
		}
	}
	most := 0
	for i := range g.Chains {
		c := &g.Chains[i]
		if s.awaitsServer(c) {
			continue
		}
		n := c.Waiters
		if c.Dead != 0 {
			n += len(g.Waits) + 1
		}
		if n > most {
			most, s.chain = n, c
		}
	}
	if s.cycle != nil && (s.cycle.Proven || s.chain == nil || s.chain.Dead == 0 || !s.chain.Sure) {
		s.chain = nil
	} else if s.chain != nil {
		s.cycle = nil
	}
}

// awaitsServer reports whether a chain only waits for the end of a thread that serves: that is how servers are built.
func (s *stalled) awaitsServer(c *waits.Chain) bool {
	return s.onlyJoins(c) && s.graph.Waits[s.end(c)].Rest
}

// onlyJoins reports whether the members of a chain wait for nothing but each other's end.
func (s *stalled) onlyJoins(c *waits.Chain) bool {
	for _, i := range c.Threads[:len(c.Threads)-1] {
		if s.graph.Waits[i].Kind != waits.Join {
			return false
		}
	}
	return c.Dead == 0
}

// end is the last thread of a chain.
func (s *stalled) end(c *waits.Chain) int { return c.Threads[len(c.Threads)-1] }

// graphFacts are what the wait-for graph shows.
func (c *Case) graphFacts(h *Hypothesis, s stalled) {
	g := s.graph
	switch {
	case s.cycle != nil && s.cycle.Proven:
		h.fact(true, "cycle", "threads", wCycle, "%s, by what locks and calls record: a closed ring", c.ringWords(s.cycle))
	case s.cycle != nil:
		h.fact(true, "probable-cycle", "threads", wProbableCycle, "%s; %s", c.ringWords(s.cycle), c.doubt(s.cycle))
	case s.chain == nil:
	case s.refused():
		last := s.end(s.chain)
		h.fact(true, "refused", "threads", wRefused, "%s %s; %s for it", c.member(last), g.Waits[last].Text, threadsWait(s.chain.Waiters))
	case s.chain.Dead != 0:
		last := s.end(s.chain)
		h.fact(true, "owner-ended", "threads", wOwnerEnded, "%s %s", c.member(last), g.Waits[last].Text)
	default:
		last := s.end(s.chain)
		n := s.chain.Waiters
		w := &g.Waits[last]
		what := fmt.Sprintf("%s for %s", threadsWait(n), c.member(last))
		switch w.Kind {
		case waits.IO, waits.Poll, waits.Child, waits.Accept:
			h.fact(true, "holds-and-blocked", "threads", wHoldsWhile, "%s, which %s", what, w.Text)
		case waits.Running: // see paceFacts
		default:
			h.fact(true, "holds-and-rests", "threads", wHoldsAndRests, "%s, which %s", what, orElse(w.Text, "is in "+orElse(w.Call, "an unknown wait")))
		}
	}
}

// stood is for how long before the freeze no thread is known to have woken; 0 when one had, or that was not measured.
func (c *Case) stood() time.Duration {
	still := time.Duration(0)
	for i := range c.Crash.Threads {
		t := &c.Crash.Threads[i]
		if t.Activity == nil || t.Activity.Wakes != 0 || t.CPU > 0 {
			return 0
		}
		still = t.CPUWindow.Round(10 * time.Millisecond)
	}
	return still
}

// paceFacts are what is known of how the thread runs that tells most.
func (c *Case) paceFacts(h *Hypothesis, s stalled) {
	w := &s.graph.Waits[s.who]
	who := c.member(s.who)
	switch w.Pace {
	case waits.Circles:
		h.fact(true, "circles", "pace", wCircles, "%s %s: two rounds were the same in every register", who, w.Text)
	case waits.Stays:
		h.fact(true, "stays", "pace", wStays, "%s runs, in one call of one function at every look: a loop without end looks like this, and so does a long one", who)
	case waits.Moves:
		if t := &c.Crash.Threads[s.who]; t.Activity != nil && t.Activity.Bytes > 0 {
			h.fact(true, "moves", "pace", wMoves, "%s had moved %d bytes in %d reads and writes in the last %s", who, t.Activity.Bytes, t.Activity.Calls, t.CPUWindow.Round(10*time.Millisecond))
		} else {
			h.fact(true, "moves", "pace", wMoves, "%s runs through calls that begin and end", who)
		}
	default:
		h.fact(true, "running", "pace", wSpinning, "%s running in its code without a system call", plural(s.running, "thread"))
	}
}

// lookAtThreads sorts the threads by what they wait for. A thread counts as busy when the program's own code is on its
// stack below nothing but calls of libraries; waiting in accept, or in the loop of a scheduler, is a server's rest.
func (c *Case) lookAtThreads() stalled {
	s := stalled{who: -1, graph: c.waitGraph()}
	s.pick()
	rank := 0
	for i := range c.Crash.Threads {
		r := s.count(&s.graph.Waits[i], c.place(i))
		if s.graph.Waits[i].Pace == waits.Circles {
			r++ // of several that run
		}
		if r > rank {
			rank, s.who = r, i
		}
	}
	switch {
	case s.cycle != nil:
		s.who = s.cycle.Threads[0]
	case s.chain != nil:
		s.who = s.end(s.chain)
	}
	return s
}

// count adds one thread and says how much it tells.
func (s *stalled) count(w *waits.Wait, at place) int {
	switch {
	case w.Kind == waits.Running:
		s.running++
		return 4
	case w.Kind == waits.Sleep && at == atWork:
		s.sleeping++
		return 1
	case w.Rest, at == inLoop:
		s.idle++
		if w.Rest && w.Kind != waits.Sleep && w.Kind != waits.Signal {
			s.serving++
		}
		return 0
	case at == elsewhere:
		s.aside++
		return 0
	case w.Kind == waits.Lock || w.Kind == waits.Reply:
		s.locked++
		return 3
	case w.Kind == waits.Condition || w.Kind == waits.Join:
		s.awaiting++
		return 1
	case w.Kind == waits.IO || w.Kind == waits.Child:
		s.io++
		return 3
	case w.Kind == waits.Poll:
		s.poll++
		return 2
	}
	s.other++
	return 1
}

// allIdle reports whether no thread is in the middle of anything. In a server that waits for requests, other threads wait
// for those that it passes on, and for its end.
func (s *stalled) allIdle() bool {
	return s.idle > 0 && s.locked+s.io+s.poll+s.running+s.other+s.aside == 0 && (s.awaiting+s.sleeping == 0 || s.serving > 0)
}

func (s *stalled) kind() string {
	switch {
	case s.cycle != nil, s.refused():
		return kindDeadlock
	case s.who >= 0 && s.graph.Waits[s.who].Pace == waits.Moves:
		return kindSlow
	case s.chain != nil && s.chain.Dead != 0:
		return kindAbandoned
	case s.chain != nil:
		switch s.graph.Waits[s.end(s.chain)].Kind {
		case waits.IO, waits.Poll, waits.Child, waits.Accept:
			return kindBlockedIO
		case waits.Running:
			return s.runningKind()
		}
		return kindNoProgress
	case s.running > 0:
		return s.runningKind()
	case s.io+s.poll > s.locked:
		return kindBlockedIO
	}
	return kindNoProgress
}

func (s *stalled) runningKind() string {
	if s.who >= 0 && s.graph.Waits[s.who].Pace == waits.Moves {
		return kindSlow
	}
	return kindSpin
}

// place is where a thread was stopped.
type place int

const (
	elsewhere place = iota // no code of the program is on its stack, as far as names tell
	inLoop                 // in the loop in which a runtime's thread waits for work
	atWork                 // in the middle of the program's own code
)

// place says where a thread was stopped. Without a profile everything is the program's own that is no library's, also code
// without a name in its own file.
func (c *Case) place(i int) place {
	if i >= len(c.Stacks) {
		return elsewhere
	}
	st := &c.Stacks[i]
	for j := range st.Frames {
		f := &st.Frames[j]
		k := c.classified(f)
		switch k.Part {
		case profile.PartAcceptLoop, profile.PartScheduler:
			return inLoop
		case profile.PartStart:
			continue
		}
		own := f.Symbol.Name != "" || f.Module != nil && f.Module.Main
		if k.Kind == profile.KindProgram || k.Kind == profile.KindOther && c.Profile == nil && own {
			return atWork
		}
	}
	return elsewhere
}

// blameThread blames the program's function on the stack of the thread that tells most.
func (c *Case) blameThread(h *Hypothesis, i int) {
	steady := 0
	if i >= 0 {
		steady = c.waitGraph().Waits[i].Steady
	}
	if i < 0 || i == c.Crash.Focus && steady == 0 && c.waitGraph().Waits[i].Kind != waits.Reply {
		c.blameSuspect(h)
		return
	}
	st := c.stackOf(i)
	suspect := st.programFrom(steady)
	for suspect >= 0 && st.infos[suspect].Part == profile.PartCallHelper { // generated: its caller chose to ask
		next := st.programFrom(suspect + 1)
		if next < 0 {
			break
		}
		suspect = next
	}
	extern := ""
	if op := st.operation(suspect); op >= 0 {
		extern = st.symbol(op)
	}
	c.blame(h, st.symbol(suspect), extern)
	if suspect >= 0 && h.Blame.Source == "" && c.Sym != nil {
		f := st.frames[suspect]
		c.Sym.DescribeFrame(&f)
		for _, call := range f.Inlined {
			if call.File != "" && call.Line > 0 {
				h.Blame.Source = fmt.Sprintf("%s:%d", call.File, call.Line)
				h.look(h.Blame.Source)
				break
			}
		}
	}
}

// stackOf is the stack of any thread or actor, with what is known of its frames.
func (c *Case) stackOf(i int) stack {
	var frames []symbols.Frame
	if x := c.waitGraph().Actor(i); x != nil {
		frames = x.Trace.Frames
	} else if i < len(c.Stacks) {
		frames = c.Stacks[i].Frames
	}
	st := stack{frames, make([]FrameInfo, len(frames)), c.Profile != nil}
	for j := range frames {
		f := &frames[j]
		k := c.classified(f)
		st.infos[j] = FrameInfo{Kind: k.Kind, Part: k.Part, Readable: k.Readable, Rule: k.Rule, Extern: c.Profile.Extern(f.Symbol.Name)}
	}
	return st
}
