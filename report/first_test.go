package report

import (
	"bytes"
	"strings"
	"testing"
)

// TestArtefactFirst checks that a stale artefact is told before the cause, once, and other warnings after it.
func TestArtefactFirst(t *testing.T) {
	r := &Report{Outcome: Outcome{Kind: "exited"}, Causes: []Cause{{ID: "exit-failure", Title: "it gave up", Summary: "the summary"}},
		Warnings: []string{ArtefactFirst + "an old one.", "something else"}}
	var text, md bytes.Buffer
	if err := WriteText(&text, r, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteMarkdown(&md, r); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text.String(), md.String()} {
		at, cause, other := strings.Index(s, "an old one."), strings.Index(s, "the summary"), strings.Index(s, "something else")
		if at < 0 || cause < at || other < cause || strings.Count(s, "an old one.") != 1 {
			t.Error(s)
		}
	}
}
