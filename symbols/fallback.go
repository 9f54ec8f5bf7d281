package symbols

import (
	"errors"
	"fmt"

	"meshdiag/crash"
)

// scanWords is how far up the stack a return address is looked for: 16 KiB.
const scanWords = 2048

// fromBadPC handles a program counter that is no code: a call or jump went to a bad address, or a return popped one.
// A call leaves the caller's address on top of the stack and changes no register.
func (w *walker) fromBadPC(f *walked, bad string) (next walked, more bool) {
	pc := f.code.Addr
	rsp, err := f.regs.get(crash.RSP)
	if err != nil {
		return next, w.stop("there is no code at %#x (%s), and the stack pointer is not known", pc, bad)
	}
	// A return leaves what it took just below the stack pointer; a call to NULL may find an old zero there.
	if popped, err := w.mem.read(rsp-8, 8); err == nil && popped == pc && pc != 0 {
		return w.scan(f, fmt.Sprintf("a return took %#x%s from the stack at [%#x], where no code is (%s): the stack is overwritten",
			pc, asText(pc), rsp-8, bad))
	}
	if ra, err := w.mem.read(rsp, 8); err == nil {
		if target, direct, ok := w.calledFrom(ra); ok {
			return w.intoNowhere(f, ra, target, direct && target != pc), true
		}
	}
	return w.scan(f, fmt.Sprintf("there is no code at %#x (%s) and the top of the stack holds no return address", pc, bad))
}

// intoNowhere makes the frame of the function whose call went to the bad address. jumped tells that the call itself
// goes somewhere else, so that its callee must have jumped on.
func (w *walker) intoNowhere(f *walked, ra, target uint64, jumped bool) walked {
	next := walked{regs: f.regs, code: crash.ReturnAddress(ra), trust: TrustCFI}
	rsp := f.regs.val[crash.RSP] + 8
	f.cfa, f.cfaHow = rsp, byCFI
	next.why = "the call reached no code, so nothing was pushed: its return address is on top of the stack"
	for n := range next.regs.how {
		next.regs.how[n] = carried(next.regs.how[n])
	}
	if jumped {
		next.why = fmt.Sprintf("its call goes to %s, which jumped on to the bad address; the return address is on top of the stack",
			w.s.name(target))
		for n := crash.RegNum(0); n < crash.NumRegs; n++ {
			if !calleeSaved(n) {
				next.regs.how[n] = notKnown
			}
		}
	}
	next.regs.set(crash.RIP, ra, byCFI)
	next.regs.set(crash.RSP, rsp, byCFI)
	return next
}

// name is the raw symbol at addr, or the bare address.
func (s *Symbolizer) name(addr uint64) string {
	if sym, _, ok := s.Lookup(crash.PC(addr)); ok {
		return sym.Name
	}
	return fmt.Sprintf("%#x", addr)
}

// calledFrom reports whether ra is code that stands just behind a call.
func (w *walker) calledFrom(ra uint64) (target uint64, direct, ok bool) {
	if ra == 0 || w.s.notCode(ra-1) != "" {
		return 0, false, false
	}
	return w.s.callBefore(ra)
}

// withoutRow finds the caller of a frame that has no usable unwind row. reason says why it has none.
func (w *walker) withoutRow(f *walked, reason error) (next walked, more bool) {
	if w.s.isSigreturn(f.code.Addr) {
		return w.fromSigframe(f)
	}
	if w.isEntry(f.code.Lookup()) {
		return next, false
	}
	why := fmt.Sprintf("%s: %v", w.s.name(f.code.Lookup()), reason)
	if !f.code.IsReturn && w.s.beforeStubJump(f.code.Addr) {
		if c, err := entryRow.step(&f.regs, w.mem, 0); err == nil {
			return w.fromRow(f, &entryRow, &c)
		}
	}
	if next, ok := w.frameless(f, why); ok {
		return next, true
	}
	rbp, rbpErr := f.regs.get(crash.RBP)
	if _, err := w.mem.read(f.regs.val[crash.RSP], 8); err != nil && f.regs.how[crash.RSP] != notKnown {
		if errors.As(reason, new(*crash.UnreadableError)) {
			return next, w.stop("%s", why)
		}
		return next, w.stop("%s; the stack cannot be read: %v", why, err)
	}
	if rbpErr == nil && rbp == 0 && w.nearTop(f.regs.val[crash.RSP]) {
		return next, false // the psABI's mark of the outermost frame (section 3.4.1)
	}
	if next, ok := w.byFramePointer(f, why); ok {
		return next, true
	}
	return w.scan(f, why)
}

