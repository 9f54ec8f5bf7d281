package diagnose

import (
	"strings"

	"meshdiag/crash"
	"meshdiag/report"
	"meshdiag/symbols"
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

// runtimeBuild tells a debug build of a Rust runtime by the checks that only such a build refers to: the linker takes the
// functions behind them out of the prebuilt core library only when some code calls them.
func (w *walk) runtimeBuild() *string {
	main, ok := w.sym.Main()
	if !ok || main.Problem != "" {
		return nil
	}
	build, any := "release", false
	w.sym.EachSymbol(main, func(s symbols.Symbol) bool {
		any = true
		if strings.Contains(s.Name, "panic_null_pointer_dereference") || strings.Contains(s.Name, "panic_misaligned_pointer_dereference") {
			build = "debug"
			return false
		}
		return true
	})
	if !any {
		return nil
	}
	return &build
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
