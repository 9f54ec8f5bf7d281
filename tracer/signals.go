package tracer

import "golang.org/x/sys/unix"

// si_code values (asm-generic/siginfo.h).
const (
	siUser    = 0
	siQueue   = -1
	siTkill   = -6
	siKernel  = 0x80
	trapTrace = 2 // SIGTRAP: a single step was made
)

// isFault tells the signals that an instruction of the thread itself raises.
func isFault(sig unix.Signal) bool {
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS:
		return true
	}
	return false
}

// isGrave tells the signals whose handling is worth remembering: faults and abort.
func isGrave(sig unix.Signal) bool { return isFault(sig) || sig == unix.SIGABRT }

// defaultKills reports whether the signal ends a process that has no handler for it (signal(7)).
func defaultKills(sig unix.Signal) bool {
	switch sig {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH:
		return false
	}
	return !stopsProcess(sig)
}

// stopsProcess tells the job control stops.
func stopsProcess(sig unix.Signal) bool {
	switch sig {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

func signalBit(sig unix.Signal) uint64 { return 1 << (uint(sig) - 1) }
