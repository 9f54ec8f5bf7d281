package heuristics

import (
	"fmt"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// arity: the callee takes an argument that the caller never passes, and finds what was left in the register; or the
// caller passes one more or one less at the front, and all others stand one register off.
func arity(c *Case) *Hypothesis {
	v := c.facts()
	s := v.last()
	if s == nil || s.call == nil || v.bad.index || c.callsBack(s) {
		return nil
	}
	symbol, extern := c.sides(s)
	h := c.abi(kindArity, symbol, extern)
	callee := c.readable(s.symbol)
	n, takes, how := preparedCount(s.call), s.takes(), "its code"
	if takes == 0 && s.ext != nil {
		takes, how = registers(s.ext.Params), "the runtime's definition"
	}
	p, known := s.prepared()
	unset := known && !p.Set
	h.fact(unset && s.arg >= n && s.use().Read, "argument-missing", "argument", wArgMissing,
		"%s takes %s, which %s does not set for this call", callee, argument(s.arg), c.readable(symbol))
	h.fact(unset && !s.callee.Known, "argument-unset", "argument", wArgMaybeMissing, "%s is not set for the call of %s", argument(s.arg), callee)
	h.fact(takes > n && takes <= len(argRegs), "takes-more", "argument", wTakesMoreThanSet,
		"the call sets %s, %s takes %d by %s", plural(n, "argument"), callee, takes, how)
	h.fact(n > 0 && unset && s.arg >= n, "last-missing", "position", wTrailing, "the %s before it are set", plural(n, "argument"))
	off := c.shifted(s, n)
	h.fact(off != 0, "shifted", "position", wShifted, "the arguments fit when they are moved by one register: the call %s one",
		map[int]string{1: "lacks", -1: "has", 0: ""}[off])
	more := s.ext != nil && n > registers(s.ext.Params) && lastSetForCall(s.call, n)
	h.fact(more, "more-than-defined", "signature", wMoreThanDefined, "the call sets %s, the runtime defines %d", plural(n, "argument"), registersOf(s.ext))
	h.fact(s.ext != nil && s.ext.Declared && registers(s.ext.DeclParams) != registers(s.ext.Params), "declared-differs", "signature", wDeclaredDiffers,
		"the compiler is known to declare another number of parameters than the runtime defines")
	h.fact(v.origin != nil && v.origin.Kind == provenance.StepUninit, "left-over", "origin", wLeftOver,
		"the value was left over in the register from something else")
	h.fact(s.call.Indirect, "through-pointer", "call", wThroughPointer, "the call goes through a pointer: rather the wrong function was reached")
	h.fact(known && p.Set && takes > 0 && takes <= n && !more, "counts-agree", "argument", wCountsAgree,
		"the call sets all that %s takes", callee)
	title := fmt.Sprintf("%s calls %s with another number of arguments than it takes", c.readable(symbol), callee)
	if expected := max(takes, registersOf(s.ext)); expected != n && expected > 0 {
		title = fmt.Sprintf("%s calls %s with %s, and it takes %d", c.readable(symbol), callee, plural(n, "argument"), expected)
	}
	return c.describeABI(h, title,
		fmt.Sprintf("The value that failed (%s) is what %s found in %s; the caller put other arguments there, or none.", v.bad.text, callee, argument(s.arg)))
}

// takes is how many argument registers the callee reads, 0 when its code does not tell.
func (s *site) takes() int {
	if !s.callee.Known || s.callee.Variadic {
		return 0
	}
	return readCount(&s.callee)
}

func registersOf(e *profile.Extern) int {
	if e == nil {
		return 0
	}
	return registers(e.Params)
}

// shifted compares what the caller set with what the runtime defines: 1 when the arguments fit after one is put in front,
// -1 when they fit after the first is taken away, 0 when neither or when they fit as they are.
func (c *Case) shifted(s *site, n int) int {
	if s.ext == nil || n == registers(s.ext.Params) && c.fits(s, 0) {
		return 0
	}
	defined := registers(s.ext.Params)
	switch {
	case n == defined-1 && !c.fits(s, 0) && c.fits(s, 1):
		return 1
	case n > defined && !c.fits(s, 0) && c.fits(s, -1):
		return -1
	}
	return 0
}

// fits reports whether the prepared arguments, moved by off registers, have the classes that the runtime defines. What is
// not known fits.
func (c *Case) fits(s *site, off int) bool {
	for i, p := range s.call.Prepared {
		j := i + off
		if !p.Set || j < 0 {
			continue
		}
		k := classAt(s.ext.Params, j)
		address := p.Kind == provenance.ArgStack || p.Kind == provenance.ArgGlobal || p.ValueOK && c.pointerTo(p.Value)
		plainNumber := p.ValueOK && p.Value < nearNullLimit
		if k == "ptr" && plainNumber || number(k) && address {
			return false
		}
	}
	return true
}

// lastSetForCall reports whether the last prepared register was set for this call rather than happening to be written:
// a constant or an address has no other purpose there.
func lastSetForCall(call *provenance.Call, n int) bool {
	if n == 0 || n > len(call.Prepared) {
		return false
	}
	p := &call.Prepared[n-1]
	return p.Kind != provenance.ArgUnknown && !p.Used && !p.Stale
}

// callsBack reports whether a call is one by which the runtime calls the program through a pointer.
func (c *Case) callsBack(s *site) bool {
	return s.call != nil && s.call.Indirect && c.facts().stack.kind(s.from) == profile.KindRuntime && c.isProgram(s.symbol)
}

// callbackConvention: the runtime calls a function of the program through a pointer with other arguments than the
// function takes: with or without an environment, before or behind the other arguments.
func callbackConvention(c *Case) *Hypothesis {
	v := c.facts()
	s := v.callback(c)
	if s == nil {
		return nil
	}
	runtime := c.readable(v.stack.symbol(s.from))
	fn := c.readable(s.symbol)
	n := preparedCount(s.call)
	missing := s.takes() > n
	h := c.abi(kindCallback, c.registrar(s, missing), v.stack.symbol(s.from))
	h.fact(true, "called-back", "call", wCalledBack, "%s calls %s through a function pointer", runtime, fn)
	p, known := s.prepared()
	h.fact(known && !p.Set && s.use().Read, "argument-missing", "argument", wArgMissing,
		"%s takes %s, which %s does not pass", fn, argument(s.arg), runtime)
	h.fact(missing, "takes-more", "argument", wTakesMoreThanSet, "%s takes %s, %s passes %d", fn, plural(s.takes(), "argument"), runtime, n)
	h.fact(c.environmentAsObject(s), "environment", "object", wEnvironment,
		"the object that %s works on is the environment that was given to %s beside the function", fn, runtime)
	h.fact(known && p.Set && s.use().Deref, "other-meaning", "argument", wOtherMeaning,
		"%s uses %s as an address; %s passes %s there", fn, argument(s.arg), runtime, v.bad.text)
	h.fact(known && p.Set && !s.use().Deref && !missing, "other-object", "argument", wOtherObject,
		"what failed came to %s in %s", fn, argument(s.arg))
	h.fact(s.callee.Known && s.callee.SRet, "hidden-result", "result", wHiddenResult,
		"%s expects the address of its result as the first argument", fn)
	return c.describeABI(h, fmt.Sprintf("%s calls %s back with other arguments than it takes", runtime, fn),
		fmt.Sprintf("%s was reached through a function pointer from %s, and what it took for its arguments ended at %s.", fn, runtime, v.bad.text))
}

// registrar is who to blame for a bad callback: where an argument is missing, the program's function that handed the
// pointer to the runtime (it left the environment out); where all are passed, the function itself, which takes them
// otherwise.
func (c *Case) registrar(s *site, missing bool) string {
	v := c.facts()
	if above := v.stack.programFrom(s.from + 1); missing && above >= 0 && c.isProgram(v.stack.symbol(above)) {
		return v.stack.symbol(above)
	}
	return s.symbol
}

// callback is the crossing at which the runtime called the program through a pointer: the one that the bad value came
// over, else the one that started the suspect. nil when there is none.
func (v *view) callback(c *Case) *site {
	for i := range v.sites {
		if s := &v.sites[i]; c.callsBack(s) {
			return s
		}
	}
	for i := v.suspect; i >= 0 && i+1 < len(v.stack.frames); i++ {
		if s := c.siteAt(v.stack, i+1, i, -1); c.callsBack(&s) {
			return &s
		}
		if v.stack.kind(i+1) != profile.KindProgram {
			return nil
		}
	}
	return nil
}

// environmentAsObject reports whether the suspect handed on, as an object, the very value that the program gave the
// runtime beside the function pointer: the environment took the place of another argument.
func (c *Case) environmentAsObject(s *site) bool {
	v := c.facts()
	inner := c.activeCall(v.stack, s.to)
	outer := c.activeCall(v.stack, v.stack.programFrom(s.from+1)) // who gave the function to the runtime
	if inner == nil || outer == nil || s.to == 0 {
		return false
	}
	given := inner.Prepared[0]
	if !given.Set || !given.ValueOK || given.Kind != provenance.ArgParam {
		return false
	}
	env, function := false, false
	for _, p := range outer.Prepared {
		env = env || p.Set && p.ValueOK && p.Value == given.Value
		function = function || p.Set && p.ValueOK && p.Value == s.callee.Lo && s.callee.Lo != 0
	}
	return env && function
}
