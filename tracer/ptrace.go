package tracer

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Numbers of linux/include/uapi/linux/{ptrace,elf,wait}.h that x/sys/unix does not name for all uses here.
const (
	eventStop     = 128 // PTRACE_EVENT_STOP: a seized thread's own stop, group stop or interrupt
	ntX86XState   = 0x202
	waitThreads   = unix.WALL | unix.WNOTHREAD // clones too, but only children of this thread
	traceOptions  = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL
	xstateMaxSize = 16 << 10 // more than AMX needs (11 KiB)
	siginfoSize   = 128
)

// ptrace makes a request whose data is a number.
func ptrace(request, tid int, addr, data uintptr) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

func cont(tid int, sig unix.Signal) error { return ptrace(unix.PTRACE_CONT, tid, 0, uintptr(sig)) }

func step(tid int, sig unix.Signal) error {
	return ptrace(unix.PTRACE_SINGLESTEP, tid, 0, uintptr(sig))
}

func interrupt(tid int) error { return ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0) }

// listen leaves a thread in its group stop, ready to notice SIGCONT.
func listen(tid int) error { return ptrace(unix.PTRACE_LISTEN, tid, 0, 0) }

func detach(tid int, sig unix.Signal) error {
	return ptrace(unix.PTRACE_DETACH, tid, 0, uintptr(sig))
}

func seize(tid int) error { return ptrace(unix.PTRACE_SEIZE, tid, 0, traceOptions) }

// getRegs reads the general registers; crash.Regs has the kernel's layout.
func getRegs(tid int, r *crash.Regs) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

func setRegs(tid int, r *crash.Regs) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// xstate reads the XSAVE area, nil when the kernel does not give it.
func xstate(tid int) []byte {
	buf := make([]byte, xstateMaxSize)
	iov := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), ntX86XState, uintptr(unsafe.Pointer(&iov)), 0, 0)
	if e != 0 || iov.Len == 0 {
		return nil
	}
	return append([]byte(nil), buf[:iov.Len]...)
}

// getSiginfo reads the signal a thread is stopped at.
func getSiginfo(tid int) (*crash.Signal, error) {
	var raw [siginfoSize]byte
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(&raw[0])), 0, 0)
	if e != 0 {
		return nil, e
	}
	return decodeSiginfo(raw[:]), nil
}

// decodeSiginfo takes a siginfo_t of x86-64 apart (asm-generic/siginfo.h): si_signo, si_errno, si_code, then a union at 16.
func decodeSiginfo(raw []byte) *crash.Signal {
	s := &crash.Signal{
		Number: int(int32(binary.LittleEndian.Uint32(raw[0:]))),
		Code:   int(int32(binary.LittleEndian.Uint32(raw[8:]))),
	}
	switch {
	case s.Code == siUser || s.Code == siQueue || s.Code == siTkill:
		s.PID = int(int32(binary.LittleEndian.Uint32(raw[16:])))
		s.UID = int(binary.LittleEndian.Uint32(raw[20:]))
	case s.Code > 0 && isFault(unix.Signal(s.Number)):
		s.Address = binary.LittleEndian.Uint64(raw[16:])
	}
	return s
}

// eventMessage is the number that comes with a ptrace event: the new thread's id, or the exit status.
func eventMessage(tid int) (uint64, error) {
	var msg uint64
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETEVENTMSG, uintptr(tid), 0, uintptr(unsafe.Pointer(&msg)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return msg, nil
}

func setBlockedSignals(tid int, mask uint64) {
	_, _, _ = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETSIGMASK, uintptr(tid), 8, uintptr(unsafe.Pointer(&mask)), 0, 0)
}

// blockedSignals is a thread's signal mask: bit n-1 for signal n.
func blockedSignals(tid int) (uint64, bool) {
	var mask uint64
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGMASK, uintptr(tid), 8, uintptr(unsafe.Pointer(&mask)), 0, 0)
	return mask, e == 0
}
