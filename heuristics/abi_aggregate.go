package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// maxTag is the largest tag of a small sum type: Ok/Some 0, Err/None 1.
const maxTag = 1

// aggregateAsPointer: one side hands over {tag, pointer} by value and the other takes the first word for a pointer.
func aggregateAsPointer(c *Case) *Hypothesis {
	v := c.facts()
	b := v.bad
	if !b.known || b.index {
		return nil
	}
	tag := b.value&0xff <= maxTag
	r := v.result
	if r == nil {
		return c.aggregateArgument(tag)
	}
	if r.Kind != provenance.StepReturn {
		return nil
	}
	call := c.callAt(r.Addr)
	f := c.calleeOf(call, r.CalleeAddr, r.Callee)
	symbol, extern := c.blamedSymbol(r.Symbol), c.blamedExtern(r.Callee)
	h := c.abi(kindAggAsPtr, symbol, extern)
	callee := c.readable(r.Callee)
	weight, how := c.returnsTag(r, &f)
	h.fact(weight > 0, "tag-as-pointer", "shape", weight, "the caller used the result of %s as one pointer, and %s %s", callee, callee, how)
	h.fact(weight > 0 && c.tagged(c.Profile.Extern(r.Callee)), "known-as-tagged", "knowledge", wKnownTagged,
		"%s is known to return something that begins with a tag", callee)
	h.fact(f.Known && f.SRet && call != nil && !call.SRet && !c.passesAddress(call), "hidden-result", "shape", wHiddenUnpassed,
		"%s writes its result through a hidden pointer that the call does not pass", callee)
	h.fact(tag, "value-is-tag", "value", wValueIsTag, "the low byte of the value is %d, as of a tag", b.value&0xff)
	h.fact(f.Known && weight == 0 && !f.RetPair && !f.SRet, "one-register", "shape", wOneRegister, "%s returns one register, no pair", callee)
	return c.describeABI(h, fmt.Sprintf("%s takes the pair that %s returns for a pointer", c.readable(symbol), callee),
		fmt.Sprintf("The value that failed (%s) is the tag of a {tag, value} pair.", b.text))
}

// returnsTag reports whether a result is a tag by the callee's code, how surely, and what told: it returns a pair whose first
// word is a constant or less than a word, sets only the low byte on some way out, or sets less than a word.
func (c *Case) returnsTag(r *provenance.Step, f *provenance.Callee) (weight float64, how string) {
	if !f.Known || secondResult(r.Reg) {
		return 0, ""
	}
	for _, in := range c.inside(r) {
		if in.Kind == provenance.StepArith && setsByte(in.Insn) {
			return wTagAsPointer, "sets only the low byte of it (" + in.Insn + ")"
		}
	}
	switch {
	case f.RetPair && (f.Returns > 0 && f.Returns < 8 || f.ReturnsConst):
		return wTagAsPointer, "returns a pair, a tag in al and a value in rdx"
	case f.Returns > 0 && f.Returns < 8:
		return wNarrowTag, fmt.Sprintf("sets only %d bytes of it", f.Returns)
	}
	return 0, ""
}

// passesAddress reports whether a call's first argument can be an address: a function that gives back its first argument
// looks like one with a hidden result pointer.
func (c *Case) passesAddress(call *provenance.Call) bool {
	p := call.Prepared[0]
	if !p.Set {
		return false
	}
	return !p.ValueOK || p.Kind == provenance.ArgStack || p.Kind == provenance.ArgGlobal || c.pointerTo(p.Value)
}

// setsByte reports whether an instruction writes one byte.
func setsByte(insn string) bool {
	_, operands, _ := strings.Cut(insn, " ")
	dst, _, _ := strings.Cut(operands, ",")
	switch dst {
	case "al", "bl", "cl", "dl", "sil", "dil", "bpl":
		return true
	}
	return strings.HasPrefix(dst, "byte ptr")
}

// tagged reports whether the profile's layout of what a function returns begins with a tag of one byte.
func (c *Case) tagged(e *profile.Extern) bool {
	if e == nil {
		return false
	}
	l := c.Profile.Layout(e.Returns)
	return l != nil && len(l.Fields) > 1 && l.Fields[0].Size == 1
}

// aggregateArgument: the two words of a pair were passed where the callee takes one pointer.
func (c *Case) aggregateArgument(tag bool) *Hypothesis {
	v := c.facts()
	s := v.last()
	p, ok := provenance.ArgUse{}, false
	if s != nil {
		p, ok = s.prepared()
	}
	if !ok || !p.Set || s.arg+1 >= len(s.call.Prepared) {
		return c.aggregateInMemory(tag)
	}
	symbol, extern := c.sides(s)
	h := c.abi(kindAggAsPtr, symbol, extern)
	q := s.call.Prepared[s.arg+1]
	callee := c.readable(s.symbol)
	pair := p.Width == 1 && q.Set && (!q.ValueOK || q.Value == 0 || c.pointerTo(q.Value))
	unread := s.callee.Known && !s.callee.Reads[s.arg+1].Read || s.ext != nil && registers(s.ext.Params) <= s.arg+1
	h.fact(pair, "tag-argument", "shape", wTagArgument, "the caller sets only the low byte of %s and a whole word in %s: a {tag, value} pair",
		argument(s.arg), argument(s.arg+1))
	h.fact(pair && unread, "second-unread", "use", wSecondUnread, "%s does not take %s", callee, argument(s.arg+1))
	h.fact(tag && v.bad.value <= maxTag, "value-is-tag", "value", wValueIsTag, "the value is %d, as a tag is", v.bad.value)
	if !pair {
		return nil
	}
	return c.describeABI(h, fmt.Sprintf("%s passes a {tag, value} pair to %s, which takes a pointer", c.readable(symbol), callee),
		fmt.Sprintf("The value that failed (%s) is the tag of the pair.", v.bad.text))
}

