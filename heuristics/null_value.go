package heuristics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/symbols"
)

var nullValue = Heuristic{Doc: docNull, Run: runNull}

func runNull(c *Case) Finding {
	v := c.facts()
	b := v.bad
	if b != nil && b.class == provenance.ClassNearNull && c.operandLost() && !c.Fault.BranchBad {
		return finding(c.lowAddress())
	}
	if b == nil || b.class != provenance.ClassNull {
		f := finding(c.fieldOfNull())
		if b != nil && b.class == provenance.ClassNonCanonical && v.signal != nil && v.signal.Code == crash.SIKernel {
			f = f.ruledOut(idNull, "the kernel reports address 0 only because it cannot tell a non-canonical address; the operand is %s", b.text)
		}
		return f
	}
	if c.Fault != nil && c.Fault.BranchBad {
		return Finding{} // a call through NULL is a question of dispatch or linking
	}
	h := hypothesis(idNull, c.nullKind())
	h.fact(true, "value-null", "value", wValueNull, "the address that failed is %s", b.text)
	c.nullOrigin(h)
	if s := v.last(); s != nil && v.result == nil {
		p, ok := s.prepared()
		h.fact(ok && !p.Set && s.use().Read, "argument-unset", "origin", wArgUnset,
			"%s was never set for the call of %s: it is what was left in the register", argument(s.arg), c.readable(s.symbol))
	}
	lost := c.callersMissing()
	h.fact(lost != "", "callers-missing", "check", wCallersMissing, "%s got it from its caller, and its callers could not be read", lost)
	h.fact(c.Chain != nil && c.Chain.Unchecked && lost == "", "unchecked", "check", wUnchecked, "no test of the value was found between its origin and its use")
	h.fact(c.unreadPointer() != nil && v.result == nil, "result-dropped", "dropped", wNullButDropped,
		"a result that should have gone there was dropped")
	c.describeNull(h)
	return finding(h)
}

// fieldOfNull: the bad value is as small as the offset of a field, and came ready made from somewhere else. A pointer to
// a field of an object at NULL looks like that. A language with a profile does not compute with pointers.
func (c *Case) fieldOfNull() *Hypothesis {
	b, o := c.facts().bad, c.facts().origin
	if b == nil || b.class != provenance.ClassNearNull || c.Profile != nil || !b.known || b.index || o == nil || o.Kind == provenance.StepConst ||
		b.value < wordSize || b.value >= maxFieldOffset || b.value%wordSize != 0 {
		return nil
	}
	h := hypothesis(idNull, kindOther)
	h.fact(true, "field-of-null", "value", wFieldOfNull, "the value (%s) is what the address of a field is in an object at NULL", hex(b.value))
	c.blameOrigin(h)
	who := c.readable(h.Blame.Symbol)
	h.Title = fmt.Sprintf("%s used what looks like a field of an object at NULL: %s", c.facts().suspectName(), hex(b.value))
	h.Summary = fmt.Sprintf("The address was %s, which is too small for one, and fits a field %s bytes behind NULL. %s", hex(b.value), hex(b.value), c.originSentence())
	h.next(fmt.Sprintf("look in %s for a pointer that may be NULL and whose field at offset %s is handed on", who, hex(b.value)), c.disassemble(h.Blame.Symbol))
	return h
}

const (
	wordSize       = 8       // bytes
	maxFieldOffset = 4 << 10 // objects whose fields lie further in are rare
)

// operandLost reports whether it is not known which registers made up the address that failed.
func (c *Case) operandLost() bool {
	return c.Fault != nil && c.Fault.Operand == "" && c.Fault.Register == ""
}

