package provenance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/symbols"
)

// BenchmarkSlice traces through three frames of a small program, everything decoded anew each time.
func BenchmarkSlice(b *testing.B) {
	path := compile(b, builds[0], "testdata/victims.c")
	watch(b, path, []string{"returned"}, func(s *scene) {
		for b.Loop() {
			a := New(s.c, s.a.code)
			a.Slice(a.Fault(s.st.Thread, s.st), s.st)
		}
	})
}

// bigSwitch writes a function of about 50,000 instructions: a switch in a loop, with a pointer that lives through it.
func bigSwitch(b testing.TB) string {
	var s strings.Builder
	s.WriteString("volatile long sink, zero; long table[64];\nint main(int argc, char **argv) {\n\tlong *p = (long *)(zero + 64), x = argc, y = zero, z = 3;\n")
	s.WriteString("\tfor (long i = 0; i < 2 + zero; i++) switch (argc + i) {\n")
	for k := range 2500 {
		fmt.Fprintf(&s, "\tcase %d: x = y * %d + z; y = table[(x + %d) & 63] ^ z; z += sink; if (x == %d) sink = y; break;\n", k*2, k+3, k, k)
	}
	s.WriteString("\t}\n\tsink = x + y + z;\n\treturn *p;\n}\n")
	path := filepath.Join(b.TempDir(), "big.c")
	if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// TestBigFunction: a function of 50,000 instructions is searched to its end, and in time.
func TestBigFunction(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a large function")
	}
	path := compile(t, builds[0], bigSwitch(t))
	watch(t, path, nil, func(s *scene) {
		begin := time.Now()
		c := s.a.Slice(s.fault, s.st)
		if d := time.Since(begin); d > 3*time.Second { // 0.07 s on a quiet machine
			t.Errorf("the slice took %v", d)
		}
		if c == nil || c.Origin == StepUnknown || len(c.Steps) < 3 {
			t.Errorf("chain: %s", c)
		}
	})
}

// BenchmarkBigFunction traces in a function of 50,000 instructions: wanted under 200 ms.
func BenchmarkBigFunction(b *testing.B) {
	path := compile(b, builds[0], bigSwitch(b))
	watch(b, path, nil, func(s *scene) {
		n := 0
		var c *Chain
		for b.Loop() {
			a := New(s.c, s.a.code)
			c = a.Slice(a.Fault(s.st.Thread, s.st), s.st)
			n = len(a.function(s.st.Frames[0].Code.Addr).nodes)
		}
		b.ReportMetric(float64(n), "instructions")
		if c == nil || len(c.Steps) < 3 {
			b.Errorf("chain: %s", c)
		}
	})
}

// BenchmarkCallee recovers the parameters of libc's printf machinery, one of the longest functions there is.
func BenchmarkCallee(b *testing.B) {
	path := compile(b, builds[0], "testdata/victims.c")
	watch(b, path, []string{"copy"}, func(s *scene) {
		type finder interface {
			Find(name string) (sym symbols.Symbol, m *symbols.Module, ok bool)
		}
		f, _, ok := s.a.code.(finder).Find("printf")
		if !ok {
			b.Skip("no printf")
		}
		for b.Loop() {
			New(s.c, s.a.code).Callee(f.Start)
		}
	})
}
