package provenance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/crash"
	"meshdiag/symbols"
	"meshdiag/tracer"
)

// The integration tests run real programs into real crashes and look at them while they are frozen.

// build is a compiler with its flags.
type build struct{ name, cc, opt string }

var builds = []build{{"gcc-O0", "gcc", "-O0"}, {"gcc-O1", "gcc", "-O1"}, {"gcc-O2", "gcc", "-O2"},
	{"clang-O0", "clang-19", "-O0"}, {"clang-O1", "clang-19", "-O1"}, {"clang-O2", "clang-19", "-O2"}}

// compile builds a source file of testdata; a missing compiler skips.
func compile(t testing.TB, b build, src string, extra ...string) string {
	t.Helper()
	if _, err := exec.LookPath(b.cc); err != nil {
		t.Skipf("%s is not installed", b.cc)
	}
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(src), filepath.Ext(src)))
	args := append([]string{b.opt, "-w", "-o", out, src}, extra...)
	if msg, err := exec.Command(b.cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", b.cc, args, err, msg)
	}
	return out
}

// scene is a crash under observation.
type scene struct {
	c     *crash.Crash
	sym   *symbols.Symbolizer
	a     *Analyzer
	st    *symbols.Stack
	fault *Fault
}

// watch runs a program to its crash and calls look while it is frozen.
func watch(t testing.TB, path string, args []string, look func(s *scene)) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	seen := false
	_, err = tracer.Run(context.Background(), tracer.Options{Path: path, Args: args, Stdin: null, Stdout: null, Stderr: null,
		Inspect: func(c *crash.Crash) {
			th := c.FocusThread()
			if th == nil {
				return
			}
			seen = true
			sym := symbols.New(c, symbols.Options{})
			defer sym.Close()
			st := sym.Unwind(th, c.Memory, 64)
			sym.Describe(&st)
			a := New(c, sym)
			look(&scene{c: c, sym: sym, a: a, st: &st, fault: a.Fault(th, &st)})
		}})
	if err != nil {
		t.Fatal(err)
	}
	if !seen {
		t.Fatalf("%s %v did not crash", path, args)
	}
}

func (c *Chain) String() string {
	if c == nil {
		return "no chain"
	}
	var b strings.Builder
	line := func(indent string, s Step) {
		b.WriteString(indent + string(s.Kind) + " [" + string(s.Tier) + "] " + s.Symbol + " #" + itoa(s.Frame) + " " + s.Insn + " | " + s.Text)
		if s.ValueOK {
			b.WriteString(" = " + hexText(s.Value))
		}
		for _, as := range s.Assumed {
			b.WriteString("\n" + indent + "      assuming " + as)
		}
		b.WriteString("\n")
	}
	for _, s := range c.Steps {
		line("  ", s)
	}
	for _, s := range c.Returned {
		line("    inside: ", s)
	}
	for _, s := range c.Alternatives {
		line("    or: ", s)
	}
	if c.Base != nil {
		b.WriteString("    base:\n" + strings.ReplaceAll(c.Base.String(), "\n", "\n    ") + "\n")
	}
	b.WriteString("  => " + string(c.Origin) + " " + string(c.Tier) + ": " + c.Stop)
	if c.Unchecked {
		b.WriteString(" (unchecked)")
	}
	return b.String()
}
