package diagnose

import (
	"meshdiag/profile"
	"meshdiag/symbols"
)

// choose loads the profile that was asked for, or recognises one from the executable's symbols.
func choose(name string, sym *symbols.Symbolizer) (*profile.Profile, error) {
	if name != "" {
		return profile.Load(name)
	}
	main, ok := sym.Main()
	if !ok {
		return nil, nil
	}
	return profile.Recognise(func(symbol string) bool {
		_, m, ok := sym.Find(symbol)
		return ok && m == main
	}), nil
}
