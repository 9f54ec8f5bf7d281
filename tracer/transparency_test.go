package tracer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"meshdiag/crash"
)

// ran is everything of a program's run that its user can see.
type ran struct {
	stdout, stderr string
	code           int // exit status; 128+N for a signal
	dumped         bool
	res            *result // traced runs only
}

// trial is one program of the suite.
type trial struct {
	name   string
	prog   string
	args   []string
	stdin  string
	breaks string
	code   int    // that the program must end with: guards against a trial that proves nothing
	want   string // that its output must contain
	signal bool   // that it must die of a signal
	dir    string // where it runs; "" the current folder
}

// TestTransparency runs each program alone and traced, with separate pipes for stdout and stderr, and compares bytes and
// ends.
func TestTransparency(t *testing.T) {
	trials := []trial{
		{name: "faults recovered by siglongjmp", prog: "recover.c", want: "segv 125 fpe 125 ill 125 trap 125 wrong 0"},
		{name: "stack overflow recovered on an alternate stack", prog: "altstack.c", code: 7, want: "recovered three times"},
		{name: "exit in a handler", prog: "altstack.c", args: []string{"x"}, code: 9},
		{name: "overflow with a handler but no stack for it", prog: "overflow.c", code: 128 + 11, signal: true},
		{name: "300 threads", prog: "threads.c", want: "44850 44850"},
		{name: "fork, vfork, spawn, exec", prog: "children.c", want: "fault: signal 11\nterm: signal 15\nfrom vfork"},
		{name: "leader exits first, exit", prog: "leaderexits.c", code: 3, want: "the leader is gone"},
		{name: "leader exits first, last thread ends", prog: "leaderexits.c", args: []string{"quiet"}, want: "the leader is gone"},
		{name: "leader exits first, fault", prog: "leaderfault.c", code: 128 + 11, signal: true},
		{name: "signals between processes", prog: "pingpong.c", want: "1000 499500 child 0"},
		{name: "stop and continue", prog: "stopcont.c", want: "was stopped 1\nconts 1"},
		{name: "timer signals", prog: "alarms.c", want: "read 1 enough 1\npause -1 interrupted 1"},
		{name: "sigwait, signalfd, ignored SIGINT", prog: "sigwait.c", want: "waited for 15\nread 10"},
		{name: "stdin", prog: "cat.c", stdin: strings.Repeat("some input\n", 20000), want: "some input"},
		{name: "stdout closed early", prog: "closestdout.c", code: 21, want: "goodbye"},
		{name: "executes itself from a thread", prog: "execself.c", code: 15, want: "round 5 pid is leader 1"},
		{name: "nobody else is interrupted", prog: "steady.c", breaks: "watched,watched_too", want: "stray 0 calls 40"},
		{name: "watched function called and caught often", prog: "panics.c", args: []string{"1000"}, breaks: "panic_begin,odd_begin",
			want: "child 8 0 odd 42 sink"},
		{name: "surroundings", prog: "surroundings.c", args: []string{"a b", "", "c"}, want: "group of its own"},
		{name: "exit 0", prog: "ends.c", args: []string{"exit", "0"}},
		{name: "exit 255", prog: "ends.c", args: []string{"exit", "255"}, code: 255},
		{name: "exit with threads waiting", prog: "ends.c", args: []string{"threads", "33"}, code: 33},
		{name: "abort", prog: "ends.c", args: []string{"abort", "0"}, code: 128 + 6, signal: true},
		{name: "SIGKILL", prog: "ends.c", args: []string{"kill", "9"}, code: 128 + 9, signal: true},
		{name: "killed by its seccomp filter", prog: "seccomp.c", code: 128 + 31, signal: true},
		{name: "SIGTERM", prog: "ends.c", args: []string{"kill", "15"}, code: 128 + 15, signal: true},
		{name: "real-time signal", prog: "ends.c", args: []string{"raise", "40"}, code: 128 + 40, signal: true},
		{name: "Rust panics caught", prog: "caught.rs", code: 12, want: "caught true\njoined with an error true"},
		{name: "Rust stack overflow", prog: "caught.rs", args: []string{"x"}, code: 128 + 6, signal: true, want: "has overflowed its stack"},
	}
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			path := program(t, tr.prog)
			tr.dir = t.TempDir() // for a core: two programs that write theirs to one file may both fail
			alone := runPipes(t, tr, path, false)
			traced := runPipes(t, tr, path, true)
			if alone.code != tr.code || !strings.Contains(alone.stdout+alone.stderr, tr.want) {
				t.Fatalf("the untraced program itself went wrong: status %d, stdout %.300q, stderr %.300q", alone.code, alone.stdout, alone.stderr)
			}
			compare(t, alone, traced)
			if got := traced.res.Outcome.End == crash.EndSignal; got != tr.signal {
				t.Errorf("outcome %+v: died of a signal = %v, want %v", traced.res.Outcome, got, tr.signal)
			}
			if traced.res.Inspects != 1 {
				t.Errorf("Inspect was called %d times", traced.res.Inspects)
			}
		})
	}
}

