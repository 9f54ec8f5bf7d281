package heuristics

import (
	"testing"

	"meshdiag/symbols"
)

// Of what the compiler inlined, the program's own line is the one to read.
func TestLineIsTheProgramsOwn(t *testing.T) {
	std := symbols.InlinedCall{File: "/rustc/59807616/library/core/src/option.rs", Line: 971}
	own := symbols.InlinedCall{File: "/srv/app/total.rs", Line: 3}
	outer := symbols.InlinedCall{File: "/srv/app/main.rs", Line: 4}
	for want, calls := range map[string][]symbols.InlinedCall{
		"/srv/app/total.rs:3": {std, own, outer}, "/srv/app/main.rs:4": {outer, std}, std.File + ":971": {std}, "": nil,
	} {
		m := segv(plain(t), "pick", "main")
		m.c.Stacks[0].Frames[0].Inlined = calls
		if got := m.c.line("pick"); got != want {
			t.Errorf("%v: %s", calls, got)
		}
	}
}
