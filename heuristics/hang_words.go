package heuristics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/waits"
)

func threadsWait(n int) string {
	if n == 1 {
		return "1 thread waits"
	}
	return fmt.Sprintf("%d threads wait", n)
}

// threadLabel is "12 (payer)". A name that is merely the program's says nothing.
func (c *Case) threadLabel(i int) string {
	t := &c.Crash.Threads[i]
	if t.Name == "" || t.Name == c.Crash.Threads[0].Name {
		return fmt.Sprint(t.TID)
	}
	return fmt.Sprintf("%d (%s)", t.TID, t.Name)
}

// member is who stands in a ring or chain: "thread 12 (payer)", "the service orders".
func (c *Case) member(i int) string {
	x := c.waitGraph().Actor(i)
	switch {
	case x == nil:
		return "thread " + c.threadLabel(i)
	case x.Name != "":
		return "the actor " + x.Name
	}
	return "an actor"
}

// ringWords is "thread 10 waits for thread 11, and thread 11 for thread 10".
func (c *Case) ringWords(r *waits.Cycle) string {
	if len(r.Threads) == 1 {
		return c.member(r.Threads[0]) + " waits for itself"
	}
	var b strings.Builder
	for n, i := range r.Threads {
		next := r.Threads[(n+1)%len(r.Threads)]
		switch n {
		case 0:
			fmt.Fprintf(&b, "%s waits for %s", c.member(i), c.member(next))
		case len(r.Threads) - 1:
			fmt.Fprintf(&b, " and that one for %s", c.member(next))
		default:
			fmt.Fprintf(&b, ", that one for %s", c.member(next))
		}
	}
	return b.String()
}

