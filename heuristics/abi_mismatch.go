package heuristics

import (
	"fmt"

	"meshdiag/profile"
	"meshdiag/provenance"
)

var abiMismatch = Heuristic{Doc: docABI, Run: runABI}

// runABI asks, for each way in which two sides of a call can disagree, what the machine code of both sides and the bad
// value say about it.
func runABI(c *Case) Finding {
	v := c.facts()
	if v.bad == nil || c.Stack.Overflow || v.bad.class == provenance.ClassGuardPage || c.Fault != nil && c.Fault.BranchBad {
		return finding(c.abiFromWords()...)
	}
	kinds := []func(*Case) *Hypothesis{arity, argumentType, intAsPointer, pointerAsAggregate, aggregateAsPointer,
		truncatedValue, wrongOffset, droppedReturn, callbackConvention}
	var hs []*Hypothesis
	for _, k := range kinds {
		h := k(c)
		if h != nil && c.kindOf(h.Blame.Extern) == profile.KindStd {
			h.fact(true, "one-declaration", "signature", wOneDeclaration, "%s belongs to the standard library, which caller and callee know from one declaration",
				c.readable(h.Blame.Extern))
		}
		hs = append(hs, h)
	}
	return finding(hs...)
}

// abi starts a hypothesis with what all kinds share: whose two sides disagree. extern is the runtime function, and symbol
// the code on the other side.
func (c *Case) abi(kind, symbol, extern string) *Hypothesis {
	h := hypothesis(idABI, kind)
	c.blame(h, symbol, extern)
	return h
}

// describeABI completes a hypothesis once its facts are in.
func (c *Case) describeABI(h *Hypothesis, title, summary string) *Hypothesis {
	h.Title, h.Summary = title, summary
	other := h.Blame.Extern
	if other == "" {
		other = c.facts().stack.symbol(c.facts().operation)
	}
	if e := c.Profile.Extern(other); e != nil {
		h.next(signatures(e))
	}
	h.next(c.disassemble(h.Blame.Symbol))
	if other != "" && other != h.Blame.Symbol {
		h.next(c.disassemble(other))
	}
	h.next("check that the runtime that was linked is the one the compiler was built for")
	return h
}

// signatures is a step that puts both views of a runtime function beside each other.
func signatures(e *profile.Extern) string {
	text := "compare the declaration of " + e.Symbol + " in the compiler"
	if e.Declared {
		text += fmt.Sprintf(" (known: %s)", list(e.DeclParams, e.DeclRet))
	}
	text += " with its definition"
	if e.Rust != "" {
		text += " " + e.Rust
	}
	if e.File != "" {
		text += " in " + e.File
		if e.Line > 0 {
			text += fmt.Sprintf(":%d", e.Line)
		}
	}
	return text
}

func list(params []profile.Class, ret profile.Class) string {
	text := "("
	for i, p := range params {
		if i > 0 {
			text += ", "
		}
		text += string(p)
	}
	text += ")"
	if ret != "" {
		text += " -> " + string(ret)
	}
	return text
}

// sides are the caller's and callee's raw symbols of a call for blame: the program's own code first, the runtime's
// function as the extern. Between two functions of the program the caller is blamed.
func (c *Case) sides(s *site) (symbol, extern string) {
	v := c.facts()
	from, to := v.stack.symbol(s.from), s.symbol
	if v.stack.kind(s.from) == profile.KindRuntime && c.isProgram(to) {
		return to, from // the runtime called back into the program
	}
	if !c.isProgram(from) && v.suspect >= 0 {
		from = v.suspectSymbol()
		if v.suspect > 0 {
			to = v.stack.symbol(v.suspect - 1)
		}
	}
	return from, c.blamedExtern(to)
}

// wantsPointer reports whether the callee of a call uses the bad argument as an address, and what told.
func (s *site) wantsPointer() (bool, string) {
	switch {
	case s.use().Deref:
		return true, "its code uses it as an address"
	case s.defined() == "ptr":
		return true, "the runtime defines it as a pointer"
	}
	return false, ""
}

// pointerTo reports whether a value points into memory that a program keeps data in.
func (c *Case) pointerTo(value uint64) bool {
	if c.Reader == nil || value < nearNullLimit {
		return false
	}
	switch c.Reader.Classify(value).Kind {
	case provenance.LooksHeap, provenance.LooksData, provenance.LooksRodata, provenance.LooksStack, provenance.LooksFile:
		return true
	}
	return false
}

// small reports whether a bad value is a small number that is not NULL.
func (b *badValue) small() bool {
	return b.known && !b.index && b.value != 0 && (b.looks == provenance.LooksSmallInt || b.looks == provenance.LooksNegInt || b.value < nearNullLimit)
}

var docABI = Doc{
	ID:    idABI,
	Title: "Two sides of a call disagree about what passes between them",
	Kinds: map[string]string{
		kindArity:      "the caller passes another number of arguments than the callee takes",
		kindType:       "an argument has another type on one side: swapped, a float for an integer, an object of another shape",
		kindIntPointer: "a number (integer, flag, tag, process id) is used as an address",
		kindPtrAsAgg:   "one pointer is taken for a pair in two registers",
		kindAggAsPtr:   "a {tag, value} pair is taken for one pointer",
		kindTruncated:  "an address or number lost its upper bits in a narrower type",
		kindOffset:     "a field is read a word away from where it is",
		kindDropped:    "a result is thrown away, and something else is used in its place",
		kindCallback:   "the runtime calls back with other arguments than the function takes",
	},
	Text: `Compiled code and its runtime, or two parts of compiled code, were built with different ideas of a function: how many
arguments it takes, of which class, how it returns its result, where a field lies. No linker checks this. The program
runs until the first value that one side wrote is used by the other as something else.

It looks like a pointer bug and is none: the address that fails is a small number, a tag, text, half a pointer, or what
an earlier call left in a register. Typical is a fault in the first load of a runtime function, on a value that its
caller never meant as an address.

Example: the compiler declares f(ptr), the runtime defines f(ptr, i64). The caller sets rdi only; f reads rsi and finds
the length of some string that was handled before.`,
	For: []string{
		"the bad value's class: small number, tag, text, low half of a mapped address",
		"registers that the callee reads and the caller does not set for the call, from the machine code of both",
		"how the caller reads a result (al, eax, rax, rdx) against what the callee sets",
		"both views of the signature in the profile: what the compiler declares, what the runtime defines",
		"the words beside the one that was read: a pointer one word off means a wrong offset",
	},
	Against: []string{
		"all arguments that the callee reads are set for the call (against arity)",
		"the value is the result of a call that is known to return NULL (see null-value)",
		"the stack has run out or the program counter itself is bad",
	},
	FalsePositives: []string{
		"a function that really takes a number and converts it to an address (memory-mapped hardware, tagged integers)",
		"optimised code may pass an argument on without setting its register again; such a register counts as set",
		"an empty pointer field beside a full one looks like a wrong offset; it counts little",
	},
	Fix: []string{
		"compare the declaration in the compiler with the definition in the runtime, argument by argument, then the result",
		"rebuild compiler, runtime and program together: a stale archive is the same mistake made by the build",
		"let a test compare both lists of signatures",
	},
}
