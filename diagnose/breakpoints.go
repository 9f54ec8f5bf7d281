package diagnose

import (
	"slices"

	"meshdiag/profile"
	"meshdiag/symbols"
)

// panicSymbols are functions through which every panic of a language passes before anything is unwound. rust_panic is
// kept by Rust's standard library for this purpose (library/std/src/panicking.rs); newer compilers mangle its name.
var panicSymbols = []string{"rust_panic", "*7___rustc10rust_panic"}

// resolver finds the addresses of functions in an executable, as the tracer asks for them.
type resolver func(path string, names []string) (map[string]uint64, error)

// panicResolver finds the panic functions to watch: the general ones that the tracer names, and those of the profile that
// was asked for, or of the one that the executable's symbols tell. Only the profile in question is ever read, for the
// target waits meanwhile.
func panicResolver(name string) (resolver, error) {
	if name == "" {
		return recognisedPanics, nil
	}
	p, err := profile.Load(name)
	if err != nil {
		return nil, err
	}
	return func(path string, names []string) (map[string]uint64, error) {
		if p != nil {
			names = slices.Concat(names, p.Breakpoints)
		}
		return symbols.FileSymbols(path, names)
	}, nil
}

func recognisedPanics(path string, names []string) (map[string]uint64, error) {
	marks := profileMarks()
	found, err := symbols.FileSymbols(path, slices.Concat(names, marks))
	if err != nil {
		return nil, err
	}
	p := profile.Recognise(func(symbol string) bool { _, ok := found[symbol]; return ok }, nil)
	for _, m := range marks {
		delete(found, m)
	}
	if p == nil {
		return found, nil
	}
	return symbols.FileSymbols(path, slices.Concat(names, p.Breakpoints))
}

// profileMarks are the symbols by which built-in profiles are recognised.
func profileMarks() []string {
	var all []string
	profile.Recognise(func(symbol string) bool {
		all = append(all, symbol)
		return false
	}, nil)
	return all
}
