package provenance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"meshdiag/crash"
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
		{"stop", StepReturn, "find", "stop", ""},
		{"holder", StepLoad, "", "second_value", "gcc-O1 gcc-O2 clang-O1 clang-O2"}, // second_value is changed there to take the field
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
					if c.name == "constant" && (s.fault.Class != ClassNull || s.fault.Describe != "NULL plus 0x10") {
						t.Errorf("constant: %s, %s", s.fault.summary(), s.fault.Describe)
					}
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

// TestStackOverflow: endless recursion is seen as such, and no bad value is claimed.
func TestStackOverflow(t *testing.T) {
	for _, b := range []build{builds[0], builds[2], builds[3]} {
		watch(t, compile(t, b, "testdata/victims.c"), []string{"recursion"}, func(s *scene) {
			u := s.a.StackUse(s.st.Thread, s.st, s.fault)
			if s.fault.Class != ClassGuardPage || !u.Overflow || u.Kind != "main" {
				t.Errorf("%s: %s, stack %+v", b.name, s.fault.summary(), u)
			}
			if u.Repeat == nil || len(u.Repeat.Symbols) != 1 || u.Repeat.Symbols[0] != "endless" || u.Repeat.Bytes < 200 {
				t.Errorf("%s: repeat %+v", b.name, u.Repeat)
			}
			if c := s.a.Slice(s.fault, s.st); c != nil {
				t.Errorf("%s: a chain for a stack overflow:\n%s", b.name, c)
			}
		})
	}
}

// TestSmashedStack: a return address that was overwritten is not traced into code that did not run.
func TestSmashedStack(t *testing.T) {
	path := compile(t, builds[0], "testdata/victims.c", "-fno-stack-protector")
	watch(t, path, []string{"smash"}, func(s *scene) {
		f := s.fault
		if !f.BranchBad || !f.BadRet || f.Class != ClassNonCanonical || f.Ascii != "AAAAAAAA" {
			t.Errorf("%s %+v", f.summary(), *f)
		}
		if c := s.a.Slice(f, s.st); c == nil || c.Origin != StepLoad || len(c.Steps) > 2 {
			t.Errorf("chain: %s", c)
		}
	})
}

// TestOverwrittenSince: a variable that changed after it was read is not presented as proof.
func TestOverwrittenSince(t *testing.T) {
	path := compile(t, builds[0], "testdata/victims.c")
	watch(t, path, []string{"stale"}, func(s *scene) {
		c := s.a.Slice(s.fault, s.st)
		if c == nil || c.Tier == Certain || c.lastStep().Symbol != "main" {
			t.Errorf("chain: %s", c)
		}
	})
}

// TestAlias: the store through a pointer is found, because the pointer can be looked up.
func TestAlias(t *testing.T) {
	for _, b := range []build{builds[0], builds[3]} {
		watch(t, compile(t, b, "testdata/victims.c"), []string{"alias"}, func(s *scene) {
			c := s.a.Slice(s.fault, s.st)
			through := false
			for _, st := range c.Steps {
				through = through || st.Symbol == "alias" && st.Kind == StepCopy && strings.HasPrefix(st.Insn, "mov qword ptr [r") && !strings.Contains(st.Insn, "rbp")
			}
			if !through || c.lastStep().Symbol == "alias" {
				t.Errorf("%s: the store through the pointer is missing: %s", b.name, c)
			}
		})
	}
}

// TestCalleeSaved: a value that waits in a callee-saved register while three frames run is found where it was set, though
// only one of them saved it.
func TestCalleeSaved(t *testing.T) {
	for _, b := range []build{builds[1], builds[2], builds[4], builds[5]} {
		watch(t, compile(t, b, "testdata/victims.c"), []string{"saved"}, func(s *scene) {
			k := -1
			for i, f := range s.st.Frames {
				if f.Symbol.Name == "saved" {
					k = i
				}
			}
			if k < 0 {
				t.Fatalf("%s: no frame of saved", b.name)
			}
			v, why := s.a.newTrace(s.st).frame(k)
			if v == nil {
				t.Fatal(why)
			}
			found, seen := false, ""
			for _, r := range []crash.RegNum{crash.RBX, crash.RBP, crash.R12, crash.R13, crash.R14, crash.R15} {
				c := s.a.Trace(k, r, s.st)
				if last := c.lastStep(); last.Symbol == "main" && c.Tier != Possible && last.Callee == "make_node" {
					found = true
				}
				seen += "\n" + c.String()
			}
			if !found {
				t.Errorf("%s: the list's first node is traced to make_node through no register of saved:%s", b.name, seen)
			}
		})
	}
}
