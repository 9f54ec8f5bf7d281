package postmortem

import (
	"encoding/binary"

	"meshdiag/crash"
)

// A program that catches its own fault and then aborts (Rust's standard library does on a stack overflow, and so do crash
// reporters) leaves a core of the abort. The fault itself is still there: the kernel put the registers and the siginfo of
// that moment on the stack of the handler, which has not returned.
//
// struct rt_sigframe and struct ucontext (linux/arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h), from the frame's start:
const (
	frameContext  = 8                  // after the address of the restorer: uc_flags, uc_link, stack_t
	frameRegs     = frameContext + 40  // r8 to r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags
	frameSegments = frameRegs + 18*8   // cs, gs, fs, ss of 2 bytes each
	frameTrap     = frameRegs + 20*8   // trapno
	frameCR2      = frameRegs + 22*8   // the address of a page fault
	frameFP       = frameRegs + 23*8   // address of the saved floating point state
	frameInfo     = frameContext + 304 // siginfo_t
	frameSize     = frameInfo + 128

	userCS      = 0x33 // linux/arch/x86/include/asm/segment.h, __USER_CS
	maxFPOffset = 64 << 10
	maxTrap     = 32 // processor exceptions

	frameSearch = 256 << 10 // bytes of stack that are searched
	maxFrames   = 8
)

// interrupted finds the faults whose handlers the dying thread is still in, oldest first.
func interrupted(c *crash.Crash) []crash.Sighting {
	t := c.FocusThread()
	if t == nil || !t.RegsOK || c.Outcome.End != crash.EndSignal {
		return nil
	}
	m, ok := c.MappingAt(t.Regs.RSP)
	if !ok {
		return nil
	}
	buf := make([]byte, min(m.End-t.Regs.RSP, frameSearch))
	n, _ := c.Memory.ReadMemory(buf, t.Regs.RSP)
	buf = buf[:n]
	var found []crash.Sighting
	// The kernel aligns the frame as if it were the stack at a function's entry: 8 below a multiple of 16.
	first := int((24 - t.Regs.RSP&15) & 15)
	for off := first; off+frameSize <= len(buf) && len(found) < maxFrames; off += 16 {
		if s, ok := signalFrame(c, t, buf[off:off+frameSize], t.Regs.RSP+uint64(off)); ok {
			found = append([]crash.Sighting{s}, found...)
		}
	}
	return found
}

// signalFrame reads one frame if it is one: what the kernel fills in leaves no room for chance.
func signalFrame(c *crash.Crash, t *crash.Thread, b []byte, addr uint64) (crash.Sighting, bool) {
	le := binary.LittleEndian
	word := func(off int) uint64 { return le.Uint64(b[off:]) }
	fp := word(frameFP)
	if word(frameContext) > 7 || word(frameContext+8) != 0 || le.Uint16(b[frameSegments:]) != userCS ||
		word(frameTrap) >= maxTrap || fp != 0 && (fp&63 != 0 || fp < addr+frameSize-64 || fp > addr+maxFPOffset) {
		return crash.Sighting{}, false
	}
	if m, ok := c.MappingAt(word(0)); !ok || m.PermsOK && m.Perms&crash.Exec == 0 {
		return crash.Sighting{}, false // no restorer
	}
	sig := parseSiginfo(b[frameInfo:])
	if sig == nil || !sig.IsFault() || sig.Name() == "SIGSEGV" && sig.HasAddress() && sig.Address != word(frameCR2) {
		return crash.Sighting{}, false
	}
	then := crash.Thread{TID: t.TID, Name: t.Name, Regs: frameRegisters(b, t.Regs), RegsOK: true, Signal: sig}
	if base, size := word(frameContext+16), word(frameContext+32); size != 0 && base+size > base {
		then.AltStack = crash.Range{Start: base, End: base + size}
	}
	return crash.Sighting{Why: "signal", Thread: then, Memory: crash.NoMemory{}, Signal: sig, Handled: true, Final: true}, true
}

// frameRegisters are the registers at the fault; what the frame does not hold has not changed since.
func frameRegisters(b []byte, r crash.Regs) crash.Regs {
	for i, slot := range []*uint64{&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15, &r.RDI, &r.RSI, &r.RBP, &r.RBX,
		&r.RDX, &r.RAX, &r.RCX, &r.RSP, &r.RIP, &r.EFLAGS} {
		*slot = binary.LittleEndian.Uint64(b[frameRegs+8*i:])
	}
	r.OrigRAX = ^uint64(0) // a fault is no system call
	return r
}
