package heuristics

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/profile"
	"meshdiag/provenance"
)

var heapCorruption = Heuristic{Doc: docHeap, Run: runHeap}

func runHeap(c *Case) Finding {
	v := c.facts()
	h := hypothesis(idHeap, "")
	words := c.message(idHeap, "")
	h.fact(words != nil, "allocator-words", "words", wAllocatorWords, "the allocator said: %q", lineText(words))
	h.fact(words != nil && v.is(unix.SIGABRT), "abort-signal", "end", wAbortSignal, "the process then ended itself with SIGABRT")
	aborted := words == nil && v.is(unix.SIGABRT) && c.abortReason().cause == idHeap
	h.fact(aborted, "abort-in-allocator", "words", wAbortInAllocator, "the process was aborted inside the allocator")
	if b := v.bad; b != nil && !c.Stack.Overflow && b.class != provenance.ClassGuardPage && (c.Fault == nil || !c.Fault.BranchBad) {
		at := v.stack.within(v.end(), profile.PartAllocator, profile.PartCollector)
		h.fact(at >= 0, "fault-in-allocator", "place", wFaultInAllocator, "the fault is inside %s, which walks its own records: they were overwritten earlier", v.stack.name(at))
		if at >= 0 {
			h.fact(followsList(c), "follows-list", "access", wListWalk, "it was following a list from one record to the next")
			c.blamesCaller(h, at)
		}
	}
	if !h.supported() {
		return Finding{}
	}
	c.blameSuspect(h)
	c.describeHeap(h, lineText(words))
	if words != nil {
		h.next(words.Next...)
	}
	h.next("run it under valgrind, or build with -fsanitize=address: both stop at the write that does the damage")
	return finding(h)
}

// describeHeap says what the allocator's words mean. Some of its checks can only fail for one reason (glibc malloc/malloc.c).
func (c *Case) describeHeap(h *Hypothesis, words string) {
	who := "a caller whose frame is not known"
	if c.facts().suspect >= 0 {
		who = c.facts().suspectName()
	}
	switch {
	case strings.Contains(words, "double free detected"), strings.Contains(words, "(fasttop)"):
		h.Title = who + " freed an object that is free already"
		h.Summary = "The allocator found the object on its free list. The other free came earlier, perhaps from other code: the object has two owners, or a pointer to it was kept."
	case strings.Contains(words, "invalid pointer"):
		h.Title = who + " freed an address that is no block of the heap"
		h.Summary = "The address does not begin a block: it points into the middle of one, or to memory that malloc did not give; or the header before it was overwritten earlier."
	default:
		h.Title = fmt.Sprintf("The heap is damaged; it was noticed in a call by %s", who)
		h.Summary = "The allocator or collector found its own records overwritten. The damage was done earlier, perhaps by other code than what is on the stack: a write past an end, a second free, a write to freed memory."
	}
}

// blamesCaller weighs against a damaged heap when what the allocator failed on is what the caller gave it.
func (c *Case) blamesCaller(h *Hypothesis, at int) {
	s := c.facts().last()
	given := s != nil && s.to >= at && s.arg >= 0
	h.fact(given, "given-by-caller", "origin", wGivenByCaller, "the value it failed on was given by the caller in %s", argument(argOf(s)))
}

func argOf(s *site) int {
	if s == nil {
		return -1
	}
	return s.arg
}

var docHeap = Doc{
	ID:    idHeap,
	Title: "The heap's own records are damaged",
	Text: `The allocator or collector found its bookkeeping overwritten. It says so and aborts ("double free or corruption", "free():
invalid pointer", "corrupted size vs. prev_size"), or it faults while it walks its lists.

The damage was done before, often by other code: a write past the end of an object, a second free, a write to freed
memory. What is on the stack now is whoever called the allocator next; it is named as the place where it was noticed.

Example: free(p); ...; free(p); and glibc: "free(): double free detected in tcache 2".`,
	For:            []string{"the allocator's own words", "SIGABRT raised inside malloc, free or realloc", "a fault inside an allocator or collector frame"},
	Against:        []string{"the value that the allocator failed on is the argument that it was given: then the argument is the bug"},
	FalsePositives: []string{"free() of an address that never came from malloc is told in the same words"},
	Fix:            []string{"valgrind or -fsanitize=address stop at the write that does the damage", "MALLOC_CHECK_=3 and MALLOC_PERTURB_=165 make it show earlier"},
}
