package symbols

import (
	"fmt"

	"meshdiag/crash"
)

// Bounds of one walk.
const (
	defaultMaxFrames = 256
	outermostKept    = 64        // of a stack deeper than asked for; half of what was asked for if that is less
	maxDepth         = 1_000_000 // frames walked at all
	maxScans         = 16        // frames that may be found by scanning
	maxSwitches      = 1000      // stacks that may be crossed
)

// walked is one frame while walking: small, because deep recursions pass through here.
type walked struct {
	regs   registers
	code   crash.CodeAddress
	cfa    uint64
	cfaHow known
	index  int
	trust  Trust
	signal bool
	sw     string
	why    string
}

// walker unwinds one stack.
type walker struct {
	s   *Symbolizer
	mem *window
	out Stack
	max int

	head []walked
	ring []walked // the latest frames beyond head
	next int      // where the ring's oldest frame is

	stack    crash.Range // mapping of the stack being walked
	scans    int
	switches map[uint64]bool
	taint    string // why the frames from here on rest on a weak step
}

// Unwind walks the stack of t from its registers and keeps at most max frames (0: 256). mem is the memory to read the
// stack from; nil means the crash's own. Every frame says how it was found; Truncated says why the walk ended early.
// Names are filled in, lines and demangled names are left to Describe.
func (s *Symbolizer) Unwind(t *crash.Thread, mem crash.Memory, max int) Stack {
	if max <= 0 {
		max = defaultMaxFrames
	}
	if mem == nil {
		mem = s.crash.Memory
	}
	w := &walker{s: s, mem: &window{mem: mem}, max: max, out: Stack{Thread: t}}
	if !t.RegsOK {
		w.out.Truncated = "the thread's registers could not be read"
		return w.out
	}
	if t.Runs32() {
		w.out.Truncated = "the thread ran 32-bit code, whose stack is not read"
		return w.out
	}
	f := walked{regs: contextRegisters(&t.Regs), code: crash.PC(t.Regs.RIP), trust: TrustContext}
	// A damaged table must cost frames, never the report: rows are fenced where they are parsed, this is for the rest.
	if err := fence("the stack walk", func() error { w.walk(f); return nil }); err != nil {
		w.out.Truncated = err.Error()
	}
	w.finish()
	return w.out
}

func (w *walker) walk(f walked) {
	for {
		f.index = w.out.Depth
		w.out.Depth++
		next, more := w.step(&f)
		w.keep(f)
		if !more {
			return
		}
		if w.out.Depth >= maxDepth {
			w.out.Truncated = fmt.Sprintf("the stack has more than %d frames", maxDepth)
			return
		}
		f = next
	}
}

// keep stores a frame: the innermost ones as they come, then the latest in a ring.
func (w *walker) keep(f walked) {
	outer := min(outermostKept, w.max/2)
	switch {
	case len(w.head) < w.max-outer:
		w.head = append(w.head, f)
	case len(w.ring) < outer:
		w.ring = append(w.ring, f)
	case outer > 0:
		w.ring[w.next] = f
		w.next = (w.next + 1) % outer
	}
}

// finish turns the kept frames into their public form.
func (w *walker) finish() {
	frames := append(w.head, w.ring[w.next:]...)
	frames = append(frames, w.ring[:w.next]...)
	w.out.Frames = make([]Frame, len(frames))
	for i := range frames {
		w.s.publish(&w.out.Frames[i], &frames[i])
	}
	if w.out.Depth > len(frames) {
		w.out.Elided = w.out.Depth - len(frames)
		w.out.ElidedAt = len(w.head)
	}
}

// publish fills in a frame's documented form, with module and symbol.
func (s *Symbolizer) publish(to *Frame, f *walked) {
	*to = Frame{Index: f.index, Code: f.code, Regs: f.regs.public(), Trust: f.trust, Why: f.why, Signal: f.signal, Switch: f.sw}
	if f.cfaHow != notKnown {
		to.CFA = Reg{Value: f.cfa, Known: true, How: knownSource[f.cfaHow]}
	}
	sym, m, ok := s.Lookup(f.code)
	if ok {
		to.Symbol = sym
	}
	if m != nil {
		to.Module, to.Offset = m, f.code.Addr-m.Bias
	}
}

// step finds the caller of f, by the best way that works, and notes f's frame address. more is false when the walk is
// over; w.out.Truncated then says why, or is empty at a true end.
func (w *walker) step(f *walked) (next walked, more bool) {
	w.s.arrive(f.code.Lookup())
	e := w.s.rowAt(f.code.Lookup())
	if e.bad != "" {
		return w.fromBadPC(f, e.bad)
	}
	reason := e.err
	if e.row != nil {
		bias := uint64(0)
		if e.module != nil {
			bias = e.module.Bias
		}
		c, err := e.row.step(&f.regs, w.mem, bias)
		if err == nil {
			return w.fromRow(f, e.row, &c)
		}
		reason = err
	}
	return w.withoutRow(f, reason)
}

