package probe

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// compileC builds a small C program.
func compileC(t testing.TB, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	src, exe := filepath.Join(dir, "main.c"), filepath.Join(dir, "main")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", append(flags, "-o", exe, src)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return exe
}

const usesURL = `
#include <stdlib.h>
#include <stdio.h>
int main(void) {
	const char *u = getenv("APP_DB");
	puts(u ? u : "postgres://app:secret@db.example:5433/shop");
	return 0;
}`

// withoutEnd has its constants one behind the other, as compilers of languages whose strings carry a length lay them out.
const withoutEnd = `
struct { char a[11]; char url[42]; char b[16]; } const s __attribute__((section(".rodata.run"))) =
	{ "postgres://", "postgres://mesh:mesh@localhost:5432/mesher", "ToJson__to_json_" };
__attribute__((noinline)) int take(const char *p, long n) { __asm__ volatile("" :: "r"(p), "r"(n)); return 0; }
int main(void) { return take(s.url, 42); }`

func TestDatabaseURL(t *testing.T) {
	plain, packed := compileC(t, usesURL), compileC(t, withoutEnd)
	packedO2 := compileC(t, withoutEnd, "-O2")
	tests := []struct {
		name          string
		exe           string
		env, names    []string
		url, variable string
	}{
		{"constant", plain, nil, nil, "postgres://app:secret@db.example:5433/shop", ""},
		{"variable that the program names", plain, []string{"APP_DB=postgres://x@h/d"}, nil, "postgres://x@h/d", "APP_DB"},
		{"variable of somebody else", plain, []string{"DATABASE_URL=postgres://x@h/d", "PP_DB=postgres://y@h/d"}, nil,
			"postgres://app:secret@db.example:5433/shop", ""},
		{"variable with something else in it", plain, []string{"APP_DB=mysql://h/d"}, []string{"APP_DB"},
			"postgres://app:secret@db.example:5433/shop", ""},
		{"profile's variable first", plain, []string{"X=postgres://x@h/x", "APP_DB=postgres://y@h/d"}, []string{"APP_DB"},
			"postgres://y@h/d", "APP_DB"},
		{"constants without an end", packed, nil, nil, "postgres://mesh:mesh@localhost:5432/mesher", ""},
		{"the same, optimised", packedO2, nil, nil, "postgres://mesh:mesh@localhost:5432/mesher", ""},
		{"no URL at all", "/bin/true", nil, nil, "", ""},
		{"no such file", "/nonexistent", nil, nil, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, variable := ReadConstants(tt.exe).DatabaseURL(tt.env, tt.names)
			if url != tt.url || variable != tt.variable {
				t.Errorf("%q from %q, want %q from %q", url, variable, tt.url, tt.variable)
			}
		})
	}
}

func FuzzReadConstants(f *testing.F) {
	for _, src := range []string{usesURL, withoutEnd} {
		if data, err := os.ReadFile(compileC(f, src, "-s")); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		c := readConstants(bytes.NewReader(data))
		_ = c.databaseURL()
		_ = c.mentions([]byte("APP_DB"))
		_ = c.Statements()
		_ = c.creates("events")
	})
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"DEFAULT", "FOR VALUES FROM ('2026-11-23') TO ('2026-11-24')", "FOR VALUES FROM (MINVALUE) TO ('2026-11-24 00:00:00+00')",
		"FOR VALUES IN ('a')", "FOR VALUES FROM (1) TO (2)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span, ok := parseSpan("p", s)
		if ok && span.from != "" && len(span.from) != 10 {
			t.Errorf("%q: from %q", s, span.from)
		}
	})
}
