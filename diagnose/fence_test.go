package diagnose

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"meshdiag/crash"
)

// shipped is what users get. Everywhere else in the tests a mistake ends the test.
var shipped = mistake

func init() {
	mistake = func(_ *walk, step string, p any) { panic(fmt.Sprintf("%s: %v\n%s", step, p, debug.Stack())) }
}

func TestAMistakeCostsItsStepOnly(t *testing.T) {
	defer func(was func(*walk, string, any)) { mistake = was }(mistake)
	mistake = shipped
	w := walk{end: &crash.Crash{}}
	w.fenced("the weighing of causes", func() { _ = []int{}[len(w.end.Warnings)] })
	w.fenced("nothing", func() {})
	if len(w.end.Warnings) != 1 || !strings.Contains(w.end.Warnings[0], "the weighing of causes failed (runtime error: index out of range") {
		t.Errorf("%q", w.end.Warnings)
	}
}