// fromRow checks what the unwind row yielded and makes the caller's frame of it.
func (w *walker) fromRow(f *walked, r *row, c *caller) (next walked, more bool) {
	f.cfa, f.cfaHow = c.cfa, byCFI
	if c.outermost {
		return next, false
	}
	ra := c.regs.val[crash.RIP]
	interrupted := r.signal && r.restoresAll()
	w.s.arrive(ra)
	if !interrupted {
		if ra == 0 && c.regs.val[crash.RSP] > f.regs.val[crash.RSP] && w.nearTop(c.raSlot) {
			return next, false // the convention of threads and coroutines that start without a caller
		}
		if bad := w.s.rowAt(ra - 1).bad; bad != "" {
			return next, w.stop("return address %#x%s%s is not code (%s): the stack is overwritten there, or the frame is not laid out as its unwind information says", ra, asText(ra), at(c.raSlot), bad)
		}
	}
	sw, ok := w.checkMove(f, r, c, interrupted)
	if !ok {
		return next, false
	}
	next = walked{regs: c.regs, trust: TrustCFI, sw: sw, why: w.taint, signal: interrupted}
	if interrupted {
		next.code, next.trust = crash.PC(ra), TrustContext
	} else {
		next.code = w.returnCode(ra)
	}
	return next, true
}

// returnCode is the code address of a frame that a return address leads to. Signal trampolines are never called: what
// looks like a return address there is the first instruction to run, and the byte before it belongs to somebody else.
func (w *walker) returnCode(ra uint64) crash.CodeAddress {
	if e := w.s.rowAt(ra - 1); e.row != nil && !e.row.signal {
		return crash.ReturnAddress(ra)
	}
	if e := w.s.rowAt(ra); e.row != nil && e.row.signal || w.s.isSigreturn(ra) {
		return crash.PC(ra)
	}
	return crash.ReturnAddress(ra)
}

// checkMove makes sure that the walk goes up the stack, or crosses to another one by a way that is known to do so.
func (w *walker) checkMove(f *walked, r *row, c *caller, interrupted bool) (sw string, ok bool) {
	rsp, from := c.regs.val[crash.RSP], f.regs.val[crash.RSP]
	if w.stack.Size() == 0 || !w.stack.Contains(from) {
		w.stack = w.mapping(from)
	}
	sameStack := rsp >= w.stack.Start && rsp <= w.stack.End
	if f.regs.how[crash.RSP] == notKnown || rsp > from && (sameStack || r.cfaFromRSP() || w.overflowed(from)) {
		w.stack = w.mapping(rsp - 1)
		return "", true
	}
	borrowed := r.signal || r.switchesStack() // rows that say: the frame above stands elsewhere
	switch {
	case interrupted:
		sw = "signal stack"
	case borrowed || !sameStack && w.readable(rsp):
		sw = "coroutine"
	case sameStack:
		return "", w.stop("the frame address goes back from %#x to %#x: the stack is overwritten or links to itself", from, rsp)
	default:
		return "", w.stop("the frame address %#x is not readable memory: the stack is overwritten", rsp)
	}
	return sw, w.cross(rsp)
}

// overflowed reports whether a stack pointer has left its stack: it points to no memory that could be one. The frame that
// is too large for its stack still belongs to it.
func (w *walker) overflowed(rsp uint64) bool {
	m, ok := w.s.crash.MappingAt(rsp)
	return !ok || m.PermsOK && m.Perms&crash.Write == 0
}

// cross notes that the walk went on to another stack, and stops it when it has been at this place before.
func (w *walker) cross(rsp uint64) bool {
	if w.switches == nil {
		w.switches = make(map[uint64]bool)
	}
	if w.switches[rsp] || len(w.switches) >= maxSwitches {
		return w.stop("the stacks link back to one another at %#x", rsp)
	}
	w.switches[rsp] = true
	w.stack = crash.Range{}
	return true
}

// stop ends the walk with a reason.
func (w *walker) stop(format string, args ...any) bool {
	w.out.Truncated = fmt.Sprintf(format, args...)
	return false
}

func (w *walker) mapping(addr uint64) crash.Range {
	if mp, ok := w.s.crash.MappingAt(addr); ok {
		return mp.Range
	}
	return crash.Range{}
}

func (w *walker) readable(addr uint64) bool {
	_, err := w.mem.read(addr-8, 8)
	return err == nil
}

// stackTop is how near to its stack's upper end a frame must be for a zero return address or frame pointer to be
// believed as the end: C libraries put thread blocks and coroutine headers there.
const stackTop = 16 << 10

func (w *walker) nearTop(slot uint64) bool {
	r := w.mapping(slot)
	return r.Contains(slot) && r.End-slot <= stackTop
}

// at names the stack slot that a value was read from.
func at(slot uint64) string {
	if slot == 0 {
		return ""
	}
	return fmt.Sprintf(" at [%#x]", slot)
}

// asText shows a value whose bytes are all printable: text that ran over the stack.
func asText(v uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (8 * i))
		if b[i] < 0x20 || b[i] > 0x7e {
			return ""
		}
	}
	return fmt.Sprintf(" (the text %q)", b[:])
}