// lowAddress is NULL as far as it can be told by the address alone.
func (c *Case) lowAddress() *Hypothesis {
	h := hypothesis(idNull, kindOther)
	h.fact(true, "low-address", "value", wLowAddress, "the address (%s) is one that a field of NULL has", hex(c.Fault.Address))
	c.blameSuspect(h)
	h.Title = "NULL used as an address, to judge by the address alone"
	why := "The instruction that failed could not be read"
	if c.Fault.Insn != "" {
		why = "The instruction at the program counter does not access it"
	}
	h.Summary = fmt.Sprintf("The address %s is as low as the fields of NULL. %s: whether a register held NULL cannot be told.", hex(c.Fault.Address), why)
	h.next(c.needed()...)
	return h
}

// callersMissing names the function that got the value from a caller that the dump does not hold; "" when there is none.
func (c *Case) callersMissing() string {
	v := c.facts()
	t := c.Crash.Focus
	if v.origin == nil || v.origin.Kind != provenance.StepArg || t < 0 || t >= len(c.Stacks) || c.Crash.Target.Source != crash.SourceCore {
		return ""
	}
	st := &c.Stacks[t]
	if st.Truncated == "" || v.origin.Frame != len(st.Frames)-1 {
		return ""
	}
	return c.readable(v.origin.Symbol)
}

// giver is the call that gave the NULL: the one in the chain, or the one that the callee only passes on.
func (c *Case) giver() *provenance.Step {
	r := c.facts().result
	if r == nil || c.cleared(r) {
		return nil
	}
	if in := c.insideCall(r); in != nil && c.isProgram(r.Callee) {
		return in
	}
	return r
}

// ways lists the places that a value may have come from, when the dump allows more than one.
func (c *Case) ways() string {
	var ways []string
	for _, s := range append([]provenance.Step{*c.facts().origin}, c.Chain.Alternatives...) {
		if w := c.way(&s); !slices.Contains(ways, w) {
			ways = append(ways, w)
		}
	}
	return strings.Join(ways, ", or ")
}

// way names one place that a value may have come from, without saying that it did.
func (c *Case) way(s *provenance.Step) string {
	in := " in " + c.readable(s.Symbol)
	switch s.Kind {
	case provenance.StepReturn, provenance.StepOut:
		return "the call of " + c.readable(s.Callee) + in
	case provenance.StepConst:
		return "a constant" + in
	case provenance.StepLoad:
		return "memory at " + where(s) + " read" + in
	}
	return "something" + in + " that could not be followed"
}

// nullKind follows from who returned the NULL.
func (c *Case) nullKind() string {
	r := c.giver()
	if r == nil {
		return kindOther
	}
	if e := c.Profile.Extern(r.Callee); e != nil && e.NullKind != "" {
		return e.NullKind
	}
	if r.Callee == "" || c.isProgram(r.Callee) || c.compiledIn(r.Callee) || c.handedOut(r) != nil {
		return kindOther
	}
	return kindExternNull
}

func (c *Case) nullOrigin(h *Hypothesis) {
	v := c.facts()
	if r := c.giver(); r != nil {
		c.returnedNull(h, r)
		return
	}
	switch o := v.origin; {
	case o == nil:
	case len(c.Chain.Alternatives) > 0:
		h.fact(true, "ways-split", "origin", wWaysSplit, "the value may have come from several places: %s", c.ways())
	case c.cleared(o):
		h.fact(true, "null-cleared", "origin", tiered(o.Tier, wNullLoaded), "%s cleared the memory with %s, and nothing that was found set it after that",
			c.readable(o.Symbol), c.readable(o.Callee))
	case o.Kind == provenance.StepLoad:
		h.fact(true, "null-loaded", "origin", wNullLoaded, "it was loaded from memory at %s, which holds 0", where(o))
	case o.Kind == provenance.StepConst:
		weight := wNullConst
		if v.stack.kind(v.suspect) == profile.KindProgram {
			weight = wNullConstTyped
		}
		h.fact(true, "null-constant", "origin", weight, "%s puts the constant 0 there", c.readable(o.Symbol))
	}
}

