package startup

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance/insn"
)

// function is one decoded function: what it prints and calls, in the order of its code, and where its jumps go.
type function struct {
	lo, hi uint64
	name   string
	events []event
	places []place
}

// place is one instruction and where execution goes from it.
type place struct {
	addr uint64
	to   uint64 // target of a jump inside the function; 0 none
	ends bool   // it never goes on to the next instruction
}

// event is a call in a function.
type event struct {
	at, end  uint64     // the call instruction and what comes after it
	load     uint64     // for a message: the instruction that loads its first piece
	texts    [][]string // for a message: its pieces; nil for other calls
	callee   string
	target   uint64    // entry of the called function, 0 unknown
	inside   *function // the called function, when it prints messages itself
	dropped  bool      // not a start-up message: a failure, or a branch that ends the program
	optional bool      // not on every path
}

func (f *function) prints() bool {
	return slices.ContainsFunc(f.events, func(e event) bool { return !e.dropped && (e.texts != nil || e.inside != nil) })
}

// argRegs are the registers of the first six arguments (System V psABI 3.2.3).
var argRegs = [6]insn.Reg{insn.RDI, insn.RSI, insn.RDX, insn.RCX, insn.Reg(crash.R8), insn.Reg(crash.R9)}

// scratch are the registers that a call does not preserve.
var scratch = []insn.Reg{insn.RAX, insn.RCX, insn.RDX, insn.RSI, insn.RDI, insn.Reg(crash.R8), insn.Reg(crash.R9),
	insn.Reg(crash.R10), insn.Reg(crash.R11)}

// known is a register's constant value and the instruction that loaded it.
type known struct {
	value uint64
	load  uint64
	ok    bool
}

// path is what is known at one place when it is reached in one way.
type path struct {
	regs   [16]known
	pieces []piece // constants made into strings since the last print
	chosen selection
}

// selection is the side that conditional moves take on a path, so that an address and its length are chosen together.
type selection struct {
	op   x86asm.Op // of the conditional move; 0 none yet
	side int
}

// piece is a constant string and the instruction that loaded it.
type piece struct {
	text string
	load uint64
}

// maxPaths bounds the ways to one place that are kept apart.
const maxPaths = 4

// walk decodes the function from its start to its end. Values of registers are followed along the code and forward
// jumps; bytes that do not decode are skipped, and nothing is known behind them.
func (f *function) walk(code []byte, r *reader) {
	waiting := map[uint64][]path{} // at targets of forward jumps
	paths := []path{{}}
	for off := 0; off < len(code); {
		at := f.lo + uint64(off)
		if more := waiting[at]; more != nil {
			paths = join(paths, more)
			delete(waiting, at)
		}
		in, err := insn.Decode(code[off:], at)
		if err != nil || in.Len <= 0 {
			off, paths = off+1, nil
			continue
		}
		off += in.Len
		paths = f.one(&in, paths, waiting, r)
	}
}

// one adds an instruction to the function and follows what is known through it.
func (f *function) one(in *insn.Insn, paths []path, waiting map[uint64][]path, r *reader) []path {
	pl := place{addr: in.Addr}
	if in.HasTarget && in.Flow != insn.FlowCall && in.Target >= f.lo && in.Target < f.hi {
		pl.to = in.Target
		if in.Target > in.Addr {
			waiting[in.Target] = join(waiting[in.Target], paths)
		}
	}
	switch in.Flow {
	case insn.FlowCall:
		pl.ends = f.call(in, paths, r)
	case insn.FlowJump:
		pl.ends = true
		if _, bound := slotOf(in); pl.to == 0 && (in.HasTarget || bound) {
			f.call(in, paths, r) // a tail call
		}
	case insn.FlowRet, insn.FlowTrap:
		pl.ends = true
	case insn.FlowCond:
	default:
		paths = follow(in, paths)
	}
	f.places = append(f.places, pl)
	if pl.ends {
		return nil
	}
	return paths
}

