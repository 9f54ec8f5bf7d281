package heuristics

import (
	"strings"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// What caller and callee do with a result, from the machine code of both sides.

// mismatchedPair reports that the caller takes two result registers of a callee that sets only one.
func mismatchedPair(call *provenance.Call, f *provenance.Callee, r *provenance.Step) bool {
	if !f.Known || f.RetPair || f.NoReturn {
		return false
	}
	if r != nil && secondResult(r.Reg) {
		return true
	}
	return call != nil && call.RetKnown && call.RetPair && f.Returns > 0
}

// secondResult reports whether a location is the second integer result register.
func secondResult(reg string) bool {
	switch strings.ToLower(reg) {
	case "rdx", "edx", "dx", "dl":
		return true
	}
	return false
}

// inside is what the code of the callee shows of a result: one step for each way out that can have given the value. It is
// told for the last call of the chain only.
func (c *Case) inside(r *provenance.Step) []provenance.Step {
	if r == nil || c.Chain == nil || r != &c.Chain.Steps[len(c.Chain.Steps)-1] {
		return nil
	}
	return c.Chain.Returned
}

// insideCall is the call inside the callee whose result it passes on, when that is the only way the value can have come.
func (c *Case) insideCall(r *provenance.Step) *provenance.Step {
	in := c.inside(r)
	if len(in) != 1 || in[0].Kind != provenance.StepReturn {
		return nil
	}
	return &in[0]
}

// insideLoad is the load inside the program's own callee that gave the value; nil when there is none.
func (c *Case) insideLoad(r *provenance.Step) *provenance.Step {
	in := c.inside(r)
	for i := range in {
		if in[i].Kind == provenance.StepLoad && c.isProgram(in[i].Symbol) {
			return &in[i]
		}
	}
	return nil
}

// handedOut is the load inside a method of the standard library that only hands out what the program's object holds; nil
// when there is none.
func (c *Case) handedOut(r *provenance.Step) *provenance.Step {
	in := c.inside(r)
	for i := range in {
		if in[i].Kind == provenance.StepLoad && c.kindOf(in[i].Symbol) == profile.KindStd {
			return &in[i]
		}
	}
	return nil
}

// compiledIn reports whether a function of the standard library was compiled with the program: a method that a header or
// a generic defines.
func (c *Case) compiledIn(symbol string) bool {
	_, main := c.moduleOf(symbol)
	return main && c.kindOf(symbol) == profile.KindStd
}

// cleared reports whether a call wrote zeros as it was told to, so that it gave nobody a NULL: the field was not set after.
func (c *Case) cleared(r *provenance.Step) bool {
	return r.Kind == provenance.StepOut && c.Profile.Classify(r.Callee, "", c.exe(), true).Part == profile.PartFill
}

// maker is who made a bad result, to be blamed: the program's own function that returned it, else the one that took it
// from a library or the runtime.
func (c *Case) maker(r *provenance.Step) string {
	if in := c.inside(r); len(in) > 0 && c.isProgram(in[0].Symbol) {
		return in[0].Symbol
	}
	if c.isProgram(r.Callee) {
		return r.Callee
	}
	return c.blamedSymbol(r.Symbol)
}

// unreadPointer is an earlier call in the frame where the chain ends whose pointer result nobody took; nil when there is
// none. The nearest one before the call that is still running is the likeliest to have been meant.
func (c *Case) unreadPointer() *provenance.Call {
	v := c.facts()
	frame := v.suspect
	if f := v.frameOf(v.origin); f >= 0 {
		frame = f
	}
	limit := ^uint64(0)
	if s := c.activeCall(v.stack, frame); s != nil {
		limit = s.Site
	}
	var found *provenance.Call
	for i := range c.Calls {
		k := &c.Calls[i]
		if k.Frame != frame || k.Site >= limit || !k.RetKnown || k.RetRead != 0 || k.RetPair || !c.returnsPointer(k) {
			continue
		}
		if found == nil || k.Site > found.Site {
			found = k
		}
	}
	return found
}

// returnsPointer reports whether a call gives back something that a program would want: a pointer by the profile's
// word, or a whole register by the machine code.
func (c *Case) returnsPointer(k *provenance.Call) bool {
	if e := c.Profile.Extern(k.Callee); e != nil {
		return e.Ret == "ptr"
	}
	f := c.calleeOf(k, 0, k.Callee)
	return f.Known && f.Returns == 8 && c.Profile != nil
}