// aggregateInMemory: the bad word was loaded from the first byte of a pair that lies in memory.
func (c *Case) aggregateInMemory(tag bool) *Hypothesis {
	v := c.facts()
	l := c.lastLoad()
	if !tag || l == nil || !l.MemOK || c.Reader == nil || !c.isProgram(l.Symbol) {
		return nil
	}
	next, err := c.Reader.ReadUint(l.Mem+8, 8)
	if err != nil || !c.pointerTo(next) {
		return nil
	}
	h := c.abi(kindAggAsPtr, l.Symbol, "")
	h.fact(true, "pair-in-memory", "shape", wPairInMemory, "the word at %s has %d in its low byte and a pointer follows it: a {tag, value} pair", hex(l.Mem), v.bad.value&0xff)
	h.fact(v.bad.value != 0 && v.bad.value <= maxTag, "value-is-tag", "value", wValueIsTag, "the value is %d, as a tag is", v.bad.value)
	return c.describeABI(h, fmt.Sprintf("%s takes the tag of a {tag, value} pair for a pointer", c.readable(l.Symbol)),
		"The pair lies in memory; its first word was used as an address, the pointer is the second.")
}

// lastLoad is the load nearest to the origin; nil without one.
func (c *Case) lastLoad() *provenance.Step {
	if c.Chain == nil {
		return nil
	}
	for i := len(c.Chain.Steps) - 1; i >= 0; i-- {
		if c.Chain.Steps[i].Kind == provenance.StepLoad {
			return &c.Chain.Steps[i]
		}
	}
	return nil
}

// pointerAsAggregate: one side hands over one pointer and the other takes it for a pair in two registers.
func pointerAsAggregate(c *Case) *Hypothesis {
	v := c.facts()
	r := v.result
	if r == nil {
		return c.pointerForPair()
	}
	call := c.callAt(r.Addr)
	f := c.calleeOf(call, r.CalleeAddr, r.Callee)
	e := c.Profile.Extern(r.Callee)
	symbol, extern := c.blamedSymbol(r.Symbol), c.blamedExtern(r.Callee)
	h := c.abi(kindPtrAsAgg, symbol, extern)
	callee := c.readable(r.Callee)
	pair := call != nil && call.RetKnown && call.RetPair || secondResult(r.Reg)
	h.fact(mismatchedPair(call, &f, r), "reads-pair", "shape", wReadsPair,
		"the caller takes the result of %s from two registers, and %s sets only rax: what is in rdx is left over", callee, callee)
	h.fact(pair && !f.Known && e != nil && e.Ret == "ptr", "reads-pair", "shape", wReadsPairProfile,
		"the caller takes the result of %s from two registers; the runtime defines it as one pointer", callee)
	h.fact(secondResult(r.Reg), "second-register", "register", wSecondRegister, "the bad value came back in %s", r.Reg)
	h.fact(e != nil && e.Returns != "" && pair, "points-to-pair", "knowledge", wPointsToPair, "%s returns the address of a %s", callee, layoutOf(e))
	h.fact(passesHidden(call, &f, e), "hidden-result", "shape", wHiddenNotTaken,
		"the call passes a hidden result pointer, and %s takes its own first argument there", callee)
	h.fact(f.Known && f.RetPair, "two-registers", "shape", wTwoRegisters, "%s does return a pair", callee)
	return c.describeABI(h, fmt.Sprintf("%s takes the pointer that %s returns for a pair by value", c.readable(symbol), callee),
		fmt.Sprintf("%s returns one pointer; the caller reads a tag and a second word that were never set (%s).", callee, v.bad.text))
}

// passesHidden reports whether a call passes a hidden result pointer to a runtime function that takes none: it sets one
// argument more than is defined. By the code alone that could as well be an ordinary pointer to a local.
func passesHidden(call *provenance.Call, f *provenance.Callee, e *profile.Extern) bool {
	return call != nil && call.SRet && f.Known && !f.SRet && e != nil && preparedCount(call) == registers(e.Params)+1
}

// pointerForPair: the callee takes a pair in two registers, and the caller passes one pointer; or the call passes a
// hidden result pointer that shifts all arguments.
func (c *Case) pointerForPair() *Hypothesis {
	v := c.facts()
	s := v.last()
	if s == nil || s.call == nil {
		return nil
	}
	symbol, extern := c.sides(s)
	h := c.abi(kindPtrAsAgg, symbol, extern)
	callee := c.readable(s.symbol)
	if i := s.arg - 1; i >= 0 && i < len(s.call.Prepared) && s.callee.Known {
		p := s.call.Prepared[i]
		h.fact(argUnset(s) && s.callee.Reads[i].Read && s.callee.Reads[i].Width == 1 && p.Set && p.Width == 8, "pair-expected", "shape", wPairExpected,
			"%s takes a tag in %s and a value in %s; the caller passes one whole word", callee, argument(i), argument(s.arg))
	}
	h.fact(s.arg >= 0 && passesHidden(s.call, &s.callee, s.ext), "hidden-result", "shape", wHiddenNotTaken,
		"the call passes a hidden result pointer in rdi that %s does not take: every argument stands one register off", callee)
	return c.describeABI(h, fmt.Sprintf("%s passes %s a pointer where it takes a pair by value", c.readable(symbol), callee),
		fmt.Sprintf("The second word of the pair is what was left in %s: %s.", argument(s.arg), v.bad.text))
}

func layoutOf(e *profile.Extern) string {
	if e == nil {
		return ""
	}
	return e.Returns
}
