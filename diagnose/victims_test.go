package diagnose

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"meshdiag/report"
	"meshdiag/report/schemacheck"
)

// victim is one row of testdata/victims.toml.
type victim struct {
	Source  string
	Flags   []string
	Outcome string
	Cause   string
	Kind    string
	Or      []string // other cause ids that are as true
	Blame   []string
	Never   []string // words that would be untrue in title and summary
	Hangs   bool     // it never ends by itself: see hangs_test.go
	Ring    string   // of one that hangs: "proven", "probable" or "" none
	Pace    string   // of one that hangs: what a thread must be seen to do; "" any
	Most    float64  // of one that hangs: the highest confidence that would be true; 0 any
}

func (v *victim) name() string { return strings.Join(append([]string{v.Source}, v.Flags...), " ") }

// loadVictims are the victims that end.
func loadVictims(t testing.TB) []victim {
	return slices.DeleteFunc(allVictims(t), func(v victim) bool { return v.Hangs })
}

func allVictims(t testing.TB) []victim {
	data, err := os.ReadFile("testdata/victims.toml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Victim []victim }
	if err := toml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Victim
}

// builtOnce keeps the victims that several tests run, none of which changes the file.
var builtOnce struct {
	sync.Mutex
	dir   string
	build map[string]func() (string, error)
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "meshdiag-victims-")
	if err != nil {
		panic(err)
	}
	os.Unsetenv("RUST_BACKTRACE") // a panic that symbolizes its own stack takes seconds of which nothing is seen
	builtOnce.dir, builtOnce.build = dir, map[string]func() (string, error){}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// compiled is a victim that was built for all tests.
func compiled(t testing.TB, v *victim) string {
	t.Helper()
	builtOnce.Lock()
	build := builtOnce.build[v.name()]
	if build == nil {
		dir := filepath.Join(builtOnce.dir, strconv.Itoa(len(builtOnce.build)))
		build = sync.OnceValues(func() (string, error) { return compileIn(dir, v) })
		builtOnce.build[v.name()] = build
	}
	builtOnce.Unlock()
	exe, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// compile builds a victim for one test; -O1 keeps its functions apart without keeping every value in memory.
func compile(t testing.TB, v *victim, extra ...string) string {
	t.Helper()
	exe, err := compileIn(t.TempDir(), v, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func compileIn(dir string, v *victim, extra ...string) (string, error) {
	src := filepath.Join("testdata/victims", v.Source)
	exe := filepath.Join(dir, strings.ReplaceAll(filepath.Base(v.Source), ".", "-"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	var cmd *exec.Cmd
	switch filepath.Ext(v.Source) {
	case ".c":
		cmd = exec.Command("gcc", "-O1", "-pthread", "-o", exe, src)
	case ".cpp":
		cmd = exec.Command("g++", "-O1", "-pthread", "-o", exe, src)
	case ".rs":
		cmd = exec.Command("rustc", "-O", "-o", exe, src)
	}
	cmd.Args = append(append(cmd.Args, v.Flags...), extra...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
	return exe, nil
}

// diagnosed runs a program under meshdiag without any profile.
func diagnosed(t testing.TB, exe string, args ...string) *report.Report {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, err := Run(context.Background(), RunOptions{Options: Options{Profile: "none", Version: "test"}, Path: exe, Args: args,
		Stdout: null, Stderr: null})
	if err != nil {
		t.Fatal(err)
	}
	if err := schemacheck.Report(r); err != nil {
		t.Errorf("the report breaks its schema: %v", err)
	}
	return r
}

func TestVictimsWithoutProfile(t *testing.T) {
	for _, v := range loadVictims(t) {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			r := diagnosed(t, compiled(t, &v))
			if problems := grade(&v, r); len(problems) > 0 {
				var text bytes.Buffer
				if err := report.WriteText(&text, r, report.TextOptions{Width: 120}); err != nil {
					t.Error(err)
				}
				t.Errorf("%s\n%s", strings.Join(problems, "\n"), text.String())
			}
		})
	}
}

func grade(v *victim, r *report.Report) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if r.Outcome.Kind != v.Outcome {
		bad("outcome %s, want %s", r.Outcome.Kind, v.Outcome)
	}
	if v.Cause == "" {
		for _, c := range r.Causes {
			if c.Confidence >= 0.5 && c.ID != "panic" {
				bad("cause %s %.2f, want none", c.ID, c.Confidence)
			}
		}
		return problems
	}
	if len(r.Causes) == 0 {
		return append(problems, "no cause")
	}
	top := r.Causes[0]
	if top.ID != v.Cause && !slices.Contains(v.Or, top.ID) {
		bad("cause %s (%.2f), want %s", top.ID, top.Confidence, v.Cause)
	}
	if v.Kind != "" && (top.Kind == nil || *top.Kind != v.Kind) {
		bad("kind %v, want %s", str(top.Kind), v.Kind)
	}
	if len(v.Blame) > 0 && !slices.ContainsFunc(v.Blame, func(b string) bool { return sameFunction(b, str(top.Blame.Symbol)) }) {
		bad("blame %q, want one of %q", str(top.Blame.Symbol), v.Blame)
	}
	for _, word := range v.Never {
		if strings.Contains(top.Title+" "+top.Summary, word) {
			bad("the answer says %q: %s %s", word, top.Title, top.Summary)
		}
	}
	return problems
}

// sameFunction compares a label with a symbol; Rust symbols carry a hash, so the label is the function's plain name.
func sameFunction(label, symbol string) bool {
	if label == symbol {
		return true
	}
	rust := strings.HasPrefix(symbol, "_ZN") || strings.HasPrefix(symbol, "_R")
	return rust && strings.Contains(symbol, fmt.Sprintf("%d%s", len(label), label))
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