// join adds ways to a place, at most maxPaths.
func join(a, b []path) []path {
	out := slices.Clone(a)
	for _, p := range b {
		if len(out) == maxPaths {
			break
		}
		p.pieces = slices.Clone(p.pieces)
		if !slices.ContainsFunc(out, func(q path) bool { return q.regs == p.regs && slices.Equal(q.pieces, p.pieces) }) {
			out = append(out, p)
		}
	}
	return out
}

// follow follows constants through one instruction that is no branch. A conditional move between two constants makes two
// paths of one.
func follow(in *insn.Insn, paths []path) []path {
	if len(paths) == 0 {
		return nil
	}
	eff := in.Effects()
	if w, ok := selects(&eff); ok {
		return choose(in, w, paths)
	}
	for i := range paths {
		before := paths[i].regs
		for _, w := range eff.Writes {
			if w.Dst.Kind != insn.RegOperand {
				continue
			}
			if _, general := w.Dst.Reg.General(); general {
				paths[i].regs[w.Dst.Reg] = assigned(in, &w, &before)
			}
		}
	}
	return paths
}

// selects finds a conditional move between whole general registers.
func selects(eff *insn.Effects) (*insn.Write, bool) {
	if len(eff.Writes) != 1 || eff.Writes[0].Kind != insn.Select || len(eff.Writes[0].Src) != 2 {
		return nil, false
	}
	w := &eff.Writes[0]
	for _, o := range []insn.Operand{w.Dst, w.Src[0], w.Src[1]} {
		if _, general := o.Reg.General(); o.Kind != insn.RegOperand || !general || o.Lo != 0 || o.Len < 4 {
			return nil, false
		}
	}
	return w, true
}

func choose(in *insn.Insn, w *insn.Write, paths []path) []path {
	var out []path
	for i := range paths {
		for side, src := range w.Src {
			p := paths[i]
			if p.chosen.op == in.Op && p.chosen.side != side || len(out) >= maxPaths {
				continue
			}
			p.pieces = slices.Clone(p.pieces)
			p.chosen = selection{in.Op, side}
			p.regs[w.Dst.Reg] = paths[i].regs[src.Reg]
			out = append(out, p)
		}
	}
	return out
}

// assigned is the constant that a write gives its register, unknown for anything but a whole register made of constants.
func assigned(in *insn.Insn, w *insn.Write, regs *[16]known) known {
	if w.Dst.Lo != 0 || w.Dst.Len < 4 {
		return known{}
	}
	k := known{load: in.Addr, ok: true}
	switch w.Kind {
	case insn.Const:
		k.value = uint64(w.Imm)
	case insn.Addr:
		if len(w.Src) == 0 || w.Src[0].Mem.Base != insn.NoReg || w.Src[0].Mem.Index != insn.NoReg {
			return known{}
		}
		k.value = uint64(w.Src[0].Mem.Disp)
	case insn.Copy, insn.Zext:
		if len(w.Src) == 0 || w.Src[0].Kind != insn.RegOperand {
			return known{}
		}
		n, general := w.Src[0].Reg.General()
		if !general || w.Src[0].Lo != 0 || w.Src[0].Len < 4 {
			return known{}
		}
		k = regs[n]
	default:
		return known{}
	}
	if w.Dst.Len == 4 {
		k.value = uint64(uint32(k.value))
	}
	return k
}

// call notes a call: a constant made into a string, a message printed, or another function. It reports whether the call
// never returns.
func (f *function) call(in *insn.Insn, paths []path, r *reader) (ends bool) {
	e := event{at: in.Addr, end: in.Addr + uint64(in.Len)}
	if in.HasTarget {
		e.target, e.callee = in.Target, r.callee(in.Target)
	} else if slot, ok := slotOf(in); ok {
		if v, err := crash.ReadUint64(r.c.Memory, slot); err == nil && v != 0 {
			e.target, e.callee = v, r.callee(v)
		}
		if e.callee == "" {
			e.callee, _ = r.code.GOTName(slot)
		}
	}
	if made, ok := r.made[e.callee]; ok {
		for i := range paths {
			if p, ok := paths[i].constant(r, made.Ptr, made.Len); ok {
				paths[i].pieces = append(paths[i].pieces, p)
			}
		}
	} else if r.print[e.callee] {
		e.message(paths, r)
		for i := range paths {
			paths[i].pieces = nil
		}
		e.target = 0
		if e.texts != nil {
			f.events = append(f.events, e)
		}
	} else if e.callee != "" || e.target != 0 {
		f.events = append(f.events, e)
	}
	for i := range paths {
		paths[i].chosen = selection{}
		for _, reg := range scratch {
			paths[i].regs[reg] = known{}
		}
	}
	return r.endsProgram(e.callee)
}

