package heuristics

import (
	"cmp"
	"strings"

	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/symbols"
)

// kindOf is the frame kind of a function that may not be on the stack.
func (c *Case) kindOf(symbol string) profile.FrameKind {
	switch {
	case symbol == "":
		return ""
	case strings.Contains(symbol, "@"):
		return profile.KindLibc // reached through the PLT: code of a library
	}
	for i := range c.facts().stack.frames {
		if c.facts().stack.symbol(i) == symbol {
			return c.facts().stack.infos[i].Kind
		}
	}
	path, main := c.moduleOf(symbol)
	return c.Profile.Classify(symbol, "", path, main).Kind
}

// moduleOf is the file that a function lies in and whether that is the executable. A function whose address is not known
// is taken to be the executable's.
func (c *Case) moduleOf(symbol string) (path string, main bool) {
	if m, ok := c.Crash.MappingAt(c.addressOf(symbol)); ok && m.Path != "" {
		return m.Path, m.Path == c.Crash.Target.ExePath || c.Crash.Target.ExePath == ""
	}
	return c.Crash.Target.ExePath, true
}

// addressOf is an address inside a function that a chain, a call or an analysis of code has named; 0 when none has.
func (c *Case) addressOf(symbol string) uint64 {
	if c.Chain != nil {
		for _, steps := range [][]provenance.Step{c.Chain.Steps, c.Chain.Returned, c.Chain.Alternatives} {
			for i := range steps {
				switch s := &steps[i]; symbol {
				case s.Symbol:
					return s.Addr
				case s.Callee:
					return s.CalleeAddr
				}
			}
		}
	}
	for i := range c.Calls {
		if k := &c.Calls[i]; k.Callee == symbol {
			return cmp.Or(k.CalleeLo, k.Target)
		}
	}
	for lo, f := range c.Callees {
		if f.Symbol == symbol {
			return lo
		}
	}
	return 0
}

// isProgram reports whether the function is the program's own code: the profile's language, or without a profile code of
// no known library.
func (c *Case) isProgram(symbol string) bool {
	k := c.kindOf(symbol)
	return k == profile.KindProgram || k == profile.KindOther && c.Profile == nil
}

// readable is a symbol as people should read it.
func (c *Case) readable(symbol string) string {
	v := c.facts()
	for i := range v.stack.frames {
		if symbol != "" && v.stack.symbol(i) == symbol {
			return v.stack.name(i)
		}
	}
	if symbol == "" {
		return "an unnamed function"
	}
	bare, _, _ := strings.Cut(symbol, "@")
	demangled, _ := symbols.Demangle(bare)
	if r := c.Profile.Classify(bare, demangled, c.Crash.Target.ExePath, true).Readable; r != "" {
		return r
	}
	return bare
}
