package heuristics

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
)

var panicked = Heuristic{Doc: docPanic, Run: runPanic}

func runPanic(c *Case) Finding {
	var found []*Hypothesis
	v := c.facts()
	for i := range c.Panics {
		p := &c.Panics[i]
		switch {
		case p.Consequence:
		case p.Caught || c.Kind == crash.Healthy:
			found = append(found, c.caughtPanic(p))
		case p == v.panic:
			found = append(found, c.fatalPanicHypothesis(p))
		}
	}
	if v.panic == nil && v.is(unix.SIGABRT) && c.Kind == crash.Panicked {
		found = append(found, c.silentAbort())
	}
	return finding(found...)
}

// panicKind is the contract's kind of a panic.
func (c *Case) panicKind(p *PanicSite) string {
	if p.Caught {
		return kindCaught
	}
	if cause, kind := c.wordsOf(p); cause == idPanic && kind != "" && !(kind == kindAssertion && p.Origin == "rust") {
		return kind
	}
	switch {
	case p.Origin == "profile":
		return kindMeshPanic
	case p.Origin == "c++":
		return kindException
	case failedAllocation(p.Message) > 0 || strings.Contains(p.Message, "capacity overflow"):
		return kindAllocation
	case p.Origin == "glibc" || p.Origin == "c":
		if strings.Contains(p.Message, "ssertion") {
			return kindAssertion
		}
		return kindAbort
	case strings.HasPrefix(p.Message, "assertion ") && c.Profile == nil:
		return kindAssertion
	}
	return kindRuntime
}

