package heuristics

import (
	"fmt"

	"meshdiag/provenance"
)

var readOnlyWrite = Heuristic{Doc: docReadOnly, Run: runReadOnly}

// writesReadOnly reports whether the fault is a write to memory that may only be read or executed.
func writesReadOnly(c *Case) bool {
	f := c.Fault
	if f == nil || f.Class != provenance.ClassProtection || f.Access != provenance.AccessWrite {
		return false
	}
	m, ok := c.Crash.MappingAt(f.Address)
	return !ok || !f.AddressOK || m.PermsOK && m.Perms != 0
}

func runReadOnly(c *Case) Finding {
	if !writesReadOnly(c) {
		return Finding{}
	}
	v, f := c.facts(), c.Fault
	h := hypothesis(idReadOnly, "")
	h.fact(true, "write-protected", "access", wWriteProtected, "the instruction (%s) writes to memory that may only be read: %s", insn(c), region(c))
	h.fact(f.Looks == provenance.LooksRodata || f.Looks == provenance.LooksCode, "constant", "value", wWritesConstant, "the address belongs to constants or code: %s", f.Describe)
	c.blameOrigin(h)
	h.Title = fmt.Sprintf("%s wrote to read-only memory", v.suspectName())
	h.Summary = fmt.Sprintf("The address is mapped, but not for writing (%s). %s", region(c), c.originSentence())
	h.next("copy the constant before changing it; look where "+c.readable(h.Blame.Symbol)+" takes the address from", c.disassemble(h.Blame.Symbol))
	return finding(h)
}

var docReadOnly = Doc{
	ID:    idReadOnly,
	Title: "A write to memory that may only be read",
	Text: `The address is mapped, but not writable: a string constant, a constant table, code, or a file mapped for reading.

Example: char *s = "name"; s[0] = 'N'; in C. Or a runtime function that changes its argument in place and was handed a
constant of the program.`,
	For:            []string{"SIGSEGV with SEGV_ACCERR, the instruction writes, and the mapping has no w", "the address lies in .rodata or .text"},
	Against:        []string{"the page is a stack guard (see stack-overflow)", "the mapping has no permissions at all"},
	FalsePositives: []string{"memory that the program itself protects to notice writes, and handles the signal"},
	Fix:            []string{"copy before changing", "find where a constant is passed to something that writes"},
}