// slotOf is the address of the pointer that a call through memory uses (call [rip+x]: a function bound at load time).
func slotOf(in *insn.Insn) (uint64, bool) {
	b := in.Effects().Branch
	if b.Kind != insn.MemOperand || b.Mem.Base != insn.NoReg || b.Mem.Index != insn.NoReg || b.Mem.Seg != 0 {
		return 0, false
	}
	return uint64(b.Mem.Disp), true
}

// message finds out what is printed, by each way that leads here.
func (e *event) message(paths []path, r *reader) {
	for i := range paths {
		pieces := paths[i].pieces
		if len(pieces) == 0 { // no string was made: the argument is the constant itself
			for arg := range 3 {
				if p, ok := paths[i].constant(r, arg, -1); ok {
					pieces = []piece{p}
					break
				}
			}
		}
		line := lineOf(pieces, r.p.Entry.Line)
		if line == nil {
			continue
		}
		var texts []string
		for _, p := range line {
			texts = append(texts, splitFormat(p.text)...)
		}
		if e.texts == nil {
			e.load = line[0].load
		}
		if len(texts) > 0 && !slices.ContainsFunc(e.texts, func(t []string) bool { return slices.Equal(t, texts) }) {
			e.texts = append(e.texts, texts)
		}
	}
}

// lineOf picks the pieces of one printed line: from the last one that begins like a message.
func lineOf(pieces []piece, line *profile.Pattern) []piece {
	for i := len(pieces) - 1; i >= 0; i-- {
		if line == nil || line.MatchString(pieces[i].text) {
			return pieces[i:]
		}
	}
	return nil
}

// maxConstant bounds the length of one message constant.
const maxConstant = 1024

// constant reads the text that an argument points to; length is the argument with its length, -1 for a NUL at its end.
func (p *path) constant(r *reader, arg, length int) (piece, bool) {
	ptr := p.regs[argRegs[arg]]
	if !ptr.ok || ptr.value == 0 || !r.readOnly(ptr.value) {
		return piece{}, false
	}
	n := uint64(maxConstant)
	if length >= 0 {
		l := p.regs[argRegs[length]]
		if !l.ok || l.value == 0 || l.value > maxConstant {
			return piece{}, false
		}
		n = l.value
	}
	b := r.bytes(ptr.value, int(n))
	if length >= 0 && uint64(len(b)) < n {
		return piece{}, false
	}
	if length < 0 {
		i := slices.Index(b, 0)
		if i < 0 {
			return piece{}, false
		}
		b = b[:i]
	}
	text := strings.TrimRight(string(b), "\n")
	if !printable(text) {
		return piece{}, false
	}
	return piece{text: text, load: ptr.load}, true
}

// readOnly reports whether addr lies in memory that the program does not write: constants are there.
func (r *reader) readOnly(addr uint64) bool {
	m, ok := r.c.MappingAt(addr)
	return ok && (!m.PermsOK || m.Perms&crash.Write == 0)
}

// bytes reads from the process, or from the file when the process's memory was not kept.
func (r *reader) bytes(addr uint64, n int) []byte {
	b := make([]byte, n)
	if got, _ := r.c.Memory.ReadMemory(b, addr); got > 0 {
		return b[:got]
	}
	b, _, _ = r.code.Code(addr, n)
	return b
}

func printable(s string) bool {
	return len(s) > 0 && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }) < 0
}
