package waits

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// Pace says how a thread moves that does not simply wait.
type Pace string

// The paces. The tokens are part of the report contract.
const (
	Circles Pace = "circles" // alone it would go round for ever: two rounds of a loop were the same, register by register
	Stays   Pace = "stays"   // it runs, and in all looks it was in the same call of the same function
	Moves   Pace = "moves"   // it runs through calls that begin and end, or its reads and writes succeed one after another
)

// busyWakes is how often in the last second at most a thread wakes that waits.
const busyWakes = 5

// Bounds of what is taken from a core's note.
const (
	maxLoop  = 256
	maxLooks = 64
)

// paces says of each thread whether it moves.
func (a *analysis) paces(g *Graph) {
	for i := range a.c.Threads {
		w, t := &g.Waits[i], &a.c.Threads[i]
		switch {
		case w.Kind == Running:
			a.running(i, w)
		case transfers(t):
			w.Pace = Moves
		}
	}
}

// transfers reports whether a thread that was found waiting had been reading or writing all the time before.
func transfers(t *crash.Thread) bool {
	x := t.Activity
	return x != nil && x.Calls > busyWakes && x.Bytes > 0
}

func (a *analysis) running(i int, w *Wait) {
	m := a.c.Threads[i].Motion
	switch {
	case transfers(&a.c.Threads[i]):
		w.Pace = Moves
	case m == nil:
	case len(m.Loop) > maxLoop || len(m.Looks) > maxLooks:
	case len(m.Loop) > 0 && a.changesNothing(m.Loop):
		w.Pace = Circles
		w.Reads = a.readIn(i, m.Loop)
		if a.names != nil && w.Reads != 0 {
			if sym, _, ok := a.names.LookupData(w.Reads); ok && sym.Name != "" {
				w.Name = variable(sym.Name, w.Reads-sym.Start)
			}
		}
	case len(m.Looks) > 1:
		looks := m.Looks
		if m.Steps > 0 {
			looks = append(slices.Clone(looks), m.Shallow)
		}
		w.Pace, w.Steady = a.movement(i, looks)
	}
}

// changesNothing reports whether a round leaves memory as it was when all registers were the same in two of them: what it
// stores came out of registers, and was stored in the round before. That does not hold for an instruction that changes
// memory in place, nor for vector registers, which were compared at the ends of the rounds only.
func (a *analysis) changesNothing(loop []uint64) bool {
	for _, pc := range loop {
		in, ok := a.instruction(pc)
		if !ok {
			return false
		}
		s := in.Summary()
		if s.Vector && s.Store {
			return false
		}
		switch in.Op {
		case x86asm.CMPXCHG, x86asm.XCHG, x86asm.XADD:
			continue // the old value comes into a register
		}
		for _, x := range in.Effects().Access {
			if x.Read && x.Write && !x.Implicit {
				return false
			}
		}
	}
	return true
}

// readIn is the one place in memory that a round reads with its own instructions, apart from the stack; 0 when there is
// none, or more.
func (a *analysis) readIn(i int, loop []uint64) uint64 {
	var places []uint64
	r := &a.c.Threads[i].Regs
	for _, pc := range loop {
		in, ok := a.instruction(pc)
		if !ok {
			return 0
		}
		for _, x := range in.Effects().Access {
			if !x.Read || x.Implicit {
				continue
			}
			addr, ok := x.Mem.Address(func(n insn.Reg) (uint64, bool) {
				if reg, general := n.General(); general {
					return r.Get(reg), keptOverCalls[reg] || reg == crash.RDI || reg == crash.RSI
				}
				return 0, false
			}, func(x86asm.Reg) (uint64, bool) { return 0, false })
			if ok && !a.onStack(i, addr) && !slices.Contains(places, addr) {
				places = append(places, addr)
			}
		}
	}
	if len(places) == 1 {
		return places[0]
	}
	return 0
}

func (a *analysis) onStack(i int, addr uint64) bool {
	sp := a.c.Threads[i].Regs.RSP
	m, ok := a.c.MappingAt(sp)
	return ok && m.Contains(addr) && addr+128 >= sp
}

func (a *analysis) instruction(pc uint64) (insn.Insn, bool) {
	if a.names == nil {
		return insn.Insn{}, false
	}
	code, _, err := a.names.Code(pc, insn.MaxLen)
	if err != nil {
		return insn.Insn{}, false
	}
	in, err := insn.Decode(code, pc)
	return in, err == nil
}

// movement finds the innermost call of a function of the program that lasted over all looks: one is over, or had not begun,
// when the stack pointer was above its frame. When it is not the innermost one now, calls begin and end inside of it.
func (a *analysis) movement(i int, looks []crash.Look) (p Pace, frame int) {
	if i >= len(a.stacks) {
		return "", 0
	}
	p = Stays
	for j := range a.stacks[i].Frames {
		f := &a.stacks[i].Frames[j]
		k := a.classified(f)
		switch {
		case foreign(k.Kind) || f.Symbol.Name == "":
		case !f.CFA.Known:
			return "", 0
		case a.lasted(f.CFA.Value, looks):
			return p, j
		default:
			p = Moves
		}
	}
	if p == Stays { // it stands in no function of the program
		return "", 0
	}
	return p, 0
}

// lasted reports whether a call was there in all looks. One at which the thread stood on another stack does not tell: a
// coroutine that is suspended is still in its calls.
func (a *analysis) lasted(cfa uint64, looks []crash.Look) bool {
	m, known := a.c.MappingAt(cfa - 8)
	for _, l := range looks {
		if known && !m.Contains(l.SP) {
			continue
		}
		if l.SP >= cfa || cfa-l.SP > stackSearched {
			return false
		}
	}
	return true
}
