package tracer

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"meshdiag/crash"
)

// The test binary doubles as a small launcher: with asLauncher set, it runs its arguments under the tracer, with its own
// standard streams, and writes what it saw to the file named in the variable.
const (
	asLauncher   = "TRACER_TEST_RESULT"
	withBreaks   = "TRACER_TEST_BREAKPOINTS"
	withStall    = "TRACER_TEST_STALL"
	launcherFail = 99
)

// result is what the launcher reports.
type result struct {
	Outcome  crash.Outcome
	Inspects int
	Warnings []string
	Sights   int
	Error    string
}

func TestMain(m *testing.M) {
	if path := os.Getenv(asLauncher); path != "" {
		os.Exit(launcher(path))
	}
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// launcher runs os.Args[1:] and ends like it.
func launcher(path string) int {
	var res result
	if os.Getenv("TRACER_TEST_NO_PTRACE") != "" {
		if err := forbidPtrace(); err != nil {
			fmt.Fprintln(os.Stderr, "seccomp:", err)
			return launcherFail
		}
	}
	o := Options{Path: os.Args[1], Args: os.Args[2:], Env: cleanEnv(), Inspect: func(c *crash.Crash) {
		res.Inspects++
		res.Warnings = c.Warnings
		res.Sights = len(c.Panics)
	}}
	if names := os.Getenv(withBreaks); names != "" {
		o.Breakpoints, o.Resolve = strings.Split(names, ","), resolveSymbols
	}
	if d := os.Getenv(withStall); d != "" {
		o.StallAfter, _ = time.ParseDuration(d)
	}
	var err error
	res.Outcome, err = Run(context.Background(), o)
	if err != nil {
		res.Error = err.Error()
	}
	data, _ := json.Marshal(res)
	if os.WriteFile(path, data, 0o600) != nil || err != nil {
		return launcherFail
	}
	if res.Outcome.Signal != nil {
		return 128 + res.Outcome.Signal.Number
	}
	return res.Outcome.ExitCode
}

// cleanEnv hides the launcher's own variables from the program, so that it sees the same as without us.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TRACER_TEST_") {
			env = append(env, kv)
		}
	}
	return env
}

// resolveSymbols finds functions in an executable's symbol table.
func resolveSymbols(path string, names []string) (map[string]uint64, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	found := map[string]uint64{}
	for _, s := range syms {
		for _, n := range names {
			if s.Name == n {
				found[n] = s.Value
			}
		}
	}
	return found, nil
}

var (
	buildMu  sync.Mutex
	buildDir string
	built    = map[string]func() (string, error){}
)

// program compiles testdata/NAME.c (or .rs) once and returns its path.
func program(t testing.TB, name string) string {
	t.Helper()
	compiler := "gcc"
	if filepath.Ext(name) == ".rs" {
		compiler = "rustc"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is needed to build %s: %v", compiler, name, err)
	}
	buildMu.Lock()
	if buildDir == "" {
		dir, err := os.MkdirTemp("", "tracer-test")
		if err != nil {
			t.Fatal(err)
		}
		buildDir = dir
	}
	once := built[name]
	if once == nil {
		once = sync.OnceValues(func() (string, error) { return compile(compiler, name) })
		built[name] = once
	}
	buildMu.Unlock()
	path, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func compile(compiler, name string) (string, error) {
	out := filepath.Join(buildDir, strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)))
	args := []string{"-O1", "-g", "-pthread", "-w", "-o", out, filepath.Join("testdata", name)}
	if compiler == "rustc" {
		args = []string{"-O", "-g", "-o", out, filepath.Join("testdata", name)}
	}
	if msg, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", compiler, name, err, msg)
	}
	return out, nil
}

// observation is what an in-process run gave.
type observation struct {
	out    crash.Outcome
	crash  *crash.Crash
	stdout string
}

// watch runs a program in this process and looks at it in inspect (which may be nil) while it is frozen.
func watch(t *testing.T, o Options, inspect func(c *crash.Crash)) observation {
	t.Helper()
	var obs observation
	calls := 0
	o.Inspect = func(c *crash.Crash) {
		calls++
		obs.crash = c
		if inspect != nil {
			inspect(c)
		}
	}
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.Stdin, o.Stdout, o.Stderr = null, file, file
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	obs.out, err = Run(ctx, o)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	if calls != 1 {
		t.Fatalf("Inspect was called %d times, want once", calls)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	obs.stdout = string(bytes.TrimSpace(data))
	return obs
}

// symbol is the run-time address of a function of the crashed program.
func symbol(t *testing.T, c *crash.Crash, name string) uint64 {
	t.Helper()
	addrs, err := resolveSymbols(c.Target.ExePath, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	entry, err := entryPoint(c.Target.ExePath)
	if err != nil {
		t.Fatal(err)
	}
	return addrs[name] + c.Auxv[atEntry] - entry
}

// within reports whether pc lies in a function of the crashed program.
func within(t *testing.T, c *crash.Crash, pc uint64, name string) bool {
	t.Helper()
	f, err := elf.Open(c.Target.ExePath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	start := symbol(t, c, name)
	for _, s := range syms {
		if s.Name == name {
			return pc >= start && pc < start+s.Size
		}
	}
	return false
}
