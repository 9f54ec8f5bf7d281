package heuristics

import (
	"fmt"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// argumentType: both sides agree on the number of arguments and not on what one of them is.
func argumentType(c *Case) *Hypothesis {
	v := c.facts()
	s := v.entry()
	if s == nil {
		s = v.last()
	}
	if s == nil || c.callsBack(s) {
		return nil
	}
	symbol, extern := c.sides(s)
	h := c.abi(kindType, symbol, extern)
	callee := c.readable(s.symbol)
	def, decl := s.defined(), s.declared()
	h.fact(def != "" && decl != "" && def != decl, "declared-differs", "signature", wTypeDeclared,
		"the compiler declares %s of %s as %s, the runtime defines it as %s", argument(s.arg), callee, decl, def)
	if j, sure := c.swappedWith(s); j >= 0 {
		weight := wSwapped
		if !sure {
			weight = wSwapped * tierPossible
		}
		h.fact(true, "value-number", "value", wValueNumber, "the value is %s", v.bad.text)
		h.fact(true, "swapped", "argument", weight, "%s is an address that %s uses as a number, and %s is a number that it uses as an address: they look swapped",
			argument(j), callee, argument(s.arg))
	}
	h.fact(s.call != nil && s.callee.Known && s.call.FloatArgs > s.callee.FloatReads && argUnset(s), "float-for-integer", "argument", wFloatForInteger,
		"the caller passes a floating-point argument in xmm0, %s takes %s", callee, argument(s.arg))
	h.fact(s.use().Deref && number(def), "runtime-differs", "signature", wRuntimeDiffers,
		"the runtime that was linked uses %s of %s as an address; the one that is known takes a number there", argument(s.arg), callee)
	h.fact(v.bad.index && s.ext != nil, "walked-off", "shape", wWalkedOff,
		"%s walked over an end of memory: what it took for the length of its argument is none", callee)
	h.fact(c.shapeMismatch(s), "other-shape", "shape", wOtherShape,
		"the pointer in %s is good, but %s found %s inside the object where an address or a length belongs", argument(s.arg), callee, v.bad.text)
	return c.describeABI(h, fmt.Sprintf("%s passes %s something of another type in %s", c.readable(symbol), callee, argument(s.arg)),
		fmt.Sprintf("%s used what it was given as something else and ended at %s.", callee, v.bad.text))
}

func argUnset(s *site) bool {
	p, ok := s.prepared()
	return ok && !p.Set
}

// swappedWith is another argument that is an address where the callee wants a number, when the bad one is a number where
// it wants an address; -1 when there is none. It is sure when the callee's own code treats the address as a number; a
// definition may only mean "any word" by that class.
func (c *Case) swappedWith(s *site) (other int, sure bool) {
	v := c.facts()
	p, ok := s.prepared()
	if wants, _ := s.wantsPointer(); !ok || !p.Set || !v.bad.small() || !wants {
		return -1, false
	}
	other = -1
	for j, q := range s.call.Prepared {
		address := q.Kind == provenance.ArgStack || q.Kind == provenance.ArgGlobal || q.ValueOK && c.pointerTo(q.Value)
		if j == s.arg || !q.Set || q.Stale || !address {
			continue
		}
		use := provenance.ParamUse{}
		if s.callee.Known {
			use = s.callee.Reads[j]
		}
		if use.Read && !use.Deref && !use.Forwarded && !use.Leaks {
			return j, true
		}
		if !use.Deref && s.ext != nil && number(classAt(s.ext.Params, j)) {
			other = j
		}
	}
	return other, false
}

// shapeMismatch reports that the callee followed a good pointer into an object and found a bad word there.
func (c *Case) shapeMismatch(s *site) bool {
	v := c.facts()
	if v.stack.within(v.end(), profile.PartCollector, profile.PartAllocator) >= 0 {
		return false // they walk objects that no argument leads to
	}
	if c.Chain == nil || v.bad == nil || !v.bad.known || v.bad.class == provenance.ClassNull || s.from != v.suspect {
		return false
	}
	if v.bad.looks != provenance.LooksText && v.bad.looks != provenance.LooksSmallInt {
		return false
	}
	for i := range c.Chain.Steps {
		st := &c.Chain.Steps[i]
		if st.Kind == provenance.StepLoad && st.Frame >= 0 && st.Frame < v.suspect {
			return true
		}
	}
	return false
}

// intAsPointer: a number (an integer, a flag, a tag, a process id) stands where the callee expects an address.
func intAsPointer(c *Case) *Hypothesis {
	v := c.facts()
	b := v.bad
	zero := b.known && b.value == 0 && !b.index
	if !b.small() && !zero {
		return nil
	}
	s := v.entry()
	if s == nil {
		s = v.last()
	}
	symbol, extern := v.suspectSymbol(), ""
	if s != nil {
		symbol, extern = c.sides(s)
	}
	if r := v.result; r != nil && c.isProgram(r.Symbol) {
		symbol = c.maker(r) // it made the number, or took it and handed it on as an address
	}
	h := c.abi(kindIntPointer, symbol, extern)
	weight := wValueNumber
	if c.Profile != nil {
		weight = wValueNumberTyped // compiled code of a language without pointer arithmetic
	}
	h.fact(!zero, "value-number", "value", weight, "the value is %s", b.text)
	h.fact(v.stack.within(v.end(), profile.PartCollector) >= 0, "in-collector", "place", wCollectorFollows,
		"the collector follows what lies in objects; no call passed it the number")
	h.fact(c.failedCall() != "", "failed-call", "knowledge", wErrorAsNumber, "-1 is how %s says that it failed", c.failedCall())
	h.fact(zero && v.result != nil, "value-zero", "value", wZeroNumber, "the value is 0, which is a number too")
	c.numberOrigin(h, zero)
	l := c.lastLoad()
	_, beside := c.pointerBeside(l)
	h.fact(!zero && beside && c.isProgram(l.Symbol), "beside-pointer", "neighbour", wBesidePointer,
		"an address stands beside the word that was read: rather the wrong word than a wrong type")
	h.fact(!zero && v.result == nil && l != nil && !c.isProgram(l.Symbol), "stored-number", "origin", wStoredNumber,
		"%s read it from memory: a number was stored where it keeps an address", c.readable(symbolOf(l)))
	if s != nil {
		wants, how := s.wantsPointer()
		h.fact(wants && !zero, "pointer-expected", "signature", wPointerExpected, "%s expects an address in %s: %s", c.readable(s.symbol), argument(s.arg), how)
		h.fact(!zero && c.preparedOnly(s), "passed-number", "argument", wPassedNumber, "%s passes that very number in %s", c.readable(symbol), argument(s.arg))
		d := s.declared()
		h.fact(s.defined() == "ptr" && (d == "i64" || d == "i32" || d == "i8"), "declared-number", "signature", wDeclaredNumber,
			"the compiler declares %s of %s as %s, the runtime defines it as ptr", argument(s.arg), c.readable(s.symbol), d)
		h.fact(c.otherCount(s), "other-count", "count", wOtherCount, "the call does not set as many arguments as the callee takes")
		j, _ := c.swappedWith(s)
		h.fact(j >= 0, "swapped", "argument", wSwappedRather, "the number stands where an address belongs, and an address where the number belongs")
		h.fact(argUnset(s), "argument-unset", "argument", wArgUnset, "the caller does not set %s: the number is left over", argument(s.arg))
	}
	from, handed := Handover{}, false
	if !zero && v.result == nil && !c.isProgram(h.Blame.Symbol) {
		from, handed = c.handedFact(h)
	}
	who := v.suspectName()
	if h.Blame.Symbol != "" {
		who = c.readable(h.Blame.Symbol)
	}
	title := fmt.Sprintf("%s used the number %d as an address", who, int64(b.value))
	if handed {
		title = fmt.Sprintf("%s passed the number %d to %s, where the runtime takes an address", who, int64(b.value), c.readable(from.Extern.Symbol))
	} else if s != nil {
		title = fmt.Sprintf("%s passed the number %d to %s, which takes an address", who, int64(b.value), c.readable(s.symbol))
	}
	return c.describeABI(h, title, "A value that is a number to one side of the call is an address to the other. "+c.originSentence())
}

// preparedOnly reports whether a call is known to hand over the bad value by what it sets alone: the chain was lost behind
// it, as in functions that take any number of arguments.
func (c *Case) preparedOnly(s *site) bool {
	p, ok := s.prepared()
	if !ok || !p.Set || !p.ValueOK || p.Stale || p.Value != c.facts().bad.value || c.facts().bad.value <= maxTag {
		return false
	}
	if c.Chain == nil {
		return true
	}
	for i := range c.Chain.Steps {
		if st := &c.Chain.Steps[i]; st.Kind == provenance.StepArg && st.Frame+1 >= s.from {
			return false
		}
	}
	return true
}

// otherCount reports whether caller and callee disagree on the number of arguments.
func (c *Case) otherCount(s *site) bool {
	if s.call == nil {
		return false
	}
	n := preparedCount(s.call)
	return s.takes() > n || s.ext != nil && registers(s.ext.Params) > n || c.shifted(s, n) != 0
}

func symbolOf(s *provenance.Step) string {
	if s == nil {
		return ""
	}
	return s.Symbol
}

// numberOrigin weighs where a number came from: a constant, a call that returns numbers, a narrow result.
func (c *Case) numberOrigin(h *Hypothesis, zero bool) {
	v := c.facts()
	if o := v.origin; o != nil && o.Kind == provenance.StepConst && !zero {
		h.fact(true, "constant", "origin", tiered(o.Tier, wNumberConst), "%s puts the constant there", c.readable(o.Symbol))
	}
	if s := v.last(); s != nil && v.origin == nil {
		p, ok := s.prepared()
		h.fact(ok && p.Set && p.Kind == provenance.ArgConst && !zero, "constant", "origin", wNumberConst,
			"%s puts the constant %d there", c.readable(v.stack.symbol(s.from)), int64(p.Value))
	}
	r := v.result
	if r == nil {
		return
	}
	e := c.Profile.Extern(r.Callee)
	f := c.calleeOf(c.callAt(r.Addr), r.CalleeAddr, r.Callee)
	if in := c.insideCall(r); in != nil && e == nil {
		e = c.Profile.Extern(in.Callee)
	}
	switch {
	case !zero && c.insideLoad(r) != nil:
		h.fact(true, "loaded-number", "origin", wLoadedNumber, "%s loaded it from memory and returned it as an address", c.readable(c.insideLoad(r).Symbol))
	case e != nil && number(e.Ret) && e.NullKind == "":
		h.fact(true, "returned-number", "origin", tiered(r.Tier, wReturnedNumber), "it is the result of %s, which returns a number (%s)", c.readable(r.Callee), e.Ret)
	case !zero && f.Known && f.Returns > 0 && f.Returns < 8 && !f.RetPair:
		h.fact(true, "narrow-result", "origin", tiered(r.Tier, wNarrowNumber), "it is the result of %s, which sets only %d bytes of it", c.readable(r.Callee), f.Returns)
	case !zero && e != nil && e.NullKind != "":
		h.fact(true, "returned-number", "origin", tiered(r.Tier, wReturnedWord), "%s returned it", c.readable(r.Callee))
	}
	tag, how := c.returnsTag(r, &f)
	h.fact(tag >= wTagAsPointer, "returns-tag", "shape", wPairNotPointer, "the number is a tag: %s %s", c.readable(r.Callee), how)
}
