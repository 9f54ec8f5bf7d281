package diagnose_test

import (
	"testing"

	"meshdiag/diagnose"
	"meshdiag/lab"
)

// Panics of a runtime that is recognised are seen where they are raised.
func TestBreakpointsOfARuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the lab's server")
	}
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := diagnose.RecognisedPanics(exe, []string{"rust_panic"})
	if err != nil || found["mesh_panic"] == 0 {
		t.Errorf("%v, %v", found, err)
	}
	for name := range found {
		if name == "mesh_main" || name == "mesh_rt_init" {
			t.Errorf("a breakpoint on %s, which is only to recognise the runtime by", name)
		}
	}
}
