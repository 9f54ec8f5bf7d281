package diagnose

import "meshdiag/symbols"

// function is a symbol as people read it: the profile's words for it, or the demangled name; nil when that is the symbol.
func (w *walk) function(symbol string) *string {
	name, _ := symbols.Demangle(symbol)
	if k := w.prof.Classify(symbol, name, w.end.Target.Path, true); k.Readable != "" {
		name = k.Readable
	}
	if name == symbol {
		return nil
	}
	return opt(name)
}