// entryRow is the row of any function before its first instruction: only the return address was pushed.
var entryRow = func() (r row) {
	r.cfa = rule{kind: ruleRegOffset, reg: crash.RSP, off: 8}
	r.regs[crash.RIP] = rule{kind: ruleOffset, off: -8}
	return r
}()

// isEntry reports whether addr lies at the entry point of its module, which nobody calls.
func (w *walker) isEntry(addr uint64) bool {
	const entryCode = 128
	m, ok := w.s.ModuleAt(addr)
	return ok && m.img != nil && m.img.hdr.entry != 0 && addr-(m.img.hdr.entry+m.Bias) < entryCode
}

// frameless handles the innermost function before it has pushed anything: the top of the stack is a return address
// behind a direct call to this very function.
func (w *walker) frameless(f *walked, why string) (next walked, ok bool) {
	if f.code.IsReturn {
		return next, false
	}
	rsp := f.regs.val[crash.RSP]
	ra, err := w.mem.read(rsp, 8)
	if err != nil {
		return next, false
	}
	target, direct, ok := w.calledFrom(ra)
	if !ok || !direct || target > f.code.Addr || f.code.Addr-target >= maxLabelReach {
		return next, false
	}
	f.cfa, f.cfaHow = rsp+8, byGuess
	next = walked{code: crash.ReturnAddress(ra), trust: TrustScan,
		why: why + "; the top of the stack is the return address of a call to it"}
	for n := crash.RegNum(0); n < crash.NumRegs; n++ {
		if calleeSaved(n) {
			next.regs.set(n, f.regs.val[n], byGuess)
		}
	}
	next.regs.set(crash.RIP, ra, byGuess)
	next.regs.set(crash.RSP, rsp+8, byGuess)
	w.taint = weak(f.index+1, "found without an unwind row")
	return next, true
}

func weak(index int, how string) string {
	return fmt.Sprintf("reached through frame %d, which was %s", index, how)
}

// byFramePointer follows rbp, when what it points to is a believable frame record on the same stack.
func (w *walker) byFramePointer(f *walked, why string) (next walked, ok bool) {
	rbp, err := f.regs.get(crash.RBP)
	rsp, err2 := f.regs.get(crash.RSP)
	if err != nil || err2 != nil || rbp&7 != 0 || rbp < rsp || !w.mapping(rsp).Contains(rbp) {
		return next, false
	}
	saved, err := w.mem.read(rbp, 8)
	if err != nil {
		return next, false
	}
	ra, err := w.mem.read(rbp+8, 8)
	if err != nil {
		return next, false
	}
	if _, _, ok := w.calledFrom(ra); !ok {
		return next, false
	}
	f.cfa, f.cfaHow = rbp+16, byGuess
	next = walked{code: w.returnCode(ra), trust: TrustFP, why: why}
	next.regs.set(crash.RIP, ra, byGuess)
	next.regs.set(crash.RSP, rbp+16, byGuess)
	next.regs.set(crash.RBP, saved, byGuess)
	w.taint = weak(f.index+1, "found by its frame pointer")
	return next, true
}

