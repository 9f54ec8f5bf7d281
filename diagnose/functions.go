package diagnose

import (
	"regexp"

	"meshdiag/symbols"
)

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

// mangled finds names in the Itanium and Rust v0 manglings inside a sentence.
var mangled = regexp.MustCompile(`\b_(Z|R)[A-Za-z0-9_$.]+`)

// readable demangles the names in a sentence.
func readable(text string) string {
	return mangled.ReplaceAllStringFunc(text, func(s string) string {
		name, _ := symbols.Demangle(s)
		return name
	})
}
