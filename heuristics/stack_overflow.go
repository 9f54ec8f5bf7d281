package heuristics

import (
	"fmt"
	"slices"
	"strconv"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
)

var stackOverflow = Heuristic{Doc: docOverflow, Run: runOverflow}

const (
	// hugeFrame is the share of its stack from which one frame alone explains an overflow.
	hugeFrame = 0.25
	// manyRounds is how often a cycle must repeat before it is called recursion.
	manyRounds = 8
	// deepStack is how many frames without a cycle make a deep chain.
	deepStack = 64
	// smallStack is what few programs can live in: the size of a thread stack that somebody set too low.
	smallStack = 128 << 10
)

func runOverflow(c *Case) Finding {
	u := &c.Stack
	words := c.message(idOverflow, "")
	overflow := u.Overflow || c.Fault != nil && c.Fault.Class == provenance.ClassGuardPage
	if !overflow && words == nil {
		f := Finding{}
		if c.Fault != nil && u.Region.Size() > 0 && u.Left > 0 {
			f = f.ruledOut(idOverflow, "rsp is %s above the low end of its stack (%s used of %s)", size(uint64(u.Left)), size(u.Used), size(u.Region.Size()))
		}
		return f
	}
	h := hypothesis(idOverflow, c.overflowKind())
	h.fact(overflow && c.Fault != nil, "guard-page", "place", wGuardPage, "the access hit the guard of the stack: %s", c.stackWords())
	h.fact(u.Overflow && c.Fault == nil, "stack-used-up", "place", wGuardPage, "rsp is at the low end of its stack: %s", c.stackWords())
	h.fact(words != nil, "overflow-words", "words", wOverflowWords, "it was said: %q", lineText(words))
	h.fact(c.Fault != nil && c.Fault.Implicit, "stack-access", "instruction", wStackAccess, "the instruction is one that uses the stack (%s)", insn(c))
	c.overflowShape(h)
	c.overflowBlame(h)
	who := c.readable(h.Blame.Symbol)
	h.Title = fmt.Sprintf("Stack overflow in %s", who)
	h.Summary = fmt.Sprintf("The stack (%s) ran out. The function on top is only the one that was deepest.", c.stackWords())
	switch h.Kind {
	case kindRecursion:
		h.Title = fmt.Sprintf("Stack overflow: %s calls itself without an end", who)
		if r := u.Repeat; r != nil && len(r.Symbols) > 1 {
			h.Title = fmt.Sprintf("Stack overflow: %s and %s call each other without an end", who, plural(len(r.Symbols)-1, "other function"))
		}
		h.next("give the recursion in " + who + " a condition to end, or make it a loop (only a call in tail position to itself becomes one)")
	case kindFrameGrowth:
		h.Title = fmt.Sprintf("Stack overflow: one frame of %s takes %s", who, c.largestWords())
		h.next("move the large value in " + who + " to the heap")
	case kindSmallStack:
		h.Title = fmt.Sprintf("Stack overflow in %s: the stack has only %s", who, size(u.Region.Size()))
		h.next("give the thread or actor a larger stack", "check that the runtime that was linked is the current one")
	case "":
		h.Title = "Stack overflow: the frames that were found do not explain what filled the stack"
		h.next("look for what moves the stack pointer away from its frames: longjmp to a function that has returned, a wrong swapcontext, inline assembly")
	case kindDeepChain:
		h.Title = fmt.Sprintf("Stack overflow in %s: a chain of %s without a cycle", who, plural(u.Depth, "frame"))
		h.next("shorten the chain of calls, or give the thread a larger stack (ulimit -s for the main thread)")
	}
	c.limitedStack(h)
	return finding(h)
}

// limitedStack adds that the main thread's stack may grow to less than usual.
func (c *Case) limitedStack(h *Hypothesis) {
	for _, k := range c.Checks {
		if k.OK || k.Cause != idOverflow {
			continue
		}
		h.fact(true, "check-"+k.ID, "size", wSmallStack, "a check from outside found: %s", k.Detail)
		h.Summary += " " + upper(k.Detail) + "."
		h.next(k.Next...)
		if h.Kind == kindRecursion { // whether it would have ended on a stack of the usual size nobody knows
			h.Title = fmt.Sprintf("Stack overflow: %s calls itself, and the stack is smaller than usual", c.readable(h.Blame.Symbol))
		}
	}
}

