package diagnose

import (
	"meshdiag/crash"
	"meshdiag/report"
)

func (w *walk) buildID() *string {
	if m, ok := w.sym.Main(); ok {
		return opt(m.BuildID)
	}
	return nil
}

// runtime says which runtime the profile recognised and what could be observed of its build; nil without a profile.
func (w *walk) runtime() *report.Runtime {
	if w.prof == nil {
		return nil
	}
	return &report.Runtime{Profile: w.prof.ID, Build: w.runtimeBuild(), ActorStackBytes: w.actorStackBytes()}
}

// runtimeBuild tells a debug build by the line information of the runtime's own functions. Prebuilt standard libraries
// carry theirs in every build, so "has debug information" alone says nothing.
func (w *walk) runtimeBuild() *string {
	for _, name := range w.prof.Recognise {
		s, m, ok := w.sym.Find(name)
		if !ok || m.Problem != "" {
			continue
		}
		build := "release"
		if lines := w.sym.Lines(crash.PC(s.Start)); len(lines) > 0 && lines[0].File != "" {
			build = "debug"
		}
		return &build
	}
	return nil
}

// actorStackBytes is the size that most actor stacks have: a private writable mapping directly above a guard of the size
// the profile names. Sizes that no version of the runtime is known to use are thread stacks.
func (w *walk) actorStackBytes() *uint64 {
	known := map[uint64]int{w.prof.Stacks.Actor: 0}
	for _, s := range w.prof.Stacks.ActorStale {
		known[s] = 0
	}
	for i := 1; i < len(w.crash.Mappings); i++ {
		guard, stack := &w.crash.Mappings[i-1], &w.crash.Mappings[i]
		if guard.Perms&(crash.Read|crash.Write|crash.Exec) != 0 || guard.Size() != w.prof.Stacks.Guard || guard.End != stack.Start ||
			stack.Perms&crash.Write == 0 || stack.Path != "" {
			continue
		}
		if n, ok := known[stack.Size()]; ok {
			known[stack.Size()] = n + 1
		}
	}
	var best *uint64
	for size, n := range known {
		if n > 0 && (best == nil || n > known[*best] || n == known[*best] && size < *best) {
			best = &size
		}
	}
	return best
}
