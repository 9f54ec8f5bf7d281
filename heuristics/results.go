package heuristics

import (
	"strings"

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