func compare(t *testing.T, alone, traced ran) {
	t.Helper()
	if traced.code != alone.code {
		t.Errorf("ended with %d, alone with %d", traced.code, alone.code)
	}
	if traced.dumped != alone.dumped {
		t.Errorf("core dumped: %v, alone %v", traced.dumped, alone.dumped)
	}
	for _, s := range []struct{ name, got, want string }{{"stdout", traced.stdout, alone.stdout}, {"stderr", traced.stderr, alone.stderr}} {
		if s.got != s.want && mask(s.got) != mask(s.want) {
			t.Errorf("%s differs:\n%.1000q\nalone:\n%.1000q", s.name, s.got, s.want)
		}
	}
}

// mask hides the thread ids that Rust prints.
func mask(s string) string {
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if before, after, ok := strings.Cut(line, "' ("); ok {
			_, after, _ = strings.Cut(after, ")")
			line = before + after
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// command prepares a run; the end must be fetched with ended.
func command(t *testing.T, path string, args []string, traced bool, env ...string) (*exec.Cmd, string) {
	t.Helper()
	if !traced {
		cmd := exec.Command(path, args...)
		cmd.Env = cleanEnv()
		return cmd, ""
	}
	report := filepath.Join(t.TempDir(), "result.json")
	cmd := exec.Command(os.Args[0], append([]string{path}, args...)...)
	cmd.Env = append(append(cleanEnv(), asLauncher+"="+report), env...)
	return cmd, report
}

// ended collects how a started command ended.
func ended(t *testing.T, cmd *exec.Cmd, report string) ran {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := ran{code: ws.ExitStatus(), dumped: ws.CoreDump()}
	if ws.Signaled() {
		r.code = 128 + int(ws.Signal())
	}
	if report == "" {
		return r
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("the launcher (status %d) left no result: %v", r.code, err)
	}
	r.res = &result{}
	if err := json.Unmarshal(data, r.res); err != nil {
		t.Fatal(err)
	}
	if r.res.Error != "" {
		t.Fatalf("Run: %s", r.res.Error)
	}
	r.dumped = r.res.Outcome.CoreDumped
	return r
}

func runPipes(t *testing.T, tr trial, path string, traced bool) ran {
	t.Helper()
	cmd, report := command(t, path, tr.args, traced, withBreaks+"="+tr.breaks)
	cmd.Dir = tr.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(tr.stdin), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	r := ended(t, cmd, report)
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// TestFlood compares 100 MB of output by its checksum.
func TestFlood(t *testing.T) {
	path := program(t, "flood.c")
	sum := func(traced bool) string {
		cmd, report := command(t, path, nil, traced)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		n, err := io.Copy(h, pipe)
		if err != nil {
			t.Fatal(err)
		}
		if r := ended(t, cmd, report); r.code != 0 {
			t.Fatalf("ended with %d", r.code)
		}
		return fmt.Sprintf("%d %x", n, h.Sum(nil))
	}
	alone, traced := sum(false), sum(true)
	if alone != traced || !strings.HasPrefix(alone, "104857600 ") {
		t.Errorf("traced %s, alone %s", traced, alone)
	}
}

// TestOneFile has stdout and stderr in one file: the order of the lines stays.
func TestOneFile(t *testing.T) {
	path := program(t, "interleave.c")
	run := func(traced bool) string {
		file, err := os.CreateTemp(t.TempDir(), "both")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		cmd, report := command(t, path, nil, traced)
		cmd.Stdout, cmd.Stderr = file, file
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if r := ended(t, cmd, report); r.code != 0 {
			t.Fatalf("ended with %d", r.code)
		}
		data, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	alone, traced := run(false), run(true)
	if alone != traced {
		t.Errorf("the order changed:\n%.300q\nalone:\n%.300q", traced, alone)
	}
	if !strings.HasPrefix(alone, "line 0\nline 1\nline 2\n") || strings.Count(alone, "\n") != 2000 {
		t.Errorf("the untraced program wrote %.100q", alone)
	}
}

// TestBrokenPipe has a reader that leaves after one line.
func TestBrokenPipe(t *testing.T) {
	path := program(t, "sigpipe.c")
	for _, args := range [][]string{nil, {"ignore"}} {
		run := func(traced bool) ran {
			cmd, report := command(t, path, args, traced)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, 7)
			if _, err := io.ReadFull(pipe, line); err != nil || string(line) != "a line\n" {
				t.Fatalf("read %q, %v", line, err)
			}
			_ = pipe.Close()
			r := ended(t, cmd, report)
			r.stderr = stderr.String()
			return r
		}
		alone, traced := run(false), run(true)
		compare(t, alone, traced)
		want := 128 + int(syscall.SIGPIPE)
		if args != nil {
			want = 3
		}
		if alone.code != want {
			t.Errorf("alone it ended with %d, want %d", alone.code, want)
		}
	}
}

// TestDaemon has a daemon that lives on after its parent, the target, and after us.
func TestDaemon(t *testing.T) {
	path := program(t, "daemon.c")
	for _, traced := range []bool{false, true} {
		note := filepath.Join(t.TempDir(), "note")
		began := time.Now()
		r := runPipes(t, trial{args: []string{note}}, path, traced)
		if r.stdout != "parent leaves\n" || r.code != 0 {
			t.Errorf("traced %v: %q, status %d", traced, r.stdout, r.code)
		}
		if _, err := os.Stat(note); err == nil && time.Since(began) < 140*time.Millisecond {
			t.Errorf("traced %v: the daemon was not late", traced)
		}
		want := "daemon was here\n"
		deadline := time.Now().Add(3 * time.Second)
		for {
			data, _ := os.ReadFile(note)
			if string(data) == want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("traced %v: the daemon did not live on (%q)", traced, data)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestCoreDump looks for the program's own core file.
func TestCoreDump(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); strings.TrimSpace(string(pattern)) != "core" {
		t.Skipf("core_pattern is %q: cores do not appear in the working directory", pattern)
	}
	path := program(t, "segv.c")
	size := map[bool]int64{}
	for _, traced := range []bool{false, true} {
		dir := t.TempDir()
		cmd, report := command(t, "/bin/sh", []string{"-c", "ulimit -c unlimited; exec " + path}, traced)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if r := ended(t, cmd, report); r.code != 128+11 || !r.dumped {
			t.Errorf("traced %v: status %d, dumped %v", traced, r.code, r.dumped)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "core*"))
		if len(files) != 1 {
			t.Fatalf("traced %v: cores %v", traced, files)
		}
		st, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		size[traced] = st.Size()
	}
	if d := size[true] - size[false]; d > 64<<10 || d < -64<<10 {
		t.Errorf("core sizes differ: traced %d, alone %d", size[true], size[false])
	}
}

// TestCoreShowsOwnCode looks into the core of a program that died with breakpoints planted: the pages of code that were
// written to are in it, and must hold the program's own bytes.
func TestCoreShowsOwnCode(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); strings.TrimSpace(string(pattern)) != "core" {
		t.Skipf("core_pattern is %q: cores do not appear in the working directory", pattern)
	}
	path := program(t, "panics.c")
	dir := t.TempDir()
	cmd, report := command(t, "/bin/sh", []string{"-c", "ulimit -c unlimited; exec " + path}, true, withBreaks+"=panic_begin,odd_begin")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if r := ended(t, cmd, report); r.code != 128+6 || !r.dumped || r.res.Sights != 5 {
		t.Fatalf("status %d, dumped %v, %d sightings", r.code, r.dumped, r.res.Sights)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "core*"))
	if len(files) != 1 {
		t.Fatalf("cores %v", files)
	}
	core, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := resolveSymbols(path, []string{"panic_begin"})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	code := exe[addrs["panic_begin"]:][:16] // linked at their file offsets, as gcc does for code
	patched := append([]byte{int3}, code[1:]...)
	if !bytes.Contains(core, code) || bytes.Contains(core, patched) {
		t.Errorf("own code in the core: %v, int3 in the core: %v", bytes.Contains(core, code), bytes.Contains(core, patched))
	}
}

// TestNothingStaysBehind kills the launcher: the target and its child must go too.
func TestNothingStaysBehind(t *testing.T) {
	cmd, _ := command(t, program(t, "sleepy.c"), nil, true)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	if _, err := fmt.Fscan(pipe, &pids[0], &pids[1]); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, pid := range pids {
		for deadline := time.Now().Add(3 * time.Second); syscall.Kill(pid, 0) == nil && liveState(pid) != "Z"; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there (state %s)", pid, liveState(pid))
			}
		}
	}
}
