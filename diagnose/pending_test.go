package diagnose

import (
	"slices"
	"strings"
	"testing"
)

// TestPendingOutput checks that a kernel's core gives up what was printed and not written, and nothing that was written.
func TestPendingOutput(t *testing.T) {
	needPlainCores(t)
	for _, c := range []struct {
		source string
		want   []string
	}{
		{"../pending/pending.c", []string{"first line", "second line", "half"}},
		{"../pending/pending.rs", []string{"half a line"}},
		{"null.c", nil},
	} {
		t.Run(c.source, func(t *testing.T) {
			r := coreReport(t, kernelCore(t, compile(t, &victim{Source: c.source})))
			var got []string
			for _, l := range r.Output.Tail {
				got = append(got, l.Text)
				if l.AtS != nil || l.Stream == nil || *l.Stream != "stdout" {
					t.Errorf("line %+v: its time cannot be known", l)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("output %q, want %q", got, c.want)
			}
			if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "not in the core") }) {
				t.Errorf("warnings %q do not say that the output is missing", r.Warnings)
			}
		})
	}
}
