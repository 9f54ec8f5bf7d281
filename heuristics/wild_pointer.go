package heuristics

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/provenance"
)

var wildPointer = Heuristic{Doc: docWild, Run: runWild}

func runWild(c *Case) Finding {
	v := c.facts()
	b := v.bad
	if b == nil || b.class == provenance.ClassNull || b.class == provenance.ClassGuardPage || c.Fault != nil && c.Fault.BranchBad {
		return Finding{}
	}
	h := hypothesis(idWild, "")
	switch b.class {
	case provenance.ClassPastEnd:
		h.fact(true, "past-end", "value", wPastEnd, "the access ran past an end, it hit nothing that is corrupted: the address lies %s", region(c))
	case provenance.ClassNonCanonical:
		h.fact(true, "non-canonical", "value", wWildValue, "the value (%s) can be no address on this machine", b.text)
	case provenance.ClassUnmapped:
		h.fact(true, "unmapped", "value", wWildValue, "nothing is mapped at the address (%s)", b.text)
	case provenance.ClassNearNull:
		if !c.operandLost() {
			h.fact(true, "near-null", "value", wWildSmall, "the address is too low to be one (%s), and no register of the operand is 0", b.text)
		} else {
			h.fact(true, "near-null", "value", wWildLow, "the address is too low to be one (%s), and what made it up is not known", b.text)
		}
	case provenance.ClassProtection:
		h.fact(!writesReadOnly(c), "protection", "value", wWildProtected, "the address may not be accessed like that (%s)", region(c))
	}
	h.fact(v.origin == nil || v.origin.Kind == provenance.StepUnknown, "no-origin", "origin", wNoOrigin, "its way back could not be followed to an origin")
	h.fact(v.origin != nil && v.origin.Kind == provenance.StepUninit, "uninitialised", "origin", wUninit,
		"%s used it without ever setting it", c.readable(originSymbol(v)))
	h.fact(b.looks == provenance.LooksTruncated, "half-address", "looks", wHalfHasSource, "it is one half of a good address: it was cut somewhere")
	h.fact(b.looks == provenance.LooksText && b.known && c.Profile != nil, "text", "looks", wTextHasSource, "its bytes are text: it was read from somewhere")
	_, freed := c.freedLink()
	h.fact(freed, "free-list-link", "looks", wHalfHasSource, "it looks like a link between freed objects: then it was read from one of them")
	failed := c.failedCall()
	h.fact(failed != "", "failed-call", "origin", wFailedCall, "%s returned -1 to %s: that is how it says that it failed", failed, v.suspectName())
	c.blameOrigin(h)
	h.Title = fmt.Sprintf("%s used a bad address: %s", v.suspectName(), b.text)
	if b.class == provenance.ClassPastEnd {
		h.Title = fmt.Sprintf("%s ran past an end of memory: %s", v.suspectName(), region(c))
	}
	if failed != "" {
		h.Title = fmt.Sprintf("%s failed, and %s used its result, -1, as an address", failed, c.readable(h.Blame.Symbol))
		h.next(fmt.Sprintf("check what %s returns before it is used, and print errno: it says why the call failed", failed))
	}
	h.Summary = fmt.Sprintf("The address is no good one (%s). %s", b.text, c.originSentence())
	h.next(c.followBack(h.Blame.Symbol)...)
	h.next("if it changes from run to run, build the program with -fsanitize=address, or run it under valgrind")
	return finding(h)
}

// failsWithMinusOne are functions that return an address, and (void *) -1 when they fail (their man pages).
var failsWithMinusOne = []string{"mmap", "mmap64", "mremap", "shmat", "sbrk"}

// failedCall is the library function whose -1 was used as an address, "" none.
func (c *Case) failedCall() string {
	v := c.facts()
	if v.result == nil || v.bad == nil || !v.bad.known || int64(v.bad.value) != -1 {
		return ""
	}
	name, _, _ := strings.Cut(v.result.Callee, "@")
	name = strings.TrimLeft(strings.TrimPrefix(name, "__GI_"), "_")
	if !slices.Contains(failsWithMinusOne, name) {
		return ""
	}
	return name
}

func region(c *Case) string {
	if c.Fault != nil && c.Fault.Region != "" {
		return c.Fault.Region
	}
	return "outside any mapping"
}

func originSymbol(v *view) string {
	if v.origin == nil {
		return ""
	}
	return v.origin.Symbol
}

var docWild = Doc{
	ID:    idWild,
	Title: "A garbage address, and its source is not known",
	Text: `The address is neither NULL nor in any stack guard, and no rule can say what it was meant to be: a non-canonical value, an
address where nothing is mapped, or one that ran over the end of a mapping. It is the honest answer when the value could
not be followed to an origin.

An access just behind a mapping is not corruption: a loop went on too long or an index was off by one; the report says
which mapping and by how many bytes.

Example: mov rax, [rcx+rdx*8] with rdx = 0x1fffffff, 12 bytes behind [heap].`,
	For: []string{
		"the value is non-canonical, unmapped, or lies just outside a mapping",
		"its way back ends at something that could not be followed, or at memory that was never set",
	},
	Against: []string{
		"the value has a recognisable meaning: a small number, text, half a pointer, a fill pattern",
		"the base of the address is 0",
	},
	FalsePositives: []string{"memory that was unmapped while a pointer to it was kept"},
	Fix: []string{
		"run it twice: what changes is garbage, what stays has a source that can be found",
		"valgrind or -fsanitize=address stop at the first wrong access instead of the first fatal one",
	},
}
