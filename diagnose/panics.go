package diagnose

import (
	"slices"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/startup"
	"meshdiag/symbols"
)

// panics joins what the target printed of its panics with the stacks that were seen when they began. The printed panics
// and the sightings of one thread come in the same order; a panic that cannot unwind is printed but passes no breakpoint.
func (w *walk) panics() []heuristics.PanicSite {
	var sites []heuristics.PanicSite
	used := make([]bool, len(w.crash.Panics))
	for _, p := range startup.Panics(w.c.Messages) {
		site := heuristics.PanicSite{Message: p.Message, File: p.File, Line: p.Line, Thread: p.Thread, Origin: p.Origin,
			Caught: p.Caught, Consequence: p.Consequence, FromLine: p.LineIndex, Cause: p.Cause, Kind: p.Kind}
		if !p.Consequence {
			if i := sightingOf(w.crash.Panics, used, p.TID); i >= 0 {
				used[i] = true
				site.Frames, site.Infos = w.stackOf(&w.crash.Panics[i])
			}
		}
		sites = append(sites, site)
	}
	for i := range w.crash.Panics {
		if s := &w.crash.Panics[i]; !used[i] && s.Why == "breakpoint" {
			frames, infos := w.stackOf(s)
			sites = append(sites, heuristics.PanicSite{Frames: frames, Infos: infos, Thread: s.Thread.Name, FromLine: -1})
		}
	}
	return sites
}

// sightingOf is the first unused breakpoint sighting of a thread; of any thread when the panic's words name none.
func sightingOf(seen []crash.Sighting, used []bool, tid int) int {
	for i := range seen {
		if !used[i] && seen[i].Why == "breakpoint" && (tid == 0 || seen[i].Thread.TID == tid) {
			return i
		}
	}
	return -1
}

func (w *walk) stackOf(s *crash.Sighting) ([]symbols.Frame, []heuristics.FrameInfo) {
	st := w.sym.Unwind(&s.Thread, crash.Layers{s.Memory, w.crash.Memory}, otherFrames)
	return st.Frames, w.describe(&st)
}

// panicOrigin is the sighting at which the death by panic began, when the stack at the end no longer shows it: the panic
// unwound part of the stack before something refused to let it pass, or unwound all of it before the process exited.
func (w *walk) panicOrigin() *crash.Sighting {
	t := w.crash.FocusThread()
	last := -1
	for i := range w.crash.Panics {
		if w.crash.Panics[i].Why == "breakpoint" {
			last = i
		}
	}
	if last < 0 || t == nil || w.crash.Panics[last].Thread.TID != t.TID {
		return nil
	}
	if o := &w.crash.Outcome; o.End == crash.EndExit && o.ExitCode == rustPanicExit {
		return &w.crash.Panics[last]
	}
	if n := len(w.c.Panics); n > 0 && w.c.Panics[n-1].Consequence {
		return &w.crash.Panics[last]
	}
	return nil
}

// rustPanicExit is the status of a Rust program whose main thread panicked (library/std/src/rt.rs).
const rustPanicExit = 101

// caughtPanic is the sighting that a report is about when the program lived on after a panic and nothing else is wrong.
func (w *walk) caughtPanic() *crash.Sighting {
	if w.found.Kind != crash.Healthy && w.found.Kind != crash.Killed || len(w.found.Causes) == 0 || w.found.Causes[0].Kind != "caught-panic" {
		return nil
	}
	for i := range w.crash.Panics {
		if s := &w.crash.Panics[i]; s.Why == "breakpoint" {
			return s
		}
	}
	return nil
}

// refocus makes the report start from a sighting instead of from the end.
func (w *walk) refocus(s *crash.Sighting) {
	v := *w.crash
	v.Threads = slices.Clone(v.Threads)
	v.Focus = slices.IndexFunc(v.Threads, func(t crash.Thread) bool { return t.TID == s.Thread.TID })
	if v.Focus < 0 { // the thread is gone
		v.Focus = len(v.Threads)
		v.Threads = append(v.Threads, crash.Thread{})
		w.c.Stacks = append(w.c.Stacks, symbols.Stack{})
	}
	end := v.Threads[v.Focus].Signal
	v.Threads[v.Focus] = s.Thread
	v.Threads[v.Focus].Signal = end
	v.Memory = crash.Layers{s.Memory, w.crash.Memory}
	w.crash = &v
	w.c.Crash = &v
	w.c.Changed()
	st := w.sym.Unwind(&v.Threads[v.Focus], v.Memory, focusFrames)
	w.c.Frames = w.describe(&st)
	w.c.Stacks[v.Focus] = st
	w.c.Roles = startup.Roles(w.crash, w.sym, w.c.Stacks, w.prof)
}
