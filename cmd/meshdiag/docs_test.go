package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"meshdiag/heuristics"
	"meshdiag/report"
)

// TestCausesPage compares docs/causes.md with the documentation in the registry, from which it is made (-update).
func TestCausesPage(t *testing.T) {
	const page = "../../docs/causes.md"
	got := causesPage()
	if *update {
		if err := os.WriteFile(page, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/causes.md is old; -update writes it anew:\n%s", diff)
	}
}

func causesPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Causes\n\nMade from the heuristics' own documentation by `go test ./cmd/meshdiag -update`; `meshdiag explain CAUSE` prints the same.\n")
	for _, h := range heuristics.Registry() {
		fmt.Fprintf(&b, "\n## `%s`: %s\n\n%s\n", h.Doc.ID, h.Doc.Title, strings.TrimSpace(h.Doc.Text))
		var kinds []string
		for _, k := range slices.Sorted(maps.Keys(h.Doc.Kinds)) {
			kinds = append(kinds, "`"+k+"`: "+h.Doc.Kinds[k])
		}
		for _, list := range []struct {
			title string
			items []string
		}{{"Kinds", kinds}, {"Speaks for it", h.Doc.For}, {"Speaks against it", h.Doc.Against},
			{"Known to be wrong when", h.Doc.FalsePositives}, {"What usually helps", h.Doc.Fix}} {
			if len(list.items) > 0 {
				fmt.Fprintf(&b, "\n%s:\n\n- %s\n", list.title, strings.Join(list.items, "\n- "))
			}
		}
	}
	return b.Bytes()
}

// TestEveryCauseIsDocumented checks what explain prints for each cause: a cause without these says nothing to a reader.
func TestEveryCauseIsDocumented(t *testing.T) {
	for _, h := range heuristics.Registry() {
		if h.Doc.Title == "" || len(h.Doc.Text) < 80 {
			t.Errorf("%s: title %q and a text of %d bytes", h.Doc.ID, h.Doc.Title, len(h.Doc.Text))
		}
		if len(h.Doc.For) == 0 || len(h.Doc.Fix) == 0 {
			t.Errorf("%s: %d reasons for it, %d ways to fix it", h.Doc.ID, len(h.Doc.For), len(h.Doc.Fix))
		}
	}
}

// TestReportPage checks that docs/report.md names every field of the schema, and every cause and kind of the registry.
func TestReportPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/report.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, word := range regexp.MustCompile("`[^`]+`").FindAllString(string(data), -1) {
		for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("`.[]", r) }) {
			named[part] = true
		}
	}
	for _, field := range schemaFields(t) {
		if !named[field] {
			t.Errorf("docs/report.md does not name the field %q", field)
		}
	}
	for _, h := range heuristics.Registry() {
		for _, id := range append(slices.Sorted(maps.Keys(h.Doc.Kinds)), h.Doc.ID) {
			if !named[id] {
				t.Errorf("docs/report.md does not name %q", id)
			}
		}
	}
}

func schemaFields(t *testing.T) []string {
	t.Helper()
	type object struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(report.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields := slices.Collect(maps.Keys(schema.Properties))
	for _, def := range schema.Defs {
		fields = slices.AppendSeq(fields, maps.Keys(def.Properties))
	}
	if len(fields) < 80 {
		t.Fatalf("only %d fields", len(fields))
	}
	return fields
}

// TestReadmeListsDependencies checks that each direct dependency in go.mod has its reason in the README.
func TestReadmeListsDependencies(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(gomod)) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(f[1], "v") && strings.Contains(f[0], "/") && !bytes.Contains(readme, []byte("`"+f[0]+"`")) {
			t.Errorf("README.md does not say what %s is for", f[0])
		}
	}
}