// returnedNull weighs a NULL that a call returned: what the profile says of the call, what its code shows, and whether
// the two sides agree that it returns one pointer at all.
func (c *Case) returnedNull(h *Hypothesis, r *provenance.Step) {
	callee := c.readable(r.Callee)
	ext := c.Profile.Extern(r.Callee)
	call := c.callAt(r.Addr)
	f := c.calleeOf(call, r.CalleeAddr, r.Callee)
	weight := tiered(r.Tier, wReturnedNull)
	if l := cmp.Or(c.insideLoad(r), c.handedOut(r)); l != nil {
		weight = wNullLoaded
		h.fact(true, "null-loaded", "origin", weight, "%s loaded it from memory (%s) and returned it", c.readable(l.Symbol), l.Insn)
	} else {
		verb := "returned it to"
		if r.Kind == provenance.StepOut {
			verb = "wrote it through a pointer that it was given by"
		}
		h.fact(true, "returned-null", "origin", weight, "%s %s %s at %s", callee, verb, c.readable(r.Symbol), hex(r.Addr))
	}
	h.fact(ext != nil && ext.ReturnsNull != "", "may-return-null", "knowledge", wMayReturnNull, "what is known of %s: %s", callee, reasonOf(ext))
	h.fact(ext != nil && ext.ReturnsNull == "" && number(ext.Ret), "returns-number", "knowledge", wReturnsNumber,
		"%s returns a number, and 0 is one", callee)
	h.fact(f.Known && !f.Partial && f.Returns == 0 && !f.SRet, "sets-no-result", "knowledge", wSetsNoResult,
		"the code of %s sets no result on some path: what the caller took was left over in the register", callee)
	tag, how := c.returnsTag(r, &f)
	h.fact(tag > 0, "returns-tag", "shape", wPairNotPointer, "%s returns no address: it %s", callee, how)
	h.fact(mismatchedPair(call, &f, r), "reads-pair", "shape", wPairNotPointer,
		"the caller takes a second result register that %s does not set", callee)
}

func reasonOf(e *profile.Extern) string {
	if e == nil {
		return ""
	}
	return e.ReturnsNull
}

func where(s *provenance.Step) string {
	if s.MemOK {
		return hex(s.Mem)
	}
	return "an address that is not known"
}

// tiered weakens a weight by how sure the hop is that the fact rests on.
func tiered(t provenance.Tier, w float64) float64 {
	switch t {
	case provenance.Certain:
		return w
	case provenance.Likely:
		return w * tierLikely
	}
	return w * tierPossible
}

func (c *Case) describeNull(h *Hypothesis) {
	v := c.facts()
	user := v.stack.name(max(0, v.operation))
	who := v.suspectName()
	offset := ""
	if c.Fault != nil && c.Fault.Offset != 0 {
		offset = fmt.Sprintf(" at offset %d", c.Fault.Offset)
	}
	if r := c.giver(); r != nil {
		callee := c.readable(r.Callee)
		c.blame(h, c.blamedSymbol(r.Symbol), c.blamedExtern(r.Callee))
		h.Title = fmt.Sprintf("%s returned NULL to %s, which used it without a check", callee, c.readable(r.Symbol))
		if r.Kind == provenance.StepOut {
			h.Title = fmt.Sprintf("%s wrote NULL into a variable of %s, which used it without a check", callee, c.readable(r.Symbol))
		}
		h.Summary = fmt.Sprintf("NULL from %s reached %s and was used as an address%s.", callee, user, offset)
		if e := c.Profile.Extern(r.Callee); e != nil && e.ReturnsNull != "" {
			h.Summary += fmt.Sprintf(" Of %s is known: %s.", callee, reasonOf(e))
		}
		h.next(fmt.Sprintf("in %s handle the case that %s returns nothing", c.readable(h.Blame.Symbol), callee))
		h.next(c.disassemble(h.Blame.Symbol))
		return
	}
	c.blameOrigin(h)
	h.Title = fmt.Sprintf("NULL used as an address in %s", who)
	if v.operation >= 0 && v.suspect >= 0 {
		h.Title = fmt.Sprintf("%s passed NULL to %s", who, user)
	}
	h.Summary = fmt.Sprintf("The address was NULL%s. %s", offset, c.originSentence())
	h.next(c.followBack(h.Blame.Symbol)...)
}

