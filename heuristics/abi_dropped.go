package heuristics

import (
	"fmt"

	"meshdiag/provenance"
)

// droppedReturn: a call's result was thrown away, and what follows uses whatever stood in its place.
func droppedReturn(c *Case) *Hypothesis {
	v := c.facts()
	if v.result != nil || v.suspect < 0 || v.bad.index {
		return nil
	}
	dropped := c.unreadPointer()
	frame := v.suspect
	if f := v.frameOf(v.origin); f >= 0 {
		frame = f
	}
	symbol := c.blamedSymbol(v.stack.symbol(frame))
	extern := ""
	if dropped != nil {
		extern = c.blamedExtern(dropped.Callee)
	} else if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	h := c.abi(kindDropped, symbol, extern)
	who := c.readable(symbol)
	if dropped != nil {
		h.fact(true, "result-unread", "dropped", wResultUnread, "%s calls %s at %s and never takes its result", who, c.readable(dropped.Callee), hex(dropped.Site))
	}
	if o := v.origin; o != nil {
		placeholder := o.Kind == provenance.StepConst && v.bad.known && v.bad.value == 0
		h.fact(o.Kind == provenance.StepUninit, "never-set", "origin", wNeverSet, "%s uses a value that it never sets", who)
		h.fact(placeholder, "placeholder", "origin", wPlaceholder, "%s puts the constant 0 where a value belongs", who)
		h.fact(o.Kind != provenance.StepUninit && !placeholder, "has-origin", "origin", wHasOrigin, "the value has an origin: %s", o.Text)
	}
	if s := v.last(); s != nil {
		h.fact(argUnset(s) && s.arg >= 0 && s.arg < preparedFrom(s, s.arg+1), "hole", "argument", wHole,
			"%s is not set for the call, while later arguments are", argument(s.arg))
		h.fact(argUnset(s) && s.ext != nil && registers(s.ext.Params) == 1, "only-argument", "argument", wOnlyArgument,
			"the only argument of %s is not set", c.readable(s.symbol))
		wants, _ := s.wantsPointer()
		h.fact(wants && v.bad.class == provenance.ClassNull && c.Profile != nil, "no-null-here", "signature", wNoNullHere,
			"%s takes an address in %s, and the caller's language writes no NULL by itself", c.readable(s.symbol), argument(s.arg))
	}
	callee := "a call"
	if dropped != nil {
		callee = c.readable(dropped.Callee)
	}
	return c.describeABI(h, fmt.Sprintf("%s drops the result of %s and uses something else in its place", who, callee),
		fmt.Sprintf("The value that failed (%s) is what stood where the result belongs.", v.bad.text))
}

// preparedFrom is one more than the last argument register from i on that the caller sets; 0 when none is.
func preparedFrom(s *site, i int) int {
	n := 0
	for ; s.call != nil && i < len(s.call.Prepared); i++ {
		if s.call.Prepared[i].Set {
			n = i + 1
		}
	}
	return n
}
