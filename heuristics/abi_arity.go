package heuristics

import (
	"fmt"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// arity: the callee takes an argument that the caller never passes, and finds what was left in the register; or the
// caller passes one more, and all that follow stand one register off.
func arity(c *Case) *Hypothesis {
	v := c.facts()
	s := v.last()
	if s == nil || s.call == nil || c.callsBack(s) {
		return nil
	}
	symbol, extern := c.sides(s)
	h := c.abi(kindArity, symbol, extern)
	callee := c.readable(s.symbol)
	n := preparedCount(s.call)
	p, known := s.prepared()
	unset := known && !p.Set
	trailing := s.arg >= n
	h.fact(unset && s.use().Read, "argument-missing", "argument", wArgMissing,
		"%s takes %s, which %s does not set for this call", callee, argument(s.arg), c.readable(symbol))
	h.fact(unset && !s.callee.Known && s.arg >= 0, "argument-unset", "argument", wArgMaybeMissing,
		"%s is not set for the call of %s", argument(s.arg), callee)
	h.fact(unset && n > 0 && trailing, "last-missing", "position", wTrailing, "the %s before it are set", plural(n, "argument"))
	h.fact(unset && n == 0 && s.arg == 0, "nothing-set", "position", wNothingSet, "the call sets no argument at all")
	c.aritySignature(h, s, n)
	h.fact(v.origin != nil && v.origin.Kind == provenance.StepUninit, "left-over", "origin", wLeftOver,
		"the value was left over in the register from something else")
	h.fact(s.call.Indirect, "through-pointer", "call", wThroughPointer, "the call goes through a pointer: rather the wrong function was reached")
	h.fact(known && p.Set && s.callee.Known && readCount(&s.callee) <= n, "argument-set", "argument", wArgSet,
		"the caller sets %s for this call", argument(s.arg))
	return c.describeABI(h, fmt.Sprintf("%s calls %s with another number of arguments than it takes", c.readable(symbol), callee),
		fmt.Sprintf("The value that failed (%s) is what %s found in %s; the caller had put no such argument there.", v.bad.text, callee, argument(s.arg)))
}

// aritySignature compares the number of prepared arguments with the profile's two views.
func (c *Case) aritySignature(h *Hypothesis, s *site, n int) {
	if s.ext == nil {
		return
	}
	defined := registers(s.ext.Params)
	h.fact(defined > n && defined <= len(argRegs), "fewer-than-defined", "signature", wFewerThanDefined,
		"the runtime defines %s, the call sets %d", plural(defined, "parameter"), n)
	h.fact(n > defined && lastSetForCall(s.call, n), "more-than-defined", "signature", wMoreThanDefined,
		"the call sets %s, the runtime defines %d: those after the extra one stand one off", plural(n, "argument"), defined)
	h.fact(s.ext.Declared && registers(s.ext.DeclParams) != defined, "declared-differs", "signature", wDeclaredDiffers,
		"the compiler declares %s, the runtime defines %s", list(s.ext.DeclParams, ""), list(s.ext.Params, ""))
	h.fact(n == defined, "counts-agree", "count", wCountsAgree, "the call sets as many arguments as the runtime defines (%d)", n)
}

// lastSetForCall reports whether the last prepared register was set for this call rather than happening to be written:
// a constant or an address has no other purpose there.
func lastSetForCall(call *provenance.Call, n int) bool {
	if n == 0 || n > len(call.Prepared) {
		return false
	}
	switch call.Prepared[n-1].Kind {
	case provenance.ArgUnknown:
		return false
	}
	return true
}

// callsBack reports whether a call is one by which the runtime calls the program through a pointer.
func (c *Case) callsBack(s *site) bool {
	return s.call != nil && s.call.Indirect && c.facts().stack.kind(s.from) == profile.KindRuntime && c.isProgram(s.symbol)
}

// callbackConvention: the runtime calls a function of the program through a pointer with other arguments than the
// function takes: with or without an environment, by value or by address.
func callbackConvention(c *Case) *Hypothesis {
	v := c.facts()
	s := v.callback(c)
	if s == nil {
		return nil
	}
	fn, runtime := c.readable(s.symbol), c.readable(v.stack.symbol(s.from))
	h := c.abi(kindCallback, s.symbol, v.stack.symbol(s.from))
	h.fact(true, "called-back", "call", wCalledBack, "%s calls %s through a function pointer", runtime, fn)
	n := preparedCount(s.call)
	p, known := s.prepared()
	h.fact(known && !p.Set && s.use().Read, "argument-missing", "argument", wArgMissing,
		"%s takes %s, which %s does not pass", fn, argument(s.arg), runtime)
	h.fact(s.callee.Known && readCount(&s.callee) > n, "takes-more", "argument", wTakesMore,
		"%s takes %s, %s passes %d", fn, plural(readCount(&s.callee), "argument"), runtime, n)
	h.fact(known && p.Set && s.use().Deref, "other-meaning", "argument", wOtherMeaning,
		"%s uses %s as an address; %s passes %s there", fn, argument(s.arg), runtime, v.bad.text)
	h.fact(s.callee.Known && s.callee.SRet, "hidden-result", "result", wHiddenResult,
		"%s expects the address of its result as the first argument", fn)
	return c.describeABI(h, fmt.Sprintf("%s calls %s back with other arguments than it takes", runtime, fn),
		fmt.Sprintf("%s was reached through a function pointer from %s and found %s in %s.", fn, runtime, v.bad.text, argument(s.arg)))
}

// callback is the crossing at which the runtime called the program through a pointer; nil when there is none.
func (v *view) callback(c *Case) *site {
	for i := range v.sites {
		if s := &v.sites[i]; c.callsBack(s) {
			return s
		}
	}
	return nil
}
