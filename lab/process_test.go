package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTargetIsFoundBelowAWrapper(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep(1) here")
	}
	cmd := exec.Command("sh", "-c", "sleep 30 & wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	p := &Process{Root: cmd.Process.Pid, path: sleep}
	pid, err := p.Target(ctx)
	if err != nil || pid == cmd.Process.Pid {
		t.Errorf("target %d of root %d, error %v", pid, cmd.Process.Pid, err)
	}
	if parentOf(pid) != cmd.Process.Pid {
		t.Errorf("parent of %d is %d, not %d", pid, parentOf(pid), cmd.Process.Pid)
	}
	if child, err := os.FindProcess(pid); err == nil && pid != 0 {
		_ = child.Kill()
	}
	_ = cmd.Wait()
	if pid := findTarget(os.Getpid(), sleep); pid != 0 {
		t.Errorf("found %d, which has ended", pid)
	}
}

func TestWaitOutput(t *testing.T) {
	all := newRecorder()
	p := &Process{out: all}
	go func() {
		out := &tee{all: all}
		for _, part := range []string{"hel", "lo wor", "ld"} {
			time.Sleep(5 * time.Millisecond)
			_, _ = out.Write([]byte(part))
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := p.WaitOutput(ctx, "hello world"); err != nil {
		t.Error(err)
	}
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := p.WaitOutput(short, "goodbye"); err == nil {
		t.Error("a text that never comes was found")
	}
}

func TestRunOfAWrapper(t *testing.T) {
	script := filepath.Join(t.TempDir(), "wrapper")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$@\"; echo err >&2; exit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ wrap, want string }{
		{script, "-- /target"}, {script + " -x", "-x -- /target"}, {script + " --", "-- /target"}, {script + " --args", "--args /target"},
	} {
		s := &Scenario{Path: "/target", Timeout: 10 * time.Second}
		s.Drive = func(context.Context, *Process) error { return nil }
		r, err := Run(t.Context(), s, strings.Fields(c.wrap))
		if err != nil || r.Exit != 3 || strings.TrimSpace(r.Stdout) != c.want || r.Stderr != "err\n" {
			t.Errorf("%s: %+v, %v; want output %q", c.wrap, r, err, c.want)
		}
	}
}

func TestRunEndsWhatHangs(t *testing.T) {
	s := &Scenario{Path: "/bin/sleep", Args: []string{"60"}, Timeout: 100 * time.Millisecond}
	s.Drive = func(context.Context, *Process) error { return nil }
	r, err := Run(t.Context(), s, nil)
	if err != nil || !r.TimedOut || r.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestExpand(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", `{"a":1}`: `{"a":1}`, "{{ab*3}}": "ababab", "x{{a*2}}y{{b*1}}": "xaayb", "{{open*2": "{{open*2", "{{a*b}}": "{{a*b}}",
	} {
		if got := expand(in); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestVariants(t *testing.T) {
	v, err := Variant{}.Complete()
	if err != nil || v.String() != "mesh-O0-release-plan" {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := (Variant{Opt: "O3"}).Complete(); err == nil || !strings.Contains(err.Error(), "[O0 O2]") {
		t.Errorf("O3: %v", err)
	}
}

func TestMissingToolNamesThePackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := clang(); err == nil || !strings.Contains(err.Error(), "apt-get install clang-19") {
		t.Errorf("clang: %v", err)
	}
	if _, err := cargo(); err == nil || !strings.Contains(err.Error(), "apt-get install cargo") {
		t.Errorf("cargo: %v", err)
	}
}