// overflowKind tells recursion from few but huge frames, from a stack that is small and from a chain that is deep.
func (c *Case) overflowKind() string {
	u := &c.Stack
	share := 0.0
	if u.Region.Size() > 0 {
		share = float64(c.largest().Bytes) / float64(u.Region.Size())
	}
	// A cycle that makes up most of the frames decides, also where the last frame that was unwound seems to hold the rest.
	repeats := u.Repeat != nil && u.Repeat.Count >= manyRounds && 2*u.Repeat.Count*len(u.Repeat.Symbols) >= u.Depth
	switch {
	case c.staleStack():
		return kindSmallStack
	case repeats:
		return kindRecursion
	case share >= hugeFrame:
		return kindFrameGrowth
	case u.Kind != "main" && u.Region.Size() > 0 && u.Region.Size() <= smallStack:
		return kindSmallStack
	case u.Region.Size() == 0 && u.Depth < deepStack && u.Repeat == nil:
		return kindRecursion // only the words are known; recursion is what it nearly always is
	case c.unexplained():
		return "" // the stack is full of something that no frame shows
	}
	return kindDeepChain
}

// unexplained reports whether the frames that were found take up less than half of what is used of the stack.
func (c *Case) unexplained() bool {
	st := c.FocusStack()
	if st == nil || st.Elided > 0 || c.Stack.Used == 0 || len(st.Frames) == 0 || !st.Frames[0].Regs[crash.RSP].Known {
		return false
	}
	rsp, top := st.Frames[0].Regs[crash.RSP].Value, uint64(0)
	for i := range st.Frames {
		if f := &st.Frames[i]; f.CFA.Known && f.CFA.Value > rsp && f.CFA.Value-rsp <= c.Stack.Used {
			top = max(top, f.CFA.Value-rsp)
		}
	}
	return 2*top < c.Stack.Used
}

// staleStack reports whether the stack has the size that an older runtime gave its actors.
func (c *Case) staleStack() bool {
	return c.Profile != nil && c.Stack.Kind == "coroutine" && slices.Contains(c.Profile.Stacks.ActorStale, c.Stack.Region.Size())
}

// staleActor is the size that the current runtime gives its stacks, 0 unknown.
func (c *Case) staleActor() uint64 {
	if c.Profile == nil {
		return 0
	}
	return c.Profile.Stacks.Actor
}

// largestWords is the size of the largest frame.
func (c *Case) largestWords() string {
	f := c.largest()
	if f.AtLeast {
		return "at least " + size(f.Bytes)
	}
	return size(f.Bytes)
}

func (c *Case) overflowShape(h *Hypothesis) {
	u := &c.Stack
	if r := u.Repeat; r != nil {
		h.fact(r.Count >= manyRounds, "repeats", "shape", wRepeats, "%s, %d times, %s a round", cycleWords(len(r.Symbols)), r.Count, size(r.Bytes))
	}
	if h.Kind == kindFrameGrowth {
		h.fact(true, "huge-frame", "shape", wHugeFrame, "one frame of %s takes %s, and its stack had %s", c.readable(c.largest().Symbol), c.largestWords(), size(u.Region.Size()))
	}
	h.fact(h.Kind == kindDeepChain && u.Depth >= deepStack, "deep", "shape", wDeep, "%s and no cycle", plural(u.Depth, "frame"))
	h.fact(h.Kind == "", "unexplained", "shape", wUnexplained, "the %s that were found take up less than half of the %s that are used",
		plural(u.Depth, "frame"), size(u.Used))
	h.fact(h.Kind == kindSmallStack, "small-stack", "size", wSmallStack, "the whole stack is %s", size(u.Region.Size()))
	h.fact(h.Kind == kindSmallStack && c.staleStack(), "old-size", "size", wOldStackSize, "that is what older runtimes gave; the current one gives %s",
		size(c.staleActor()))
}

