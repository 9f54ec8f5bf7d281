package crash

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SIKernel is the si_code of a fault for which the kernel gives no address (asm-generic/siginfo.h).
const SIKernel = 0x80

// Name is the signal's name, such as SIGSEGV.
func (s *Signal) Name() string {
	if n := unix.SignalName(unix.Signal(s.Number)); n != "" {
		return n
	}
	return fmt.Sprintf("SIG%d", s.Number)
}

// IsFault reports whether the signal was raised by the processor for what an instruction did, as opposed to sent. Where the
// code is not known it goes by the number alone.
func (s *Signal) IsFault() bool {
	if s == nil || s.Sent() {
		return false
	}
	switch unix.Signal(s.Number) {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP:
		return true
	}
	return false
}

// Sent reports whether a process sent the signal (kill, tgkill, sigqueue, a timer) rather than the kernel for a fault.
func (s *Signal) Sent() bool { return s != nil && !s.CodeUnknown && s.Code <= 0 }

// HasAddress reports whether Address means anything: for a sent signal or SI_KERNEL it does not.
func (s *Signal) HasAddress() bool { return s.IsFault() && s.Code != SIKernel && !s.CodeUnknown }

// codeNames are the si_code values per signal (asm-generic/siginfo.h).
var codeNames = map[unix.Signal][]string{
	unix.SIGILL: {"ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"},
	unix.SIGFPE: {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB"},
	unix.SIGSEGV: {"SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR", "SEGV_ADIPERR",
		"SEGV_MTEAERR", "SEGV_MTESERR", "SEGV_CPERR"},
	unix.SIGBUS:  {"BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"},
	unix.SIGTRAP: {"TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"},
	unix.SIGSYS:  {"SYS_SECCOMP", "SYS_USER_DISPATCH"},
}

var generalCodes = map[int]string{0: "SI_USER", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -4: "SI_ASYNCIO",
	-5: "SI_SIGIO", -6: "SI_TKILL", SIKernel: "SI_KERNEL"}

// CodeName is the name of si_code for this signal, or the number; "" when it is not known.
func (s *Signal) CodeName() string {
	if s.CodeUnknown {
		return ""
	}
	if n, ok := generalCodes[s.Code]; ok {
		return n
	}
	if names := codeNames[unix.Signal(s.Number)]; s.Code >= 1 && s.Code <= len(names) {
		return names[s.Code-1]
	}
	return fmt.Sprint(s.Code)
}
