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
	if b.index {
		return nil
	}
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
		h.fact(ok && p.Set && p.Width == 4 && p.Kind != provenance.ArgConst && b.looks == provenance.LooksTruncated, "narrow-argument", "hop", wNarrowArgument,
			"the caller sets only 4 bytes of %s of %s", argument(s.arg), c.readable(s.symbol))
	}
	if l, whole := c.halfLoad(); l != nil {
		narrow = true
		h.Blame = Blame{}
		c.blame(h, c.blamedSymbol(l.Symbol), extern)
		symbol = h.Blame.Symbol
		h.fact(true, "half-load", "hop", wHalfLoad, "%s took %s; the whole word there is %s, a good address", c.readable(l.Symbol), hex(b.value), hex(whole))
	}
	if n := c.narrowed(); n != nil {
		h.Blame = Blame{}
		c.blame(h, n.Symbol, extern)
		symbol = n.Symbol
		h.fact(!narrow, "narrow-copy", "hop", wNarrowCopy, "%s keeps it in 32 bits: %s", c.readable(n.Symbol), n.Insn)
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

// halfLoad is the load that took only a part of a word which is a good address, with that word; nil when there is none.
func (c *Case) halfLoad() (l *provenance.Step, whole uint64) {
	b := c.facts().bad
	l = c.lastLoad()
	if l == nil || !l.MemOK || c.Reader == nil || !b.known || b.value == 0 {
		return nil, 0
	}
	word, err := c.Reader.ReadUint(l.Mem, 8)
	if err != nil || word == b.value || word&0xffffffff != b.value || !c.pointerTo(word) {
		return nil, 0
	}
	return l, word
}

// narrowRegs are the 32-bit names of the general registers.
const narrowRegs = " eax ebx ecx edx esi edi ebp r8d r9d r10d r11d r12d r13d r14d r15d "

// narrowed is the first hop, seen from the fault, at which the program's own code keeps the value in 32 bits: a copy, or
// the load inside a function that returned it. nil when there is none.
func (c *Case) narrowed() *provenance.Step {
	if half, _ := c.halfLoad(); c.Chain == nil || c.facts().bad.looks != provenance.LooksTruncated && half == nil {
		return nil
	}
	steps := c.Chain.Steps
	for i := range steps {
		if s := &steps[i]; s.Reg != "" && strings.Contains(narrowRegs, " "+s.Reg+" ") && c.isProgram(s.Symbol) {
			return s
		}
	}
	for i := range c.Chain.Returned {
		s := &c.Chain.Returned[i]
		_, dst, _ := strings.Cut(s.Insn, " ")
		dst, _, _ = strings.Cut(dst, ",")
		if c.isProgram(s.Symbol) && (strings.Contains(narrowRegs, " "+dst+" ") || strings.Contains(s.Insn, "dword ptr")) {
			return s
		}
	}
	return nil
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
	return v.suspectSymbol(), extern
}
