package diagnose

import (
	"meshdiag/profile"
	"meshdiag/symbols"
)

// choose loads the profile that was asked for, or recognises one by the names that the executable defines or needs: the
// runtime may be a shared object, and that object may be missing.
func choose(name string, sym *symbols.Symbolizer) (*profile.Profile, error) {
	if name != "" {
		return profile.Load(name)
	}
	main, ok := sym.Main()
	if !ok {
		return nil, nil
	}
	mentions := func(part string) bool { return sym.MentionsSymbol(main, part) }
	return profile.Recognise(mentions, mentions), nil
}