// blamedSymbol is the function that should have refused a value: the one given when it is the program's own code, else
// the program's frame to read first.
func (c *Case) blamedSymbol(symbol string) string {
	v := c.facts()
	if c.isProgram(symbol) || v.suspect < 0 {
		return symbol
	}
	return v.suspectSymbol()
}

// blamedExtern is the runtime function at the boundary: the one given, unless that is the program's own.
func (c *Case) blamedExtern(symbol string) string {
	if symbol == "" || c.isProgram(symbol) {
		return ""
	}
	return symbol
}

// blameOrigin blames the function where the chain ends when that is the program's, else the suspect.
func (c *Case) blameOrigin(h *Hypothesis) {
	v := c.facts()
	// A load whose address is not known any more says where the value passed through, not where it went wrong.
	o := v.origin
	if o == nil || !c.isProgram(o.Symbol) || o.Kind == provenance.StepLoad && !o.MemOK {
		c.blameSuspect(h)
		return
	}
	extern := ""
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	c.blame(h, v.origin.Symbol, extern)
}

// originSentence says where the bad value came from, or that it is not known.
func (c *Case) originSentence() string {
	o := c.facts().origin
	switch {
	case o == nil:
		return "Where it came from is not known."
	case len(c.Chain.Alternatives) > 0:
		return "Where it came from is not decided: " + c.ways() + "."
	case o.Kind == provenance.StepUnknown && c.Chain.Stop != "":
		return "Its way back ends in " + c.readable(o.Symbol) + ": " + c.Chain.Stop + "."
	case o.Text != "":
		return "Its way back ends here: " + symbols.DemangleIn(o.Text) + "."
	}
	return "It came from " + c.readable(o.Symbol) + "."
}

var docNull = Doc{
	ID:    idNull,
	Title: "NULL was used as an address",
	Kinds: map[string]string{
		kindMissingKey: "a lookup found nothing and said so with 0",
		kindNoReply:    "a call to a service or actor got no reply",
		kindExternNull: "a library or runtime function returned NULL",
		kindOther:      "NULL from a field, a constant, or a source that is not known",
	},
	Text: `A value that may be "nothing" was used without the question whether it is. The faulting address is 0 or a small offset: the
offset of the field that was wanted. What matters is not the load that failed but where the NULL came from, so the
value is followed back through this function and its callers.

"NULL" means that the base register of the access is 0. A small address with no register at 0 is a number used as an
address (see abi-mismatch); address 0 with si_code SI_KERNEL is no NULL at all but a non-canonical address.

Example: map_get(m, "port") returned 0, string_length reads [rdi+0] with rdi = 0; blamed is the function that called
map_get and did not look.`,
	For: []string{
		"the base of the faulting address is 0; or, where the instruction is not known, the address is as low as a field of NULL",
		"the chain back ends in the result of a named call, better one that the profile knows to return 0",
		"no test of the value between there and its use",
	},
	Against: []string{
		"the value came from a caller that a damaged core does not tell",
		"the call sets no result at all: what was taken was left over (see abi-mismatch)",
		"the argument was never set for the call (see abi-mismatch, arity)",
		"a result that belongs there was dropped (see abi-mismatch, dropped-return)",
	},
	FalsePositives: []string{"a large index from a NULL base can reach mapped memory or land far away: it is told as NULL all the same, and that is right"},
	Fix: []string{
		"handle the empty case where the value is obtained",
		"let the function return a type that forces the question",
	},
}
