package diagnose

import (
	"meshdiag/profile"
	"meshdiag/symbols"
)

// choose loads the profile that was asked for, or recognises one by the symbols that the process has: those of any module,
// for the runtime may be a shared object, and those that the executable needs, for that object may be missing.
func choose(name string, sym *symbols.Symbolizer) (*profile.Profile, error) {
	if name != "" {
		return profile.Load(name)
	}
	var needed map[string]bool
	return profile.Recognise(func(symbol string) bool {
		if _, _, ok := sym.Find(symbol); ok {
			return true
		}
		if needed == nil {
			needed = neededBy(sym)
		}
		return needed[symbol]
	}), nil
}

// neededBy are the names that the executable expects from elsewhere.
func neededBy(sym *symbols.Symbolizer) map[string]bool {
	names := map[string]bool{}
	if main, ok := sym.Main(); ok {
		for _, s := range sym.UndefinedSymbols(main) {
			names[s.Name] = true
		}
	}
	return names
}
