package report

import (
	"bytes"
	"strings"
	"testing"
)

func TestEndedByRequest(t *testing.T) {
	for _, c := range []struct {
		name, kind, signal, cause string
		want                      bool
	}{
		{"asked to end", "killed", "SIGTERM", "killed", true},
		{"Ctrl-C", "killed", "SIGINT", "killed", true},
		{"killed for good", "killed", "SIGKILL", "killed", false},
		{"asked to end after a panic that was caught", "killed", "SIGTERM", "panic", false},
		{"a fault signal", "crashed", "SIGSEGV", "null-value", false},
	} {
		r := &Report{Outcome: Outcome{Kind: c.kind, Signal: &Signal{Name: c.signal}}, Target: Target{Path: "/bin/server"},
			Causes: []Cause{{ID: c.cause, Title: "why"}}}
		if got := EndedByRequest(r); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		var text bytes.Buffer
		if err := WriteText(&text, r, TextOptions{Width: 100}); err != nil {
			t.Fatal(err)
		}
		if short := strings.Count(text.String(), "\n") == 1; short != c.want {
			t.Errorf("%s: the text is\n%s", c.name, text.String())
		}
	}
}
