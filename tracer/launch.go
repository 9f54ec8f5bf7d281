package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// findProgram resolves a name without a slash in PATH, as a shell does.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", refused(crash.LaunchNotFound, fmt.Sprintf("%q is only in the current directory; write ./%s to run it.", name, name), "meshdiag run ./"+name)
	case name == "":
		return "", refused(crash.LaunchNotFound, "No program was named.")
	}
	return "", notInPath(name)
}

// launch starts the program and leaves it stopped and seized before its first instruction.
//
// The child asks to be traced and stops at its exec. That kind of tracing cannot tell a job control stop from a signal, so
// it is traded for PTRACE_SEIZE: detach with SIGSTOP, seize the stopped process, let it go on with a SIGCONT of ours that
// the program never sees.
func (t *tracer) launch() error {
	path, err := findProgram(t.o.Path)
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(path, append([]string{t.o.Path}, t.o.Args...), &syscall.ProcAttr{
		Dir:   t.o.Dir,
		Env:   t.o.Env,
		Files: t.io.childFiles(),
		Sys:   t.io.attributes(),
	})
	t.io.launched()
	if err != nil {
		if f := forbiddenLaunch(err); f != nil {
			return f
		}
		return explainLaunch(path, t.o.Dir, err)
	}
	if err := t.takeOver(pid); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, waitThreads, nil)
		return err
	}
	return nil
}

func (t *tracer) takeOver(pid int) error {
	var ws unix.WaitStatus
	if _, err := wait4(pid, &ws, 0); err != nil {
		return fmt.Errorf("wait for the launched program: %w", err)
	}
	if !ws.Stopped() || ws.StopSignal() != unix.SIGTRAP {
		return diedInExec(t.o.Path, ws)
	}
	if err := detach(pid, unix.SIGSTOP); err != nil {
		return newForbidden("PTRACE_DETACH", err)
	}
	if err := seize(pid); err != nil {
		return newForbidden("PTRACE_SEIZE", err)
	}
	if _, err := wait4(pid, &ws, 0); err != nil {
		return fmt.Errorf("wait for the seized program: %w", err)
	}
	t.remote.open(pid)
	t.target = t.addProcess(pid)
	t.target.mem = openMem(pid)
	th := t.addThread(t.target, pid)
	th.state = stopped
	t.plantBreakpoints(th)
	if t.o.Launched != nil {
		t.o.Launched(pid)
	}
	t.ownCont = true
	if err := t.remote.signal(unix.SIGCONT, nil); err != nil {
		return fmt.Errorf("continue the launched program: %w", err)
	}
	t.resume(th, 0)
	return nil
}

// diedInExec is for a program whose image the kernel had begun to load when it met what it cannot load: there is no way
// back to the caller then, so it ends the process.
func diedInExec(path string, ws unix.WaitStatus) error {
	sig := ws.Signal()
	if ws.Stopped() {
		sig = ws.StopSignal() // stands before its death by it, in the ruins of our own image
	}
	if sig <= 0 {
		return fmt.Errorf("the program ended (status %#x) before it could be traced", int(ws))
	}
	if e := explainContent(path); e != nil {
		return e
	}
	return refused(crash.LaunchFormat, fmt.Sprintf("%s cannot be loaded: the kernel ended it by %s while it mapped its segments, which do not fit into memory or make no sense.",
		path, unix.SignalName(sig)), "readelf -lW "+word(path), "build or copy it again; compare its size with that of the original")
}

// wait4 is wait4(2) without interruptions.
func wait4(pid int, ws *unix.WaitStatus, options int) (int, error) {
	for {
		got, err := unix.Wait4(pid, ws, options|waitThreads, nil)
		if err != unix.EINTR {
			return got, err
		}
	}
}

// failedLaunch reports that the program never ran.
func (t *tracer) failedLaunch(e *launchError) crash.Outcome {
	out := crash.Outcome{End: crash.EndLaunchFailed, LaunchError: e.sentence, LaunchKind: e.kind, LaunchNext: e.next}
	cwd := t.o.Dir
	if cwd == "" {
		cwd, _ = os.Getwd()
	}
	t.inspect(&crash.Crash{
		Target: crash.Target{Source: crash.SourceLive, Path: t.o.Path, Args: append([]string{t.o.Path}, t.o.Args...),
			Env: t.o.Env, Arch: "amd64", CWD: cwd, StdioShared: t.io.shared},
		Outcome: out,
		Focus:   -1,
		Memory:  crash.NoMemory{},
		Output:  t.out.snapshot(),
	})
	return out
}
