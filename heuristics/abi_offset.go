package heuristics

import (
	"fmt"
	"strconv"
	"strings"

	"meshdiag/provenance"
)

// wrongOffset: the word was read from a good object at an offset that belongs to another field.
func wrongOffset(c *Case) *Hypothesis {
	v := c.facts()
	l := c.lastLoad()
	if in := c.insideLoad(v.result); in != nil {
		return c.offsetInside(in)
	}
	if l == nil || v.bad.index || v.result != nil && l.Frame >= 0 && c.nearer(l, v.result) {
		return nil // no load; or the value came out of a call before it was loaded, and that call is its origin
	}
	b := v.bad
	h := c.abi(kindOffset, c.blamedSymbol(l.Symbol), c.boundaryOf(l))
	c.neighbourFact(h, l)
	c.layoutFact(h)
	half, _ := c.halfLoad()
	h.fact(b.looks == provenance.LooksText && c.Profile != nil && half == nil, "reads-text", "value", wReadsText, "what was read is text: the content of a field, not the pointer to it")
	if !h.supported() {
		return nil
	}
	own := c.isProgram(l.Symbol)
	h.fact(own, "own-load", "place", wOwnLoad, "%s reads it itself", c.readable(l.Symbol))
	h.fact(!own, "runtime-load", "place", wRuntimeLoad, "the runtime's own code reads it, and that knows its layout")
	who := c.readable(h.Blame.Symbol)
	return c.describeABI(h, fmt.Sprintf("%s reads the wrong word of an object", who),
		fmt.Sprintf("%s read %s (%s) and used it as an address; that word of the object is something else.", who, b.text, orPlace(l)))
}

// offsetInside: a function of the program loaded the bad word and returned it. The object is known no more; that the word
// is a number where an address was to be returned is what remains.
func (c *Case) offsetInside(l *provenance.Step) *Hypothesis {
	b := c.facts().bad
	if !b.small() {
		return nil
	}
	h := c.abi(kindOffset, l.Symbol, "")
	h.fact(true, "returned-number", "value", wReturnedOther, "%s returned a number (%s) that it loaded where an address is expected: %s", c.readable(l.Symbol), b.text, l.Insn)
	h.fact(true, "own-load", "place", wOwnLoad, "%s reads it itself", c.readable(l.Symbol))
	return c.describeABI(h, fmt.Sprintf("%s reads the wrong word of an object", c.readable(l.Symbol)),
		fmt.Sprintf("%s loaded %s (%s) and returned it; its caller used it as an address.", c.readable(l.Symbol), b.text, l.Insn))
}

func orPlace(l *provenance.Step) string {
	if l.MemOK {
		return "at " + hex(l.Mem)
	}
	return "from " + l.Reg
}

// reach is how far a word that should have been read is looked for: the header of a message is two words long.
var reach = []int64{-8, 8, -16, 16}

// neighbourFact looks for the pointer that was meant beside the word that was read.
func (c *Case) neighbourFact(h *Hypothesis, l *provenance.Step) {
	b := c.facts().bad
	off, ok := c.pointerBeside(l)
	if !ok {
		return
	}
	weight := wNeighbourPointer
	if b.class == provenance.ClassNull {
		weight = wNeighbourOfNull
	}
	if off < -8 || off > 8 {
		weight *= tierPossible
	}
	h.fact(true, "neighbour-pointer", "neighbour", weight, "the word read at %s is no address (%s); the word at %+d bytes from it is one", hex(l.Mem), b.text, off)
}

// pointerBeside is how far from the word that a load read the nearest word lies that is an address, when the one that was
// read is none.
func (c *Case) pointerBeside(l *provenance.Step) (off int64, ok bool) {
	b := c.facts().bad
	if l == nil || !l.MemOK || c.Reader == nil || b.known && c.pointerTo(b.value) {
		return 0, false
	}
	if c.neighbour(l.Mem) {
		return 0, false // the word that was read is an address itself, and only a part of it was taken
	}
	for _, off := range reach {
		if c.neighbour(l.Mem + uint64(off)) {
			return off, true
		}
	}
	return 0, false
}

// layoutFact compares the offset of the load with the layout of what the call returned that made the object.
func (c *Case) layoutFact(h *Hypothesis) {
	maker := c.baseCall()
	if maker == nil {
		return
	}
	e := c.Profile.Extern(maker.Callee)
	if e == nil {
		return
	}
	layout := c.Profile.Layout(e.Returns)
	_, off, ok := displaced(c.lastLoad().Reg)
	if layout == nil || !ok || len(layout.Fields) == 0 {
		return
	}
	field, last := layout.Field(off), &layout.Fields[len(layout.Fields)-1]
	h.Blame.Extern = maker.Callee
	switch {
	case field == nil && off >= last.Offset+int64(last.Size) && last.Class == "ptr":
		h.fact(true, "outside-layout", "layout", wOutsideLayout, "a %s has nothing at offset %d", layout.Title, off)
	case field != nil && field != last && number(field.Class):
		h.fact(true, "other-field", "layout", wOtherField, "%s returned a %s: at offset %d it has its %s, a number", maker.Callee, layout.Title, off, field.Name)
	case field != nil && field.Class == "ptr" && field.Offset == off:
		h.fact(true, "right-field", "layout", wRightField, "at offset %d a %s has its %s, an address", off, layout.Title, field.Name)
	}
}

// baseCall is the call whose result was the base of the last load; nil when it is not known.
func (c *Case) baseCall() *provenance.Step {
	if c.Chain == nil || c.Chain.Base == nil {
		return nil
	}
	steps := c.Chain.Base.Steps
	for i := range steps {
		switch steps[i].Kind {
		case provenance.StepReturn:
			return &steps[i]
		case provenance.StepCopy:
		default:
			return nil
		}
	}
	return nil
}

// displaced reads a memory operand "[reg+0x10]" with one register: the register and the displacement.
func displaced(operand string) (reg string, off int64, ok bool) {
	_, inside, found := strings.Cut(strings.TrimSuffix(operand, "]"), "[")
	if !found {
		return "", 0, false
	}
	cut := strings.IndexAny(inside, "+-")
	if cut < 0 {
		return inside, 0, inside != ""
	}
	off, err := strconv.ParseInt(strings.TrimPrefix(inside[cut:], "+"), 0, 64)
	return inside[:cut], off, err == nil
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
