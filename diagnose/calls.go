package diagnose

import (
	"slices"

	"meshdiag/heuristics"
	"meshdiag/provenance"
	"meshdiag/symbols"
)

// callersAbove is how many callers of the program's innermost function are analysed.
const callersAbove = 4

// callbackReach is how many frames of the runtime may lie between a callback and who asked for it; a debug build has many.
const callbackReach = 24

// earlierCalls is how many calls before the one that failed are looked at for a dropped result.
const earlierCalls = 6

// calls collects the call sites that causes may ask about: those that have not returned, those whose results the chain
// passed through, and those that the program's function made before; and for each what its callee's code says.
func (w *walk) calls(a *provenance.Analyzer) {
	st := w.focusStack()
	own := w.ownFrame(0)
	w.c.Calls = a.Calls(st, w.callers(own))
	w.c.Callees = map[uint64]provenance.Callee{}
	for chain := w.c.Chain; chain != nil; chain = chain.Base {
		for _, s := range slices.Concat(chain.Steps, chain.Returned) {
			if s.CalleeAddr != 0 && s.Addr != 0 {
				w.addCall(callOf(a, st, s))
				w.addCallee(a, s.CalleeAddr)
			}
		}
	}
	for i := own; i >= 0 && i <= own+1 && i < len(w.c.Frames) && w.own(i) && w.prof != nil; i++ {
		for _, call := range a.Earlier(st, i, earlierCalls) { // only a profile tells what these calls should have been
			w.addCall(call)
		}
	}
	for _, call := range w.c.Calls {
		w.addCallee(a, call.Target)
	}
}

// callOf describes the call of a step: in its frame, or in a function that has returned.
func callOf(a *provenance.Analyzer, st *symbols.Stack, s provenance.Step) provenance.Call {
	if s.Frame >= 0 {
		return a.CallIn(st, s.Addr, s.Frame)
	}
	return a.CallAt(s.Addr, s.Frame)
}

// callers is how many callers are analysed. A panic stands many frames of the standard library above the program's own
// code. Where the runtime called that code back, the function that gave it the pointer is the next one of its kind; where
// the program's frame is missing, it was below the nearest function of the runtime.
func (w *walk) callers(own int) int {
	n := own
	if own < 0 {
		n = slices.IndexFunc(w.c.Frames, func(f heuristics.FrameInfo) bool { return f.Extern != nil })
	} else if next := w.ownFrame(own + 1); next > own+1 && next-own <= callbackReach && w.prof != nil {
		n = next
	}
	return max(callersSliced, n+callersAbove)
}

// ownFrame is the first frame of the program's own code from a frame on outwards, -1 when there is none.
func (w *walk) ownFrame(from int) int {
	for i := from; i < len(w.c.Frames); i++ {
		if w.own(i) {
			return i
		}
	}
	return -1
}

// addCall keeps a call once.
func (w *walk) addCall(c provenance.Call) {
	if c.Insn != "" && !slices.ContainsFunc(w.c.Calls, func(k provenance.Call) bool { return k.Site == c.Site && k.Frame == c.Frame }) {
		w.c.Calls = append(w.c.Calls, c)
	}
}

func (w *walk) addCallee(a *provenance.Analyzer, entry uint64) {
	if _, ok := w.c.Callees[entry]; !ok && entry != 0 {
		w.c.Callees[entry] = a.Callee(entry)
	}
}
