package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/provenance"
)

// truncatedValue: a 64-bit value went through a narrower type on its way.
func truncatedValue(c *Case) *Hypothesis {
	v := c.facts()
	b := v.bad
	symbol, extern := c.chainSides()
	h := c.abi(kindTruncated, symbol, extern)
	h.fact(b.looks == provenance.LooksTruncated, "value-truncated", "value", wValueTruncated, "the value is %s", b.text)
	narrow := false
	if r := v.result; r != nil {
		call := c.callAt(r.Addr)
		f := c.calleeOf(call, r.CalleeAddr, r.Callee)
		taken := 0
		if call != nil && call.RetKnown && !call.RetPair {
			taken = call.RetRead
		}
		narrow = taken > 0 && taken < 8 && f.Known && f.Returns == 8
		h.fact(narrow && (taken == 4 || !f.RetPair), "narrow-result", "hop", wNarrowResult,
			"%s returns 8 bytes, the caller takes %d of them", c.readable(r.Callee), taken)
		e := c.Profile.Extern(r.Callee)
		h.fact(e != nil && e.Declared && classBytes(string(e.DeclRet)) < classBytes(string(e.Ret)), "declared-narrow", "signature", wDeclaredNarrow,
			"the compiler declares the result of %s narrower than the runtime defines it", c.readable(r.Callee))
	}
	if s := v.last(); s != nil {
		p, ok := s.prepared()
		wants, _ := s.wantsPointer()
		h.fact(ok && p.Set && p.Width == 4 && p.Kind != provenance.ArgConst && wants && b.looks == provenance.LooksTruncated, "narrow-argument", "hop", wNarrowArgument,
			"the caller sets only 4 bytes of %s, where %s takes an address", argument(s.arg), c.readable(s.symbol))
	}
	h.fact(!narrow && c.extended() && b.looks == provenance.LooksTruncated, "extended", "hop", wExtended, "on its way it was cut to 32 bits and extended again")
	return c.describeABI(h, fmt.Sprintf("An address was cut to fewer bits on its way through %s", c.readable(symbol)),
		fmt.Sprintf("The value that failed is %s. One side of a call keeps it in a narrower type than the other.", b.text))
}

func classBytes(class string) int {
	switch class {
	case "i1", "i8":
		return 1
	case "i32":
		return 4
	case "i64", "ptr", "double":
		return 8
	}
	return 0
}

// extended reports whether a hop of the chain sign- or zero-extends 32 bits.
func (c *Case) extended() bool {
	if c.Chain == nil {
		return false
	}
	for i := range c.Chain.Steps {
		op, _, _ := strings.Cut(c.Chain.Steps[i].Insn, " ")
		switch op {
		case "movsxd", "cdqe", "movsx":
			return true
		}
	}
	return false
}

// chainSides are the program's function and the runtime function between which the value went wrong: the call whose
// result it was, else the call that it was passed to.
func (c *Case) chainSides() (symbol, extern string) {
	v := c.facts()
	if r := v.result; r != nil {
		return c.blamedSymbol(r.Symbol), c.blamedExtern(r.Callee)
	}
	if s := v.last(); s != nil {
		return c.sides(s)
	}
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	return v.stack.symbol(v.suspect), extern
}

// wrongOffset: the word was read from a good object at an offset that belongs to another field.
func wrongOffset(c *Case) *Hypothesis {
	v := c.facts()
	l := c.lastLoad()
	if l == nil || !l.MemOK || c.Reader == nil {
		return nil
	}
	if v.result != nil && c.nearer(l, v.result) {
		return nil // the value came out of a call before it was loaded: the call is its origin
	}
	h := c.abi(kindOffset, c.blamedSymbol(l.Symbol), c.boundaryOf(l))
	b := v.bad
	below, above := c.neighbour(l.Mem-8), c.neighbour(l.Mem+8)
	pointer := b.known && c.pointerTo(b.value)
	weight := wNeighbourPointer
	if b.class == provenance.ClassNull {
		weight = wNeighbourOfNull
	}
	side := "after"
	if below {
		side = "before"
	}
	h.fact(!pointer && (below || above), "neighbour-pointer", "neighbour", weight,
		"the word read at %s is no address (%s); the word just %s it is one", hex(l.Mem), b.text, side)
	h.fact(b.looks == provenance.LooksText, "reads-text", "value", wReadsText, "what was read is text: the content of a field, not the pointer to it")
	own := c.isProgram(l.Symbol)
	h.fact(own, "own-load", "place", wOwnLoad, "%s reads it itself", c.readable(l.Symbol))
	h.fact(!own, "runtime-load", "place", wRuntimeLoad, "the runtime's own code reads it, and that knows its layout")
	who := c.readable(h.Blame.Symbol)
	return c.describeABI(h, fmt.Sprintf("%s reads the wrong word of an object", who),
		fmt.Sprintf("%s read %s at %s and used it as an address; a pointer lies one word off.", who, b.text, hex(l.Mem)))
}

// nearer reports whether step a is nearer to the fault than step b.
func (c *Case) nearer(a, b *provenance.Step) bool {
	for i := range c.Chain.Steps {
		switch &c.Chain.Steps[i] {
		case a:
			return true
		case b:
			return false
		}
	}
	return false
}

// neighbour reports whether the word at an address is a pointer to data.
func (c *Case) neighbour(addr uint64) bool {
	w, err := c.Reader.ReadUint(addr, 8)
	return err == nil && c.pointerTo(w)
}

// boundaryOf is the runtime function that a load belongs to when the load is not the program's own.
func (c *Case) boundaryOf(l *provenance.Step) string {
	v := c.facts()
	if c.isProgram(l.Symbol) || v.operation < 0 {
		return ""
	}
	return v.stack.symbol(v.operation)
}

// droppedReturn: a call's result was thrown away, and what follows uses whatever stood in its place.
func droppedReturn(c *Case) *Hypothesis {
	v := c.facts()
	if v.result != nil || v.suspect < 0 {
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

// absurdSize is more memory than any machine has: a request for it is a pointer or text read as a length.
const absurdSize = 1 << 40

// abiFromSize: no address was bad, but a failed allocation asked for a size that is text or an address.
func (c *Case) abiFromSize() []*Hypothesis {
	v := c.facts()
	if v.panic == nil {
		return nil
	}
	size := failedAllocation(v.panic.Message)
	if size < absurdSize {
		return nil
	}
	text := printable(size)
	symbol, extern := v.stack.symbol(v.suspect), ""
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	var hs []*Hypothesis
	for _, kind := range []string{kindPtrAsAgg, kindOffset} {
		h := c.abi(kind, symbol, extern)
		h.fact(text != "", "size-is-text", "value", wSizeIsText, "the size %s is the text %q: characters were read as a length", hex(size), text)
		h.fact(text == "" && c.pointerTo(size), "size-is-pointer", "value", wSizeIsPointer, "the size %s is an address: a pointer was read as a length", hex(size))
		hs = append(hs, c.describeABI(h, fmt.Sprintf("%s was given an object of another shape: what it read as a length is none", c.readable(extern)),
			"An allocation of an absurd size failed; the size is content of a value, read at the place of its length."))
	}
	return hs
}

// printable is a word as text when all its bytes up to trailing zeros are printable ASCII and there are at least four.
func printable(w uint64) string {
	var b []byte
	for ; w != 0; w >>= 8 {
		ch := byte(w)
		if ch < 0x20 || ch > 0x7e {
			return ""
		}
		b = append(b, ch)
	}
	if len(b) < 4 {
		return ""
	}
	return string(b)
}
