package diagnose

import (
	"strings"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/profile"
	"meshdiag/provenance"
)

// maxHanded bounds the calls that are looked at for one that handed the bad value over.
const maxHanded = 512

// handed looks for the calls by which the program gave the runtime a bad value that the runtime kept and used later: a
// callback, a status. The stack does not show them any more. What the program's code passes to functions of the same part
// of the runtime is looked through for that very constant.
func (w *walk) handed(a *provenance.Analyzer) {
	value, ok := w.keptValue()
	m, found := w.sym.Main()
	if !ok || !found {
		return
	}
	externs := map[uint64]*profile.Extern{}
	targets := map[uint64]bool{}
	all, _ := w.prof.Externs()
	for _, e := range all {
		if part := modulePath(e.File); part == "" || !w.inRuntimePart(part) {
			continue
		}
		if s, ok := w.sym.FindIn(m, e.Symbol); ok {
			externs[s.Start], targets[s.Start] = e, true
		}
	}
	if len(targets) == 0 {
		return
	}
	for i := range w.crash.Mappings {
		r := &w.crash.Mappings[i]
		if r.Path != w.crash.Target.ExePath || r.Path == "" || r.PermsOK && r.Perms&crash.Exec == 0 {
			continue
		}
		for _, site := range a.CallersOf(targets, r.Range, maxHanded) {
			w.handedAt(a, site, value, externs)
		}
	}
}

// handedAt keeps a call when the program's own code makes it.
func (w *walk) handedAt(a *provenance.Analyzer, site, value uint64, externs map[uint64]*profile.Extern) {
	sym, m, ok := w.sym.Lookup(crash.PC(site))
	if !ok || w.prof.Classify(sym.Name, "", m.Path, m.Main).Kind != profile.KindProgram {
		return
	}
	call := a.CallAt(site, -1)
	e := externs[call.CalleeLo]
	if e == nil {
		return
	}
	h := heuristics.Handover{Symbol: sym.Name, Extern: e, Site: site, Arg: -1}
	var places []int
	for k, p := range call.Prepared {
		h.Known[k] = p.Set && p.ValueOK
		h.Code[k] = h.Known[k] && w.isCode(p.Value)
		if h.Known[k] && !p.Stale && p.Value == value && k < len(e.Params) {
			places = append(places, k)
		}
	}
	if len(places) == 0 {
		w.c.Handed = append(w.c.Handed, h)
	}
	for _, h.Arg = range places {
		w.c.Handed = append(w.c.Handed, h)
	}
}

func (w *walk) isCode(addr uint64) bool {
	m, ok := w.crash.MappingAt(addr)
	return ok && m.PermsOK && m.Perms&crash.Exec != 0
}

// keptValue is a bad value that the runtime's own code read from memory, while no code of the program was running.
func (w *walk) keptValue() (value uint64, ok bool) {
	f, c := w.c.Fault, w.c.Chain
	if w.prof == nil || f == nil || f.BadRet {
		return 0, false
	}
	// Of a call through a pointer it is enough that the runtime made it: a debug build hides the load behind calls.
	if loaded := c != nil && len(c.Steps) > 1 && c.Origin == provenance.StepLoad; !loaded && !f.BranchBad {
		return 0, false
	}
	if own := w.ownFrame(0); own >= 0 && own < w.contextFrame() {
		return 0, false
	}
	if f.BranchBad {
		return f.Address, f.AddressOK
	}
	return f.Value, f.ValueOK && f.Value != 0
}

// contextFrame is the innermost frame that says in which job the thread ran; the last frame when there is none.
func (w *walk) contextFrame() int {
	for i := range w.c.Frames {
		if r := w.c.Frames[i].Rule; r != nil && r.Role != "" {
			return i
		}
	}
	return len(w.c.Frames)
}

// modulePath is the path of the Rust module that a source file holds: "http/router.rs" is http::router, "db/mod.rs" is db.
func modulePath(file string) string {
	name, ok := strings.CutSuffix(file, ".rs")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(name, "/mod"), "/", "::")
}

// inRuntimePart reports whether a module of the runtime is on the stack of the thread.
func (w *walk) inRuntimePart(part string) bool {
	st := w.focusStack()
	for i := range st.Frames {
		if w.c.Frames[i].Kind == profile.KindRuntime && strings.Contains(st.Frames[i].Demangled, "::"+part+"::") {
			return true
		}
	}
	return false
}
