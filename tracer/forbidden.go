package tracer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ForbiddenError says that the system does not let us trace, and which setting is the reason.
type ForbiddenError struct {
	Op     string // the ptrace request
	Reason string // one sentence naming the setting and what to do
	Err    error
}

func (e *ForbiddenError) Error() string { return e.Reason }

// Unwrap gives the errno.
func (e *ForbiddenError) Unwrap() error { return e.Err }

const capSysPtrace = 19 // linux/capability.h

// forbiddenLaunch tells whether a failed launch was refused to us rather than to the program: PTRACE_TRACEME fails before
// exec is tried, with an errno that exec may give as well. A launch of nothing shows which: ENOENT is exec's.
func forbiddenLaunch(err error) error {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return nil
	}
	_, probe := syscall.ForkExec("/nonexistent/meshdiag", []string{"x"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if errors.Is(probe, unix.ENOENT) {
		return nil
	}
	return newForbidden("PTRACE_TRACEME", err)
}

func newForbidden(op string, err error) error {
	status, _ := os.ReadFile("/proc/self/status")
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	return &ForbiddenError{Op: op, Err: err, Reason: forbiddenReason(op, err, status, strings.TrimSpace(string(scope)))}
}

// forbiddenReason finds the setting that most likely forbids tracing (ptrace(2), yama in the kernel's admin guide).
func forbiddenReason(op string, err error, status []byte, yamaScope string) string {
	caps, _ := statusMask(status, "CapEff")
	hasCap := caps&(1<<capSysPtrace) != 0
	tracer, _ := statusNumber(status, "TracerPid")
	seccomp, _ := statusNumber(status, "Seccomp")
	switch {
	case tracer > 0:
		return fmt.Sprintf("Cannot trace the program: meshdiag itself is being traced by process %d, which takes its children too.", tracer)
	case yamaScope == "3":
		return "Cannot trace the program: /proc/sys/kernel/yama/ptrace_scope is 3, which forbids ptrace until the next boot."
	case yamaScope == "2" && !hasCap:
		return "Cannot trace the program: /proc/sys/kernel/yama/ptrace_scope is 2, which allows ptrace only with CAP_SYS_PTRACE; run as root or lower the setting to 1."
	case errors.Is(err, unix.ENOSYS), seccomp == 2:
		return fmt.Sprintf("Cannot trace the program: a seccomp filter forbids ptrace (%s: %v); in a container, allow it with --cap-add SYS_PTRACE or --security-opt seccomp=unconfined.", op, err)
	case !hasCap:
		return fmt.Sprintf("Cannot trace the program: %s was refused (%v) and CAP_SYS_PTRACE is missing; run as root, or in a container with --cap-add SYS_PTRACE.", op, err)
	}
	return fmt.Sprintf("Cannot trace the program: %s was refused: %v.", op, err)
}
