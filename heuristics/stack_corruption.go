package heuristics

import (
	"fmt"

	"golang.org/x/sys/unix"

	"meshdiag/provenance"
)

var stackCorruption = Heuristic{Doc: docSmash, Run: runSmash}

func runSmash(c *Case) Finding {
	v := c.facts()
	f := c.Fault
	h := hypothesis(idStackSmash, "")
	words := c.message(idStackSmash, "")
	h.fact(words != nil, "canary-words", "words", wCanaryWords, "it was said: %q", lineText(words))
	h.fact(words == nil && v.is(unix.SIGABRT) && v.stack.find("__stack_chk_fail") >= 0, "canary-frame", "words", wCanaryWords,
		"the stack protector ended the process: %s is on the stack", "__stack_chk_fail")
	h.fact(words != nil && v.is(unix.SIGABRT), "abort-signal", "end", wAbortSignal, "the process then ended itself with SIGABRT")
	ret := f != nil && f.BranchBad && f.BadRet
	if ret {
		h.fact(true, "bad-return", "return", wBadReturn, "a ret instruction took its target from the stack, and it is none: %s", targetWords(f))
		h.fact(f.Looks == provenance.LooksText, "text-return", "content", wTextReturn, "the overwritten return address is text: %s", f.Describe)
	}
	if !h.supported() {
		return Finding{}
	}
	c.blameSuspect(h)
	name := c.readable(h.Blame.Symbol)
	h.Title = fmt.Sprintf("The stack of %s was overwritten", name)
	h.Summary = "A local buffer was written past its end: a canary or a return address on the stack was overwritten. Frames above it may be garbage and are not blamed."
	h.next("look for writes into local arrays in "+name+" and in what it calls", c.disassemble(h.Blame.Symbol),
		"build with -fsanitize=address: it stops at the write")
	return finding(h)
}

var docSmash = Doc{
	ID:    idStackSmash,
	Title: "The stack was overwritten",
	Text: `A local buffer was written past its end and took a canary or a return address with it. With a stack protector the function
notices when it returns ("*** stack smashing detected ***"). Without one its ret jumps to whatever was written there.

The frames above the overwritten one may be garbage; they are marked as found by a scan and never blamed.

Example: strcpy into char buf[16]; the ret goes to 0x4141414141414141.`,
	For:            []string{"the canary message, or __stack_chk_fail on the stack", "a ret instruction whose target, read from the stack, is no code"},
	Against:        []string{"the bad jump was a call or jmp through a pointer (see bad-dispatch)", "abort() alone says nothing about an overrun"},
	FalsePositives: []string{"hand-written code that switches stacks and gets it wrong"},
	Fix:            []string{"-fsanitize=address stops at the write", "look at the arrays of the function whose canary was hit, and at who gets their address"},
}
