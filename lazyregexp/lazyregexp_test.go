package lazyregexp

import "testing"

func TestNew(t *testing.T) {
	word := New(`^[a-z]+$`)
	first := word()
	if !first.MatchString("word") || first.MatchString("two words") || word() != first {
		t.Error("it does not match as the expression says, or is compiled twice")
	}
	defer func() {
		if recover() == nil {
			t.Error("a malformed expression was not noticed in a test")
		}
	}()
	New(`(`)
}
