package lazyregexp

import "testing"

func TestNew(t *testing.T) {
	word := New(`^[a-z]+$`)
	if !word().MatchString("word") || word().MatchString("two words") || word() != word() {
		t.Error("it does not match as the expression says, or is compiled twice")
	}
	defer func() {
		if recover() == nil {
			t.Error("a malformed expression was not noticed in a test")
		}
	}()
	New(`(`)
}
