package tracer

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const maxInstruction = 15 // bytes

// passOver executes the instruction under a breakpoint without taking the int3 away from the other threads, for stopping
// them would interrupt their system calls. The usual first instructions of a function are emulated; others are stepped in
// a scratch place. What can be moved neither way (it depends on where it stands) is stepped in place while all others
// stand still.
func (t *tracer) passOver(th *thread, addr uint64, bp *breakpoint, r *crash.Regs) {
	var buf [maxInstruction]byte
	mem := &liveMemory{tid: th.tid, breaks: th.proc.breaks}
	n, _ := mem.ReadMemory(buf[:], addr)
	code := buf[:n]
	if emulate(code, r, func(sp, value uint64) bool { return pushWord(th.tid, sp, value) }) && setRegs(th.tid, r) == nil {
		t.resume(th, 0)
		return
	}
	if length := movable(code); length > 0 && t.stepAside(th, addr, code[:length], r) {
		t.thawThread(th)
		return
	}
	t.freeze(th.proc)
	if poke(th.tid, addr, bp.orig) == nil {
		t.stepOnce(th)
		_ = poke(th.tid, addr, int3)
	}
	t.thaw(th.proc, nil)
}

// movable is the length of the first instruction if it does the same at any address, else 0: no branch, no call, nothing
// relative to rip, no system call.
func movable(code []byte) int {
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.PCRel != 0 {
		return 0
	}
	for _, arg := range inst.Args {
		if m, ok := arg.(x86asm.Mem); ok && m.Base == x86asm.RIP {
			return 0
		}
	}
	switch inst.Op {
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.LEA, x86asm.ADD, x86asm.SUB, x86asm.AND, x86asm.OR, x86asm.XOR,
		x86asm.CMP, x86asm.TEST, x86asm.NOP, x86asm.INC, x86asm.DEC, x86asm.PUSH, x86asm.POP, x86asm.SHL, x86asm.SHR, x86asm.SAR,
		x86asm.MOVAPS, x86asm.MOVUPS, x86asm.MOVQ, x86asm.MOVD, x86asm.PXOR, x86asm.XORPS, x86asm.IMUL, x86asm.NEG, x86asm.NOT:
		return inst.Len
	}
	return 0
}

// scratch is a place in the program's code that is not executed any more: its entry point. One instruction at a time is
// stepped there.
type scratch struct {
	at    uint64
	orig  []byte  // what stood there; nil while it was never used
	owner *thread // the thread that is on it
	home  uint64  // where the owner's instruction really stands
	len   uint64
}

func (s *scratch) hide(buf []byte, addr uint64) {
	for i, c := range s.orig {
		if a := s.at + uint64(i); a >= addr && a-addr < uint64(len(buf)) {
			buf[a-addr] = c
		}
	}
}

func (s *scratch) restore(tid int) {
	if s.orig != nil {
		if _, err := unix.PtracePokeText(tid, uintptr(s.at), s.orig); err == nil {
			s.orig = nil
		}
	}
}

// stepAside executes one instruction in the scratch place; false when that is not possible now.
func (t *tracer) stepAside(th *thread, addr uint64, code []byte, r *crash.Regs) bool {
	s := &th.proc.breaks.scratch
	if s.at == 0 || s.owner != nil {
		return false
	}
	if s.orig == nil {
		orig := make([]byte, maxInstruction+1)
		if _, err := (&liveMemory{tid: th.tid}).ReadMemory(orig, s.at); err != nil {
			return false
		}
		s.orig = orig
	}
	if _, err := unix.PtracePokeText(th.tid, uintptr(s.at), code); err != nil {
		return false
	}
	aside := *r
	aside.RIP = s.at
	if setRegs(th.tid, &aside) != nil {
		return false
	}
	s.owner, s.home, s.len = th, addr, uint64(len(code))
	th.aside = s
	t.stepOnce(th)
	return true
}

// comeHome corrects the rip of a thread that stopped on the scratch place; every stop goes through here.
func (th *thread) comeHome() {
	s := th.aside
	if s == nil {
		return
	}
	th.aside, s.owner = nil, nil
	var r crash.Regs
	if getRegs(th.tid, &r) != nil {
		return
	}
	switch r.RIP {
	case s.at: // the instruction faulted, or was not begun
		r.RIP = s.home
	case s.at + s.len:
		r.RIP = s.home + s.len
	default:
		return
	}
	_ = setRegs(th.tid, &r)
}

// stepOnce executes one instruction; whatever else happens during it is kept for the loop.
func (t *tracer) stepOnce(th *thread) {
	if step(th.tid, 0) != nil {
		return
	}
	th.state, th.stepping = running, true
	t.await(th, freezePatience)
	if !th.hasPending || int(th.pending)>>8 != int(unix.SIGTRAP) {
		return
	}
	if info, err := getSiginfo(th.tid); err == nil && info.Code == trapTrace {
		th.hasPending, th.stepping = false, false
	}
}

func pushWord(tid int, sp, value uint64) bool {
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], value)
	_, err := unix.PtracePokeData(tid, uintptr(sp), word[:])
	return err == nil
}
