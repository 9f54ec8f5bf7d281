package profile

import (
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

var update = flag.Bool("update", false, "write data/needs.tsv anew")

// patternsIn finds every pattern that hangs on a value.
func patternsIn(v reflect.Value, seen map[unsafe.Pointer]bool, found func(*Pattern)) {
	switch v.Kind() {
	case reflect.Pointer:
		at := v.UnsafePointer()
		if at == nil || seen[at] {
			return
		}
		seen[at] = true
		if v.Type() == reflect.TypeFor[*Pattern]() {
			found((*Pattern)(at))
			return
		}
		patternsIn(v.Elem(), seen, found)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			patternsIn(v.Index(i), seen, found)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			patternsIn(it.Value(), seen, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			patternsIn(v.Field(i), seen, found)
		}
	}
}

// TestNeedsAreKnown holds data/needs.tsv against what the patterns of the embedded profiles need.
func TestNeedsAreKnown(t *testing.T) {
	lines := map[string]bool{}
	seen := map[unsafe.Pointer]bool{}
	add := func(p *Pattern) {
		line := strings.Join(append([]string{p.src}, neededBy(p.src)...), "\t")
		if strings.Contains(line, "\n") || strings.Contains(p.src, "\t") {
			t.Errorf("pattern %q does not fit in a line", p.src)
		}
		lines[line] = true
	}
	patternsIn(reflect.ValueOf(engine()), seen, add)
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		patternsIn(reflect.ValueOf(p), seen, add)
	}
	if len(lines) < 100 {
		t.Fatalf("only %d patterns were found", len(lines))
	}
	all := make([]string, 0, len(lines))
	for line := range lines {
		all = append(all, line+"\n")
	}
	slices.Sort(all)
	want := strings.Join(all, "")
	const path = "data/needs.tsv"
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the patterns need (%v): write it anew with `go test ./profile -run Needs -update`", path, err)
	}
}
