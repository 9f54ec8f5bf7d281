package diagnose

import (
	"meshdiag/heuristics"
	"meshdiag/profile"
	"meshdiag/provenance"
)

// refusedReach is how far behind a pointer the field may lie whose address a check refused.
const refusedReach = 64

// refused traces a pointer that a debug build's check refused, from the innermost call that the program's own code made
// to code that is not its own.
func (w *walk) refused(a *provenance.Analyzer) {
	value, ok := heuristics.RefusedPointer(&w.c)
	if !ok || w.c.Fault != nil {
		return
	}
	for i := 1; i < len(w.c.Frames); i++ {
		if w.own(i) {
			w.c.Chain = a.Refused(value, refusedReach, i, w.pointerArguments(i), w.focusStack())
			return
		}
	}
}

// own reports whether frame i is the program's code: the profile's language, or without a profile code of no known library.
func (w *walk) own(i int) bool {
	k := w.c.Frames[i].Kind
	return k == profile.KindProgram || w.prof == nil && k == profile.KindOther
}

// pointerArguments are the arguments of the call in frame i that can carry a pointer: the callee's words (keys, values and
// handles travel as integers), else what the call site sets.
func (w *walk) pointerArguments(i int) []int {
	var args []int
	if x := w.c.Frames[i-1].Extern; x != nil {
		reg := 0
		for _, class := range x.Params {
			if class == "double" {
				continue
			}
			if (class == "ptr" || class == "i64") && reg < 6 {
				args = append(args, reg)
			}
			reg++
		}
		return args
	}
	for _, call := range w.c.Calls {
		if call.Frame != i {
			continue
		}
		for reg, use := range call.Prepared {
			if use.Set {
				args = append(args, reg)
			}
		}
	}
	return args
}
