package crash

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// syscallNames are the system calls of x86-64 in which threads are usually found waiting, and those around a death
// (arch/x86/entry/syscalls/syscall_64.tbl).
var syscallNames = map[int64]string{
	0: "read", 1: "write", 7: "poll", 16: "ioctl", 17: "pread64", 18: "pwrite64", 19: "readv", 20: "writev", 23: "select", 24: "sched_yield",
	34: "pause", 35: "nanosleep", 42: "connect", 43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 62: "kill",
	65: "semop", 70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync", 128: "rt_sigtimedwait", 130: "rt_sigsuspend",
	60: "exit", 200: "tkill", 202: "futex", 208: "io_getevents", 219: "restart_syscall", 230: "clock_nanosleep", 231: "exit_group",
	232: "epoll_wait", 234: "tgkill", 247: "waitid", 257: "openat", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4",
	299: "recvmmsg", 441: "epoll_pwait2", 449: "futex_waitv",
}

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
