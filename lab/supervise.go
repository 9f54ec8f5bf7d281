package lab

import (
	"os/exec"
	"runtime"
)

// superviseServer starts a command and waits for it on one OS thread that it never gives back: Pdeathsig fires when the
// *thread* that forked ends, not the process.
func superviseServer(cmd *exec.Cmd, started, exited chan<- error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		exited <- err
		return
	}
	started <- nil
	exited <- cmd.Wait()
}
