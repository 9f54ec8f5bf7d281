package provenance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string       { return strconv.Itoa(n) }
func hexText(v uint64) string { return fmt.Sprintf("%#x", v) }

// lastStep is the end of a chain.
func (c *Chain) lastStep() Step {
	if c == nil || len(c.Steps) == 0 {
		return Step{}
	}
	return c.Steps[len(c.Steps)-1]
}

// TestSlice runs every victim in every build and checks where its bad value is traced to.
func TestSlice(t *testing.T) {
	cases := []struct {
		name   string
		origin StepKind
		callee string // of the last step
		symbol string // function of the last step
		except string // builds in which the compiler leaves nothing to trace
	}{
		{"returned", StepReturn, "find", "returned", ""},
		{"constant", StepConst, "", "constant", ""},
		{"heap", StepLoad, "", "second_value", ""},
		{"global", StepLoad, "", "global", ""},
		{"out", StepOut, "lookup", "out", ""},
		{"tail", StepLoad, "", "main", ""},
		{"copy", StepLoad, "", "main", ""},
		{"divide", StepLoad, "", "ratio", ""},
		{"left", StepReturn, "left", "two", ""},
		{"right", StepReturn, "right", "two", ""},
		{"table", StepLoad, "", "table", ""},
		{"error", StepReturn, "open_thing", "error", ""},
		{"string", StepLoad, "", "as_pointer", ""},
		{"byvalue", StepOut, "make_triple", "byvalue", ""},
		{"through", StepConst, "", "through", "clang-O1 clang-O2"}, // clang sees the NULL and keeps no code for it,
		{"handler", StepLoad, "", "on_signal", ""},
	}
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			path := compile(t, b, "testdata/victims.c")
			for _, c := range cases {
				if strings.Contains(c.except, b.name) {
					continue
				}
				watch(t, path, []string{c.name}, func(s *scene) {
					if s.fault == nil {
						t.Errorf("%s: no fault", c.name)
						return
					}
					ch := s.a.Slice(s.fault, s.st)
					got := ch.lastStep()
					if ch == nil || ch.Origin != c.origin || got.Callee != c.callee || got.Symbol != c.symbol {
						t.Errorf("%s: want %s %s in %s, got %s\n%s", c.name, c.origin, c.callee, c.symbol, s.fault.summary(), ch)
					} else if testing.Verbose() {
						t.Logf("%s: %s\n%s", c.name, s.fault.summary(), ch)
					}
				})
			}
		})
	}
}