// failedAllocation reads the size out of Rust's "memory allocation of N bytes failed"; 0 when it is none.
func failedAllocation(message string) uint64 {
	_, rest, ok := strings.Cut(message, "memory allocation of ")
	digits, _, bytes := strings.Cut(rest, " bytes")
	if !ok || !bytes {
		return 0
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (c *Case) fatalPanicHypothesis(p *PanicSite) *Hypothesis {
	v := c.facts()
	st := c.panicStack(p)
	suspect := st.program()
	op := st.operation(suspect)
	h := hypothesis(idPanic, c.panicKind(p))
	fatal := c.Kind == crash.Panicked
	size := failedAllocation(p.Message)
	cause, _ := c.wordsOf(p)
	refusal := v.bad != nil && v.bad.inRust && v.bad.known
	elsewhere := refusal || cause != "" && cause != idPanic
	h.fact(!elsewhere && p.FromLine >= 0 && p.Message != "", "panic-words", "words", wPanicWords, "it printed: %q", p.Message)
	h.fact(!elsewhere && p.FromLine < 0 && len(p.Frames) > 0, "panic-seen", "words", wPanicSeen, "the panic was seen where it was raised: %q", p.Message)
	h.fact(!elsewhere && p.FromLine < 0 && len(p.Frames) == 0, "panic-call", "words", wPanicSeen, "the call on the stack that panicked, and its constants, say: %q", p.Message)
	h.fact(refusal, "pointer-check", "words", wPointerCheck,
		"the words are a debug build's check of a pointer: the pointer is the cause, and a release build would have died of SIGSEGV")
	h.fact(elsewhere && !refusal, "named-cause", "words", wPanicNamesCause, "its words point to something more exact: %s", cause)
	h.fact(c.refusedSize(p) && c.limitedMemory(), "memory-limit", "limit", wPanicNamesCause, "the memory that it was refused is limited from outside")
	h.fact(v.is(unix.SIGABRT) && fatal, "abort-signal", "end", wAbortSignal, "the process then ended itself with SIGABRT")
	h.fact(c.Crash.Outcome.End == crash.EndExit && fatal, "panic-exit", "end", wPanicExit,
		"the exit status %d is the one of a panic", c.Crash.Outcome.ExitCode)
	h.fact(c.Kind == crash.Hung, "thread-died", "end", wThreadDied,
		"the thread that panicked is gone, what it served waits for ever, and nobody caught the panic")
	h.fact(st.within(len(st.frames), profile.PartPanic) >= 0, "panic-frames", "frames", wPanicFrames,
		"the panic machinery is on the stack of the thread")
	h.fact(c.Fault != nil && c.Kind == crash.Crashed, "other-death", "end", wDiedOtherwise,
		"the process died of a fault, not of this panic")
	n, refused := c.addressIn(p.Message)
	h.fact(size == 0 && refused, "address-refused", "meaning", wAbsurdSize, "the number %d in its words is an address: it was never meant as a number", n)
	h.fact(size >= absurdSize && c.Profile != nil, "absurd-size", "meaning", wAbsurdSize,
		"%d bytes is no size that anyone would ask for: the number itself is wrong", size)
	c.panicBlame(h, p, st, suspect, op)
	c.describePanic(h, p, st, suspect, op)
	c.limitsReached(h)
	return h
}

// panicStack is the stack on which the panic was raised.
func (c *Case) panicStack(p *PanicSite) stack {
	if len(p.Frames) > 0 && len(p.Frames) == len(p.Infos) {
		return stack{p.Frames, p.Infos, c.Profile != nil}
	}
	return c.facts().stack
}

// wordsOf is the cause that a rule says a panic's words point to, "" none.
func (c *Case) wordsOf(p *PanicSite) (cause, kind string) {
	if p.Cause != "" {
		return p.Cause, p.Kind
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Cause != "" && p.Message != "" && strings.Contains(m.Line.Text, p.Message) {
			return m.Cause, m.Kind
		}
	}
	return "", ""
}

func (c *Case) panicBlame(h *Hypothesis, p *PanicSite, st stack, suspect, op int) {
	symbol, extern := st.symbol(suspect), ""
	if op >= 0 && st.infos[op].Kind != profile.KindStd {
		extern = st.symbol(op)
	}
	if symbol == "" {
		symbol, extern = extern, ""
	}
	c.blame(h, symbol, extern)
	if p.File != "" && p.Line > 0 && !strings.HasPrefix(p.File, "<") {
		at := p.File + ":" + strconv.Itoa(p.Line)
		if h.Blame.Source == "" && !strings.Contains(p.File, "/library/") {
			h.Blame.Source = at
		}
		h.look(at)
	}
}

func (c *Case) describePanic(h *Hypothesis, p *PanicSite, st stack, suspect, op int) {
	who := "The program"
	if suspect >= 0 {
		who = st.name(suspect)
	} else if op >= 0 {
		who = st.name(op)
	}
	h.Title = who + " panicked: " + p.Message
	h.Summary = who + " gave up with the words " + strconv.Quote(p.Message) + "."
	if op >= 0 && suspect >= 0 && op < suspect && h.Kind == kindRuntime {
		h.Title = st.name(op) + " panicked: " + strings.TrimPrefix(p.Message, st.name(op)+": ") + " (called by " + who + ")"
		h.Summary = who + " called " + st.name(op) + ", which refused with the words " + strconv.Quote(p.Message) +
			". The caller is where the bad request was made."
	}
	if slices.ContainsFunc(c.Panics, func(p PanicSite) bool { return p.Consequence }) {
		h.Summary += " The later message about a panic that cannot unwind is a consequence of it."
	}
	switch h.Kind {
	case kindMeshPanic, kindRuntime, kindAssertion:
		h.next("read "+who+" at the place that leads to "+strconv.Quote(p.Message), c.disassemble(h.Blame.Symbol))
	case kindAllocation:
		h.next("look where the size comes from: follow the argument of the allocation back into "+who,
			"if the size is right, check the memory limit: ulimit -v; cat /sys/fs/cgroup/memory.max")
	case kindException:
		h.next("catch the exception, or find what throws it: catchpoint in gdb (catch throw)")
	}
}

// caughtPanic is a panic that the process survived.
func (c *Case) caughtPanic(p *PanicSite) *Hypothesis {
	st := c.panicStack(p)
	if len(p.Frames) == 0 {
		st = stack{} // the focus thread's stack has nothing to do with a panic that was only printed
	}
	suspect := st.program()
	h := hypothesis(idPanic, kindCaught)
	h.fact(p.Message != "", "panic-words", "words", wPanicWords, "it printed: %q", p.Message)
	h.fact(c.Kind == crash.Healthy || c.Kind == crash.Killed || c.Kind == crash.Hung, "lived-on", "end", wLivedOn,
		"the process went on after it")
	h.fact(c.Kind != crash.Healthy && c.Kind != crash.Killed && c.Kind != crash.Hung, "died-later", "end", wDiedOtherwise,
		"the process survived it and ended later for another reason")
	h.fact(c.means(profile.MeansCaught) != nil, "caught-words", "caught", wCaughtWords, "it said that it caught the panic")
	op := st.operation(suspect)
	c.panicBlame(h, p, st, suspect, op)
	who := "a part of the program"
	if suspect >= 0 {
		who = st.name(suspect)
	}
	h.Title = "A panic in " + who + " was caught: " + p.Message
	h.Summary = "The panic ended one job, not the process. It is no crash, but the job that it belonged to failed."
	h.next("read " + who + " at the place that leads to " + strconv.Quote(p.Message))
	return h
}

// silentAbort is an abort without words that were seen.
func (c *Case) silentAbort() *Hypothesis {
	v := c.facts()
	r := c.abortReason()
	h := hypothesis(idPanic, r.kind)
	if r.cause != idPanic {
		return h
	}
	h.fact(true, "abort-signal", "end", wAbortSignal, "the process ended itself with SIGABRT")
	h.fact(true, "abort-reason", "words", wAbortReason, "%s", r.text)
	h.fact(v.signal.PID == c.Crash.Target.PID && v.signal.PID != 0, "own-signal", "sender", wOwnSignal, "the signal came from the process itself")
	m := c.message(idPanic, "")
	h.fact(m != nil && m.Kind == r.kind, "abort-words", "spoken", wPanicWords, "it printed: %q", lineText(m))
	c.blameSuspect(h)
	who := v.suspectName()
	h.Title = upper(r.text) + ": " + who + " gave up"
	h.Summary = "The process ended itself in " + who + ": " + r.text + ". That says nothing about memory."
	h.next("read the condition before the abort in "+who, c.disassemble(h.Blame.Symbol))
	return h
}

var docPanic = Doc{
	ID:    idPanic,
	Title: "The program gave up by itself",
	Kinds: map[string]string{
		kindMeshPanic:  "the program's own language raised it: no branch of a match fits, an explicit panic",
		kindRuntime:    "the runtime or standard library refused a request: an empty list, an index out of bounds",
		kindCaught:     "a panic that the program caught: one job failed, the process lives",
		kindAllocation: "memory could not be had",
		kindAssertion:  "an assertion failed",
		kindException:  "an exception that nobody catches",
		kindAbort:      "abort() without more words",
	},
	Text: `The program or its runtime noticed that something is wrong and stopped. Its own words are the best evidence there is; the
question that is left is who made the bad request. So the runtime function that refused is named as the operation, and
the program's function above it is blamed.

Of several panics the first is the cause: "panic in a function that cannot unwind" only says that the first one reached a
function through which it may not pass. A caught panic is no crash. abort() says nothing about memory: it is no buffer
overrun.

Example: "list_head: empty list", raised in list_head, called by next_order; blamed is next_order.`,
	For:     []string{"the printed words, or the panic seen where it was raised", "SIGABRT from the process itself, or the exit status of a panic", "panic machinery on the stack"},
	Against: []string{"the words are a debug build's check of a pointer: the pointer is the cause", "the words are about the world outside: a port, a database", "the process died later of something else"},
	FalsePositives: []string{
		"an allocation of an absurd size is no lack of memory: the size is text or an address that was read as a length",
	},
	Fix: []string{"read the blamed function at the place that leads to the words", "RUST_BACKTRACE=1 prints a Rust panic's own stack"},
}