// scan looks up the stack for a word that points behind a call. What it finds may be stale.
func (w *walker) scan(f *walked, why string) (next walked, more bool) {
	rsp, err := f.regs.get(crash.RSP)
	if err != nil {
		return next, w.stop("%s; and the stack pointer is not known", why)
	}
	if w.scans++; w.scans > maxScans {
		return next, w.stop("%s; and too many frames had to be searched for already", why)
	}
	slot, blind := (rsp+7)&^7, 0
	for end := slot + scanWords*8; slot < end; slot += 8 {
		v, err := w.mem.read(slot, 8)
		if err != nil {
			break
		}
		if _, _, ok := w.calledFrom(v); !ok {
			if w.s.notCode(v-1) == "" && w.s.codeBytes(v-1, 1) == nil {
				blind++
			}
			continue
		}
		f.cfa, f.cfaHow = slot+8, byGuess
		switch {
		case blind == 1:
			why += "; a word before it points into code that is not at hand: a frame may be missing"
		case blind > 1:
			why += fmt.Sprintf("; %d words before it point into code that is not at hand: frames may be missing", blind)
		}
		next = walked{code: crash.ReturnAddress(v), trust: TrustScan,
			why: fmt.Sprintf("%s; this return address was found %d bytes up the stack and may be stale", why, slot-rsp)}
		next.regs.set(crash.RIP, v, byGuess)
		next.regs.set(crash.RSP, slot+8, byGuess)
		w.guessFramePointer(f, &next, slot)
		w.taint = weak(f.index+1, "found by searching the stack")
		return next, true
	}
	return next, w.stop("%s; no return address was found in %d bytes of stack above it", why, slot-rsp)
}

// guessFramePointer keeps rbp for the caller when it points above the return address, or takes the saved one below it.
func (w *walker) guessFramePointer(f, next *walked, slot uint64) {
	rbp, err := f.regs.get(crash.RBP)
	switch {
	case err != nil:
	case rbp == slot-8:
		if saved, err := w.mem.read(rbp, 8); err == nil {
			next.regs.set(crash.RBP, saved, byGuess)
		}
	case rbp > slot && w.mapping(slot).Contains(rbp):
		next.regs.set(crash.RBP, rbp, byGuess)
	}
}

// Layout of the signal frame at rsp when the trampoline starts (struct rt_sigframe without its return address:
// linux/arch/x86/include/asm/sigframe.h, struct ucontext, struct sigcontext_64).
const (
	sigframeRegs  = 40 // uc_flags, uc_link, uc_stack; then r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip
	sigframeWords = 17
)

var sigframeOrder = [sigframeWords]crash.RegNum{crash.R8, crash.R9, crash.R10, crash.R11, crash.R12, crash.R13,
	crash.R14, crash.R15, crash.RDI, crash.RSI, crash.RBP, crash.RBX, crash.RDX, crash.RAX, crash.RCX, crash.RSP, crash.RIP}

// fromSigframe restores the interrupted registers where the trampoline has no unwind row (musl): the kernel's layout
// of the frame is fixed.
func (w *walker) fromSigframe(f *walked) (next walked, more bool) {
	rsp, err := f.regs.get(crash.RSP)
	if err != nil {
		return next, w.stop("the signal frame cannot be found: %v", err)
	}
	next = walked{trust: TrustContext, signal: true, why: w.taint}
	for i, n := range sigframeOrder {
		v, err := w.mem.read(rsp+sigframeRegs+uint64(i)*8, 8)
		if err != nil {
			return next, w.stop("the signal frame cannot be read: %v", err)
		}
		next.regs.set(n, v, byContext)
	}
	next.code = crash.PC(next.regs.val[crash.RIP])
	f.cfa, f.cfaHow = next.regs.val[crash.RSP], byCFI
	if !w.mapping(rsp).Contains(next.regs.val[crash.RSP]) {
		next.sw = "signal stack"
	}
	return next, w.cross(rsp)
}
