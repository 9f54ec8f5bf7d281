package crash

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SyscallName is the name of an x86-64 system call, or "system call N" for one that the table does not hold.
func SyscallName(number int64) string {
	if n, ok := syscallNames[number]; ok {
		return n
	}
	return fmt.Sprintf("system call %d", number)
}

// Syscall is the system call that a thread with these registers was stopped in; nil when it was in none. waiting tells from
// its result that it was interrupted while it slept: EINTR or one of the kernel's own restart codes
// (linux/include/linux/errno.h), which only a tracer and a core see.
func (r *Regs) Syscall() (s *Syscall, waiting bool) {
	if int64(r.OrigRAX) < 0 {
		return nil, false
	}
	s = &Syscall{Number: int64(r.OrigRAX), Args: [6]uint64{r.RDI, r.RSI, r.RDX, r.R10, r.R8, r.R9}}
	switch -int64(r.RAX) {
	case int64(unix.EINTR), 512, 513, 514, 516: // ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK
		waiting = true
	}
	return s, waiting
}
