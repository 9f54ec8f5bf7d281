package profile

import (
	"reflect"
	"regexp"
	"regexp/syntax"
	"testing"
)

func TestNeeded(t *testing.T) {
	tests := []struct {
		pattern string
		want    []string
	}{
		{"^abc$", []string{"abc"}},
		{"a+bcd?e", []string{"bc"}},
		{"(?:foo|barbar)x?", []string{"foo", "barbar"}},
		{"(?:foo|b?)xy", []string{"xy"}},
		{"(?:foo|b?)", nil},
		{"(?i)abc", nil},
		{"(?:ab){2,}", nil},
		{"[0-9]+", nil},
		{"x*", nil},
		{"", nil},
	}
	for _, tt := range tests {
		re, err := syntax.Parse(tt.pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := needed(re); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func TestNilPatternMatchesNothing(t *testing.T) {
	var p *Pattern
	if p.MatchString("") || p.FindStringSubmatch("x") != nil || p.FindStringSubmatchIndex("x") != nil || p.String() != "" {
		t.Error("a nil pattern matched")
	}
}

// Looking for a needed text first never changes what matches.
func FuzzPattern(f *testing.F) {
	f.Add("^(?:a|bc)d+$", "bcdd")
	f.Add("(?i:listen).*(?:Address|address)", "LISTEN address")
	f.Add("(x|y|)z{2}", "zz")
	for _, r := range engine().Messages[:20] {
		f.Add(r.Pattern.String(), "thread 'x' (1) panicked at a.rs:1:2:")
	}
	f.Fuzz(func(t *testing.T, src, s string) {
		p, err := NewPattern(src)
		if err != nil {
			return
		}
		if got, want := p.MatchString(s), regexp.MustCompile(src).MatchString(s); got != want {
			t.Fatalf("%q on %q: %v, want %v", src, s, got, want)
		}
	})
}