// overflowBlame blames who used the stack up: the cycle, the huge frame, or the suspect.
func (c *Case) overflowBlame(h *Hypothesis) {
	u := &c.Stack
	symbol := ""
	switch {
	case h.Kind == kindRecursion && u.Repeat != nil:
		symbol = c.ownFirst(u.Repeat.Symbols)
	case h.Kind == kindFrameGrowth:
		symbol = c.ownFirst([]string{c.largest().Symbol})
		if !c.isProgram(symbol) {
			symbol = ""
		}
	}
	if h.Kind == kindDeepChain {
		symbol = c.chainHead()
	}
	if symbol == "" {
		c.blameSuspect(h)
		return
	}
	c.blame(h, symbol, "")
}

// chainHead is the outermost of the program's functions in the run of frames that the suspect belongs to: who began the
// deep chain.
func (c *Case) chainHead() string {
	v := c.facts()
	head := ""
	for i := max(v.suspect, 0); i < len(v.stack.frames) && c.isProgram(v.stack.symbol(i)) && !startFrame(v.stack.infos[i]); i++ {
		head = v.stack.symbol(i)
	}
	return head
}

// ownFirst is the first of the symbols that is the program's own code, else the first one.
func (c *Case) ownFirst(symbols []string) string {
	for _, s := range symbols {
		if c.kindOf(s) == profile.KindProgram {
			return s
		}
	}
	for _, s := range symbols {
		if c.isProgram(s) {
			return s
		}
	}
	if len(symbols) == 0 {
		return ""
	}
	return symbols[0]
}

// largest is the biggest frame of the stack. The one at which the stack begins, or at which unwinding stopped, has no true
// size.
func (c *Case) largest() provenance.FrameSize {
	for _, f := range c.Stack.Largest {
		if f.Frame >= c.Stack.Depth-1 && !f.AtLeast {
			continue
		}
		if f.Frame < len(c.Frames) && (startFrame(c.Frames[f.Frame]) || c.Frames[f.Frame].Part == profile.PartCoroutineEntry) {
			continue
		}
		return f
	}
	return provenance.FrameSize{}
}

// stackWords is a stack's size and use in words.
func (c *Case) stackWords() string {
	u := &c.Stack
	if u.Region.Size() == 0 {
		return "its size is not known"
	}
	kind := u.Kind
	if kind == "" {
		kind = "thread"
	}
	return fmt.Sprintf("%s stack of %s, %s deep", kind, size(u.Region.Size()), plural(u.Depth, "frame"))
}

func insn(c *Case) string {
	if c.Fault == nil || c.Fault.Insn == "" {
		return "it could not be read"
	}
	return c.Fault.Insn
}

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

var docOverflow = Doc{
	ID:    idOverflow,
	Title: "The stack ran out",
	Kinds: map[string]string{
		kindRecursion:   "a cycle of functions repeats until the stack is full",
		kindDeepChain:   "a long chain of different functions",
		kindFrameGrowth: "one frame is very large: a big local array or a value kept on the stack",
		kindSmallStack:  "the stack is smaller than the program needs, as on an actor or thread of an old runtime",
	},
	Text: `Below each stack lies a guard page. The push, call or store that reaches it faults; the function that was running is only
the one that happened to be deepest. So the stack's size and use, its largest frames and any repeating cycle are looked
at, and blamed is the cycle or the huge frame.

In an ordinary Rust program the runtime catches the fault, says "thread has overflowed its stack" and aborts: SIGABRT,
but the cause is this one. On coroutine stacks no such handler runs and it is a plain SIGSEGV.

Example: parse -> parse_list -> parse repeats 9,412 times, 880 bytes a round, on a stack of 8 MiB.`,
	For: []string{
		"the faulting address is in a guard page, or rsp is at the low end of its stack",
		"frames that repeat, one frame of a quarter of the stack or more, a stack of the size that old runtimes gave",
		"Rust's own words",
	},
	Against:        []string{"rsp is well inside its mapping: then it is ruled out, with the distance"},
	FalsePositives: []string{"a wild write can hit a guard page by chance; then rsp is far from it and the instruction is no push or call"},
	Fix: []string{
		"give the recursion an end, or make it a loop; in many compilers only a call to itself in tail position becomes one",
		"move large locals to the heap",
		"ulimit -s, pthread_attr_setstacksize or the runtime's setting, where the depth is right",
	},
}

func cycleWords(functions int) string {
	if functions == 1 {
		return "the same function calls itself"
	}
	return strconv.Itoa(functions) + " functions call each other in a circle"
}