// members names all: "threads 10 and 11", "the actor orders and thread 12".
func (c *Case) members(all []int) string {
	var threads, any []string
	for _, i := range all {
		any = append(any, c.member(i))
		if c.waitGraph().Actor(i) == nil {
			threads = append(threads, c.threadLabel(i))
		}
	}
	if len(threads) == len(all) {
		return "threads " + joinAnd(threads)
	}
	return joinAnd(any)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// doubt says why a ring is not proven.
func (c *Case) doubt(r *waits.Cycle) string {
	g := c.waitGraph()
	for _, i := range r.Threads {
		if w := &g.Waits[i]; len(w.Holders) > 0 && !w.Holders[0].Sure {
			if w.Kind == waits.Reply {
				return "there may be other actors that run the same service"
			}
			return fmt.Sprintf("the lock does not record its owner, but thread %d is likely: %s", w.Holders[0].TID, w.Holders[0].Why)
		}
	}
	return "a wait in it has a time limit"
}

// maxRing bounds how many threads of a ring the summary tells of.
const maxRing = 4

func (c *Case) describeHang(h *Hypothesis, s stalled) {
	v := c.facts()
	c.blameThread(h, s.who)
	who := "the program"
	if h.Blame.Symbol != "" {
		who = c.readable(h.Blame.Symbol)
	}
	h.Summary = "The process is alive and does nothing visible. " + c.threadSummary()
	switch {
	case s.cycle != nil:
		c.describeRing(h, s.cycle, who)
	case s.chain != nil:
		c.describeChain(h, s, who)
	case h.Kind == kindSpin:
		c.describeSpin(h, s, who, "")
	case h.Kind == kindSlow:
		c.describeSlow(h, s, who)
	case h.Kind == kindBlockedIO:
		h.Title = "It hangs: " + who + " waits for " + c.blockedOn(s) + " that never comes"
		if s.who >= 0 && s.graph.Waits[s.who].Kind == waits.Child {
			h.Title = "It hangs: " + who + " waits for a child process that does not end"
			h.next("look at the child: gdb -p, or meshdiag save CHILD and meshdiag core")
		}
		if s.who >= 0 && s.graph.Waits[s.who].Text != "" {
			h.Summary = fmt.Sprintf("Thread %s %s. %s", c.threadLabel(s.who), s.graph.Waits[s.who].Text, c.threadSummary())
		}
		if s.who >= 0 && s.graph.Waits[s.who].Kind != waits.Child {
			h.next("find the other end: ls -l /proc/PID/fd; ss -tnp; give the operation a time limit")
		}
	case s.locked > 0 && s.who >= 0 && s.graph.Waits[s.who].Kind == waits.Reply:
		h.Title = "It hangs: " + who + " waits for the answer of another actor that does not come"
		if others := c.alsoAsking(s.graph); others != "" {
			h.Summary = fmt.Sprintf("Thread %s %s. So %s: perhaps they wait for each other. %s", c.threadLabel(s.who), s.graph.Waits[s.who].Text, others, c.threadSummary())
		}
		h.next("find what the actor that was asked does instead of answering: whom does it ask itself?")
	case s.locked > 0:
		h.Title = "It hangs: " + who + " waits for a lock that nobody gives back"
		h.next("find who took what " + who + " waits for, and why it does not give it back")
	case s.allIdle():
		h.Title = "It makes no progress, and nothing is stuck: every thread waits for work from outside"
		h.next("if it is a server that nobody asked, nothing is wrong: give --stall-after a longer time")
	case s.sleeping > 0 && s.awaiting+s.aside == 0 && s.who >= 0:
		c.describeSleep(h, s, who)
	case s.graph.Closed:
		h.Title = "It hangs: every thread waits for another one, and none is left to wake them"
		if len(s.graph.Waits) == 1 {
			h.Title = "It hangs: " + who + " waits for another thread, and there is none"
		}
		if s.who >= 0 {
			h.Summary = fmt.Sprintf("Thread %s%s %s. ", c.threadLabel(s.who), c.inFunction(s.who), s.graph.Waits[s.who].Text)
		}
		h.Summary += "Nobody but a signal handler could end that. " + c.threadSummary()
		h.next("find who should have signalled what " + who + " waits for: it ended, or waits itself, or signalled before anybody waited")
	default:
		h.Title = "It makes no progress: every thread waits"
		h.next("if it is a server that nobody asked, give --stall-after a longer time")
	}
	if v.suspect >= 0 {
		h.next(c.disassemble(h.Blame.Symbol))
	}
	if c.Crash.Outcome.End == crash.EndRunning && !s.proven() {
		h.Title = strings.Replace(h.Title, "It hangs: ", "It may hang: ", 1)
	}
}

// blockedOn is what the thread that tells most waits for from outside of the process.
func (c *Case) blockedOn(s stalled) string {
	if s.who < 0 {
		return "input or output"
	}
	switch w := &s.graph.Waits[s.who]; w.Kind {
	case waits.Child:
		return "the end of a child process"
	case waits.Accept:
		return "a connection"
	}
	return "input or output"
}

// describeSleep tells of a program that only sleeps, for once or again and again.
func (c *Case) describeSleep(h *Hypothesis, s stalled, who string) {
	h.Title = "It makes no progress: " + who + " sleeps"
	h.Summary = fmt.Sprintf("Thread %s%s %s. %s", c.threadLabel(s.who), c.inFunction(s.who), s.graph.Waits[s.who].Text, c.threadSummary())
	if x := c.Crash.Threads[s.who].Activity; x != nil && x.Wakes > 1 {
		h.Title = "It makes no progress: " + who + " wakes and sleeps again, as if it waited for something that does not come"
		h.Summary = fmt.Sprintf("Thread %s%s woke %d times in the last %s. %s", c.threadLabel(s.who), c.inFunction(s.who), x.Wakes,
			c.Crash.Threads[s.who].CPUWindow.Round(10*time.Millisecond), c.threadSummary())
	}
	h.next("look what " + who + " sleeps for: a condition that never comes, or a pause that is longer than --stall-after")
}

// alsoAsking names the actors that wait for answers, too: "do the actors orders and users".
func (c *Case) alsoAsking(g *waits.Graph) string {
	var names []string
	for i := range g.Waits {
		if x := g.Actor(i); x != nil && g.Waits[i].Kind == waits.Reply {
			names = append(names, orElse(x.Name, "one without a name"))
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "does the actor " + names[0]
	}
	return "do the actors " + joinAnd(names)
}

// describeRing tells of threads that wait for each other.
func (c *Case) describeRing(h *Hypothesis, r *waits.Cycle, who string) {
	g := c.waitGraph()
	probably := ""
	if !r.Proven {
		probably = "probably "
	}
	switch {
	case len(g.Waits) == 1 && !r.Proven:
		h.Title = "It hangs: " + who + " waits for a lock, and there is no other thread that could give it back (deadlock)"
		h.next("find where this thread took the lock before, or which thread ended with it")
	case len(r.Threads) == 1 && (g.Waits[r.Threads[0]].Primitive == profile.PthreadOnce || g.Waits[r.Threads[0]].Primitive == profile.RustOnce):
		h.Title = fmt.Sprintf("It hangs: %s waits for the end of an initialisation that its own thread runs (deadlock)", who)
		h.next("look for the way from the initialisation back to " + who + ": what it needs must be made before, or be passed to it")
	case len(r.Threads) == 1:
		h.Title = fmt.Sprintf("It hangs: %s %swaits for a lock that its own thread has (deadlock)", who, probably)
		h.next("look for a second lock of the same mutex on the way to " + who + ": give the inner function a form that expects the lock to be held")
	default:
		h.Title = fmt.Sprintf("It hangs: %s %swait for each other (deadlock)", c.members(r.Threads), probably)
		if slices.ContainsFunc(r.Threads, func(i int) bool { return g.Waits[i].Kind == waits.Reply }) {
			h.next("let one of them answer without asking the other: put what it needs into the request, or cast instead of calling")
		} else {
			h.next("take the locks in the same order everywhere, and hold none while waiting for a thread's end")
		}
	}
	var told []string
	for n, i := range r.Threads {
		if n == maxRing {
			told = append(told, fmt.Sprintf("%d more are in the ring.", len(r.Threads)-n))
			break
		}
		told = append(told, fmt.Sprintf("%s%s %s.", capital(c.member(i)), c.inFunction(i), g.Waits[i].Text))
	}
	switch {
	case r.Proven && len(r.Threads) == 1:
		told = append(told, "It can never go on.")
	case r.Proven:
		told = append(told, "None of them can go on.")
	default:
		told = append(told, "If so, none of them can go on: "+c.doubt(r)+".")
	}
	h.Summary = strings.Join(told, " ")
}

// describeChain tells of the thread that others wait for, and why it does not let them go on.
func (c *Case) describeChain(h *Hypothesis, s stalled, who string) {
	g, last := s.graph, s.end(s.chain)
	w := &g.Waits[last]
	n := s.chain.Waiters
	if s.chain.Dead != 0 {
		h.Title = fmt.Sprintf("It hangs: %s waits for a lock whose owner has ended", who)
		h.Summary = fmt.Sprintf("%s %s. Nobody is left who would unlock it.", capital(c.member(last)), w.Text)
		h.next("find the path on which a thread ends between lock and unlock: an early return, a cancelled thread, an exception; unlock there, or make the mutex robust")
		return
	}
	if s.refused() {
		h.Title = fmt.Sprintf("It hangs: the kernel refused %s a mutex as a deadlock, and %s for it", who, threadsWait(n))
		h.Summary = fmt.Sprintf("%s%s %s. %s", capital(c.member(last)), c.inFunction(last), w.Text, c.waitersWords(g, last))
		h.next("take the locks in the same order everywhere", "make the mutex error-checking: then the call fails with EDEADLK instead")
		return
	}
	others := threadsWait(n) + " for it"
	probably := ""
	if !s.chain.Sure {
		probably = "probably "
	}
	first := fmt.Sprintf("%s%s %s", capital(c.member(last)), c.inFunction(last), orElse(w.Text, "runs"))
	h.Summary = fmt.Sprintf("%s, and %s%s. %s", first, probably, others, c.waitersWords(g, last))
	switch h.Kind {
	case kindBlockedIO:
		h.Title = fmt.Sprintf("It hangs: %s waits for %s that does not come, and %s%s", who, c.blockedOn(s), probably, others)
		h.next("give the operation a time limit, and do not hold a lock over it", "find the other end: ls -l /proc/PID/fd; ss -tnp")
	case kindSpin:
		c.describeSpin(h, s, who, ", and "+probably+others)
	case kindSlow:
		c.describeSlow(h, s, who)
	default:
		h.Title = fmt.Sprintf("It hangs: %s does not go on, and %s%s", who, probably, others)
		h.next("find what " + who + " waits for: it holds up the others")
	}
}

// describeSpin tells of a thread that runs and does not end; others is what else is to be said of it.
func (c *Case) describeSpin(h *Hypothesis, s stalled, who, others string) {
	w := &s.graph.Waits[s.who]
	switch {
	case w.Pace == waits.Circles && w.Name != "":
		h.Title = fmt.Sprintf("It hangs: %s runs in a circle until %s changes%s", who, w.Name, others)
		h.next("find who should change "+w.Name+", and whether that thread has ended or waits", "let it wait on a condition variable instead of running")
	case w.Pace == waits.Circles:
		h.Title = fmt.Sprintf("It hangs: %s runs in a circle that nothing in it ends%s", who, others)
		h.next("look at the condition of the loop in " + who + ": only another thread could change it")
	default:
		h.Title = fmt.Sprintf("It hangs: %s runs and does not end%s", who, others)
		h.next("look for a loop in "+who+" whose condition never changes", "if it may take that long, give --stall-after a longer time")
	}
	if s.chain == nil {
		h.Summary = fmt.Sprintf("Thread %s%s %s. %s", c.threadLabel(s.who), c.inFunction(s.who), orElse(w.Text, "runs"), c.threadSummary())
	}
}

// describeSlow tells of a thread that was at work when the time was up.
func (c *Case) describeSlow(h *Hypothesis, s stalled, who string) {
	w := &s.graph.Waits[s.who]
	h.Title = "It says nothing, but " + who + " was at work when the time was up: perhaps it is only slow"
	doing := "runs: calls inside of it begin and end"
	if w.Kind != waits.Running {
		doing = orElse(w.Text, "waits") + ", and had been reading or writing all the time before"
	} else if x := c.Crash.Threads[s.who].Activity; x != nil && x.Bytes > 0 {
		doing = "runs, and reads or writes"
	}
	h.Summary = fmt.Sprintf("Thread %s%s %s. %s", c.threadLabel(s.who), c.inFunction(s.who), doing, c.threadSummary())
	h.next("give --stall-after a longer time", "if it never ends: look for an outer loop in "+who+" whose condition never changes")
}

// waitersWords names the threads that wait for one directly.
func (c *Case) waitersWords(g *waits.Graph, last int) string {
	var told []string
	for i := range g.Waits {
		if w := &g.Waits[i]; i != last && !w.Passed && len(w.Holders) > 0 && w.Holders[0].Thread == last {
			if len(told) == maxRing {
				told = append(told, "Others do, too.")
				break
			}
			told = append(told, fmt.Sprintf("%s%s %s.", capital(c.member(i)), c.inFunction(i), w.Text))
		}
	}
	return strings.Join(told, " ")
}

// inFunction is " in transfer": the program's own function that a thread or actor is in.
func (c *Case) inFunction(i int) string {
	if f := c.OwnFunction(i); f != "" {
		return " in " + f
	}
	return ""
}

// OwnFunction is the innermost function of the program's own code that a thread or actor (an index in Waits.Waits) is in,
// readable; "" when there is none.
func (c *Case) OwnFunction(i int) string {
	st := c.stackOf(i)
	if p := st.program(); p >= 0 {
		return c.readable(st.symbol(p))
	}
	return ""
}

func joinAnd(names []string) string {
	if len(names) > maxRing {
		names = append(names[:maxRing:maxRing], fmt.Sprintf("%d more", len(names)-maxRing))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

func nobodyLeft(threads int) string {
	if threads == 1 {
		return "the only thread of the process waits for another one, without a time limit"
	}
	return "every thread waits for another thread of the process, without a time limit: none is left to end a wait"
}

// threadSummary is what the threads wait for, in one sentence.
func (c *Case) threadSummary() string {
	var parts []string
	counts := map[string]int{}
	var order []string
	for i := range c.Crash.Threads {
		t := &c.Crash.Threads[i]
		what := "running"
		if t.Syscall != nil && t.Syscall.Number >= 0 {
			what = "in " + crash.SyscallName(t.Syscall.Number)
		} else if t.State != "R" && t.State != "" {
			what = "state " + t.State
		}
		if counts[what] == 0 {
			order = append(order, what)
		}
		counts[what]++
	}
	for _, w := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[w], w))
	}
	if len(parts) == 0 {
		return "Its threads could not be read."
	}
	return "Threads: " + strings.Join(parts, ", ") + "."
}
