package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Result is how a run ended: of the target itself, or of the wrapper where one was given.
type Result struct {
	Exit     int    // exit status; -1 when a signal ended it
	Signal   string // "SIGSEGV", or empty
	TimedOut bool   // it was still there when its time was up, and was killed
	Stdout   string
	Stderr   string
	Duration time.Duration
	DriveErr error // why the trigger could not be pulled, such as a port that never opened; nil is fine
}

// Run runs a scenario to its end and drives it. wrap is put before the program, with "--" in between unless it ends in an
// option that takes the program itself ("--", "--args"); empty wrap runs it bare. A run that outlasts the scenario's
// Timeout is killed with all that it started; a bare run of a hang is given up soon after StallAfter.
func Run(ctx context.Context, s *Scenario, wrap []string) (Result, error) {
	argv := append(append([]string(nil), wrap...), s.Path)
	if n := len(wrap); n > 0 && wrap[n-1] != "--" && wrap[n-1] != "--args" {
		argv = append(append(append([]string(nil), wrap...), "--"), s.Path)
	}
	argv = append(argv, s.Args...)
	all := newRecorder()
	stdout, stderr := &tee{all: all}, &tee{all: all}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = s.Env
	cmd.Stderr = stderr
	// A group of its own: what the wrapper started can be ended with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	hang, copied, err := outputPipe(cmd, stdout)
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		hang()
		return Result{}, fmt.Errorf("run %s: %w", argv[0], err)
	}
	_ = cmd.Stdout.(*os.File).Close()
	p := &Process{Root: cmd.Process.Pid, path: s.Path, out: all, hang: hang}
	result := supervise(ctx, cmd, s, p, len(wrap) == 0)
	result.Duration = time.Since(begin)
	select {
	case <-copied:
	case <-time.After(time.Second):
		hang() // somebody who outlives the program holds its output open
		<-copied
	}
	result.Stdout, result.Stderr = stdout.own.String(), stderr.own.String()
	return result, ctx.Err()
}

// outputPipe makes the program's standard output, whose reader can go away before its time.
func outputPipe(cmd *exec.Cmd, to *tee) (hang func(), copied chan struct{}, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = w
	copied = make(chan struct{})
	go func() {
		defer close(copied)
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				_, _ = to.Write(buf[:n])
			}
			if err != nil {
				r.Close()
				return
			}
		}
	}()
	return func() { r.Close() }, copied, nil
}

// supervise drives the process and waits for its end.
func supervise(ctx context.Context, cmd *exec.Cmd, s *Scenario, p *Process, bare bool) Result {
	limit := s.Timeout
	if bare && s.Label.Outcome == "hung" {
		limit = 2 * s.StallAfter
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	driving, stop := context.WithCancel(ctx)
	driven := make(chan error, 1)
	go func() { driven <- s.Drive(driving, p) }()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	var result Result
	var err error
	select {
	case err = <-exited:
	case <-ctx.Done():
		result.TimedOut = true
		_ = syscall.Kill(-p.Root, syscall.SIGKILL)
		err = <-exited
	}
	stop()
	result.DriveErr = <-driven
	result.Exit, result.Signal = status(cmd, err)
	return result
}

// status reads the exit status, or the signal.
func status(cmd *exec.Cmd, err error) (exit int, signal string) {
	var failed *exec.ExitError
	if cmd.ProcessState == nil || err != nil && !errors.As(err, &failed) && !errors.Is(err, exec.ErrWaitDelay) {
		return -1, ""
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return -1, unix.SignalName(ws.Signal())
	}
	return ws.ExitStatus(), ""
}
