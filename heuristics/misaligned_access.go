package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/provenance"
)

var misalignedAccess = Heuristic{Doc: docMisaligned, Run: runMisaligned}

func runMisaligned(c *Case) Finding {
	v := c.facts()
	b := v.bad
	if b == nil || b.class != provenance.ClassMisaligned {
		return Finding{}
	}
	h := hypothesis(idMisaligned, "")
	h.fact(!b.inRust, "alignment-fault", "access", wAlignmentFault, "the instruction (%s) demands an aligned address, and the one it got is none", insn(c))
	h.fact(b.inRust, "alignment-check", "access", wAlignmentCheck, "a debug build's check refused the address: %s", hex(b.value))
	h.fact(b.known && c.pointerTo(b.value), "mapped", "value", wMisalignedMapped, "the address itself is mapped: only its alignment is wrong")
	h.fact(b.known && b.inRust && !c.pointerTo(b.value), "no-pointer", "value", wMisalignedGarbage, "the value is no address at all: its alignment is only what was noticed first")
	c.blameOrigin(h)
	h.Title = fmt.Sprintf("%s used an address that is not aligned: %s", v.suspectName(), b.text)
	h.Summary = "The address is not a multiple of what the access needs. " + c.originSentence()
	if c.Fault != nil && strings.Contains(c.Fault.Operand, "rsp") {
		h.Summary += " The operand is on the stack: somewhere a call was made with rsp not aligned to 16."
	}
	h.next("look where "+c.readable(h.Blame.Symbol)+" computes the address", c.disassemble(h.Blame.Symbol))
	return finding(h)
}

var docMisaligned = Doc{
	ID:    idMisaligned,
	Title: "An access to an address that is not aligned",
	Text: `Most x86-64 accesses may stand anywhere. Some vector instructions (movaps, movdqa, movntps) demand a multiple of 16 or 32 and
raise a general protection fault, which Linux reports as SIGSEGV without an address. Debug builds of Rust check the
alignment of every pointer they follow and panic.

When the operand is on the stack, somebody made a call with rsp not aligned to 16: hand-written assembly, or a code
generator that got its calling convention wrong.

Example: movaps [rsp+0x10], xmm0 with rsp ending in 8.`,
	For:            []string{"the instruction demands alignment and its address has none", "a debug build's own check"},
	Against:        []string{"the address is no address at all: then its alignment is only what was noticed first"},
	FalsePositives: []string{"a number used as a pointer in a debug build (see abi-mismatch)"},
	Fix:            []string{"align rsp to 16 before calls in generated or hand-written code", "allocate with the alignment of the type"},
}
