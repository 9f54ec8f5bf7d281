package heuristics

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/provenance"
)

// handovers are the calls by which the program may have given the runtime the bad value. NULL and small numbers are passed for
// many things: of NULL only a place counts in which another call gives that function code, of a number only one in which it
// takes an address.
func (c *Case) handovers() (found []Handover) {
	for i := range c.Handed {
		h := &c.Handed[i]
		if h.Arg < 0 {
			continue
		}
		fits := classAt(h.Extern.Params, h.Arg) == "ptr"
		if c.Fault != nil && c.Fault.BranchBad && c.Fault.Class == provenance.ClassNull {
			fits = slices.ContainsFunc(c.Handed, func(x Handover) bool { return x.Extern == h.Extern && x.Code[h.Arg] })
		}
		if fits {
			found = append(found, *h)
		}
	}
	return found
}

// handedFact blames the program's function that gave the runtime the bad value, where the code of one alone shows it. It
// reports whether there is such a one.
func (c *Case) handedFact(h *Hypothesis) (from Handover, ok bool) {
	found := c.handovers()
	if len(found) == 0 {
		return Handover{}, false
	}
	from = found[0]
	var callers []string
	for _, x := range found {
		if name := c.readable(x.Symbol); !slices.Contains(callers, name) {
			callers = append(callers, name)
		}
	}
	value := "it"
	if v := c.facts(); v.bad != nil && v.bad.text != "" {
		value = v.bad.text
	}
	extern := c.readable(from.Extern.Symbol)
	if len(callers) > 1 {
		h.fact(true, "handed-over", "handed", wHanded*tierPossible, "%d functions pass %s to %s: %s", len(callers), value, extern,
			strings.Join(callers[:min(len(callers), 4)], ", "))
		if !slices.ContainsFunc(found, func(x Handover) bool { return x.Extern != from.Extern }) && h.Blame.Extern == "" {
			c.blame(h, h.Blame.Symbol, from.Extern.Symbol)
		}
		return Handover{}, false
	}
	weight, others := wHanded, ""
	if n := c.handedUnknown(&from); n > 0 {
		weight, others = wHanded*tierPossible, fmt.Sprintf("; what %s of it give there is not known", plural(n, "other call"))
	}
	h.fact(true, "handed-over", "handed", weight, "%s passes %s to %s in %s at %s, a function of the part of the runtime that failed on it%s", callers[0], value, extern,
		argument(from.Arg), hex(from.Site), others)
	c.blame(h, from.Symbol, from.Extern.Symbol)
	return from, true
}

// handedUnknown counts the other calls of the same function that give there what is no constant.
func (c *Case) handedUnknown(from *Handover) (n int) {
	for i := range c.Handed {
		if h := &c.Handed[i]; h.Extern == from.Extern && h.Site != from.Site && !h.Known[from.Arg] {
			n++
		}
	}
	return n
}
