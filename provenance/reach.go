package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
)

// Limits of one backward search, in instructions.
const (
	shortReach = 600
	fullReach  = 100000
)

type defKind uint8

const (
	defWrite  defKind = iota // an instruction wrote it
	defEntry                 // it was there when the function was entered
	defReturn                // a call returned it
	defOut                   // a call wrote it through a pointer that it was given
	defLost                  // the search ends here without an answer; why says so
)

// def is one way in which the wanted bytes may have come to be.
type def struct {
	kind    defKind
	at      int
	write   int   // defWrite: index of the assignment
	arg     int   // defOut: the argument that pointed at the place
	off     int64 // defOut: how far behind that pointer the place is
	partial bool  // only some of the bytes are written here
	sure    bool  // defOut: the callee writes there on every way that it can take
	partly  bool  // defOut: the callee writes there on some of its ways only
	unset   bool  // defReturn: the callee is known not to set the register
	why     string
}

// reached is the result of a backward search.
type reached struct {
	defs    []def
	region  []int    // instructions between the definitions and the use
	assumed []string // what must hold for this to be the whole truth
	suspect []int    // the stores and calls that the assumptions are about
	cut     bool     // the budget ran out
	kept    bool     // a call was crossed that is known to leave the register alone
}

func (r *reached) assume(s string) {
	for _, have := range r.assumed {
		if have == s {
			return
		}
	}
	if len(r.assumed) < 8 {
		r.assumed = append(r.assumed, s)
	}
}

// search is one backward search over a function.
type search struct {
	a     *Analyzer
	v     *view
	p     place
	out   reached
	seen  bitset
	work  []int
	entry int
	weak  []def // calls that may have written the place, if nothing else did
}

// bitset is a set of instruction numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

// add puts i into the set and reports whether it is new.
func (b bitset) add(i int) bool {
	if b[i/64]&(1<<(i%64)) != 0 {
		return false
	}
	b[i/64] |= 1 << (i % 64)
	return true
}

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// reaching finds the definitions of p that may reach instruction i (not counting i itself), along all paths.
func (a *Analyzer) reaching(v *view, i int, p place, limit int) reached {
	s := &search{a: a, v: v, p: p, seen: newBitset(len(v.fn.nodes)), entry: -1}
	if e, ok := v.fn.at(v.fn.lo); ok {
		s.entry = e
	}
	s.enter(i)
	for len(s.work) > 0 {
		if len(s.out.region) > limit || !v.spend(1) {
			s.out.cut = true
			break
		}
		j := s.work[0] // in order of distance: the nearest comes first
		s.work = s.work[1:]
		s.out.region = append(s.out.region, j)
		if !s.visit(j) {
			s.enter(j)
		}
	}
	s.settleWeak()
	if v.fn.guessed && len(s.out.defs) > 1 {
		s.out.assume("a jump whose targets could not be read leads to where it seems to")
	}
	return s.out
}

// enter queues the predecessors of i.
func (s *search) enter(i int) {
	f := s.v.fn
	if i == s.entry {
		s.add(def{kind: defEntry, at: i})
	}
	n := 0
	f.predecessors(i, func(p int) {
		if !f.reach[p] && f.reach[i] {
			return
		}
		n++
		if f.throws(p, i) && s.lostInThrow(i) {
			return
		}
		if s.seen.add(p) {
			s.work = append(s.work, p)
		}
	})
	if n == 0 && i != s.entry {
		s.add(def{kind: defLost, at: i, why: "nothing in the function leads to " + s.a.nameAt(f.nodes[i].addr)})
	}
}

// lostInThrow reports whether an exception that continues at landing pad i ends the search: the unwinder restores the
// registers that callees save and sets the two that tell the pad what was thrown; no other survives (Itanium C++ ABI,
// Exception Handling, 1.4; System V psABI x86-64, section 3.2.1).
func (s *search) lostInThrow(i int) bool {
	if s.p.kind != placeReg || calleeSaved(s.p.reg) {
		return false
	}
	if returnReg(s.p.reg) {
		s.add(def{kind: defLost, at: i, why: "an exception set it on its way to " + s.a.nameAt(s.v.fn.nodes[i].addr)})
	}
	return true
}

func (s *search) add(d def) {
	for _, have := range s.out.defs {
		if have == d {
			return
		}
	}
	s.out.defs = append(s.out.defs, d)
}

// visit looks at instruction j and reports whether the path ends there.
func (s *search) visit(j int) bool {
	if s.v.fn.nodes[j].flow == insn.FlowCall {
		return s.call(j)
	}
	if !s.v.fn.nodes[j].mayWrite(s.p) {
		return false
	}
	for k := range s.v.fn.eff(j).Writes {
		hits, covers, sure := s.a.writes(s.v, j, k, s.p)
		switch {
		case hits:
			if !sure {
				s.out.assume(fmt.Sprintf("the pointer of the store at %s was not changed since", s.a.nameAt(s.v.fn.nodes[j].addr)))
			}
			s.add(def{kind: defWrite, at: j, write: k, partial: !covers})
			return true
		case !sure:
			s.suspect(j, "the store at %s does not hit it")
		}
	}
	return false
}

// suspect notes that instruction j may have written the place, and that it is assumed that it did not.
func (s *search) suspect(j int, format string) {
	s.out.assume(fmt.Sprintf(format, s.a.nameAt(s.v.fn.nodes[j].addr)))
	s.out.suspect = append(s.out.suspect, j)
}

// writes relates assignment k of instruction j to p. sure is false when it is a store that may or may not hit.
func (a *Analyzer) writes(v *view, j, k int, p place) (hits, covers, sure bool) {
	w := &v.fn.eff(j).Writes[k]
	switch {
	case w.Dst.Kind == insn.RegOperand:
		if p.kind != placeReg || w.Dst.Reg != p.reg {
			return false, false, true
		}
		hits, covers = p.overlap(int64(w.Dst.Lo), int(w.Dst.Len))
		return hits, covers, true
	case w.Dst.Kind != insn.MemOperand || p.kind == placeReg:
		return false, false, true
	}
	return a.stores(v, j, w, p)
}

func (a *Analyzer) stores(v *view, j int, w *insn.Write, p place) (hits, covers, sure bool) {
	size := int(w.Dst.Len)
	eff := v.fn.eff(j)
	repeat := len(eff.Access) > 0 && eff.Access[0].Repeat
	if off, ok := a.slotOf(v.fn, j, w.Dst.Mem); ok && !repeat {
		if p.kind == placeSlot {
			hits, covers = p.overlap(off, size)
			return hits, covers, true
		}
		if !v.cfaOK {
			return false, false, false
		}
		hits, covers = p.overlap(int64(v.cfa)+off, size)
		return hits, covers, true
	}
	if p.kind == placeSlot && !v.fn.escapes(a, p.off) {
		return false, false, true // no pointer to the slot exists
	}
	addr := a.addressAt(v, j, w.Dst.Mem)
	if !addr.ok || repeat {
		return false, false, false
	}
	switch {
	case p.kind == placeMem:
		hits, covers = p.overlap(int64(addr.v), size)
		return hits, covers, !addr.soft
	case v.cfaOK:
		hits, covers = p.overlap(int64(addr.v-v.cfa), size)
		return hits, covers, !addr.soft
	}
	return false, false, w.Dst.Mem.Base == insn.NoReg && w.Dst.Mem.Index == insn.NoReg
}

// call decides what a call that returned means for the place, and whether the path ends there.
func (s *search) call(j int) bool {
	switch s.p.kind {
	case placeReg:
		return s.callReg(j)
	case placeSlot:
		return s.callSlot(j)
	}
	s.add(def{kind: defLost, at: j, why: fmt.Sprintf("the call at %s may have written it", s.a.nameAt(s.v.fn.nodes[j].addr))})
	return true
}

func (s *search) callReg(j int) bool {
	r := s.p.reg
	target := s.v.fn.nodes[j].target
	switch {
	case calleeSaved(r):
		return false
	case r == insn.RAX || r == insn.XMM0:
		s.add(def{kind: defReturn, at: j})
		return true
	case target != 0 && s.a.preserves(s.a.resolve(target), r):
		if returnReg(r) && !s.keptOnPurpose(j) {
			s.add(def{kind: defReturn, at: j, unset: true})
			return true
		}
		s.out.kept = true // its code shows it: nothing is assumed
		return false
	case returnReg(r):
		s.add(def{kind: defReturn, at: j})
		return true
	}
	return true // the value cannot have lived in this register across the call: no such path was taken
}

// keptOnPurpose: the function itself set the register before call j, so that it may count on the callee to leave it alone
// (gcc -fipa-ra). Otherwise whoever reads it after the call takes it for a result.
func (s *search) keptOnPurpose(j int) bool {
	before := s.a.reaching(s.v, j, s.p, shortReach)
	for _, d := range before.defs {
		if d.kind != defWrite {
			return false
		}
	}
	return len(before.defs) > 0
}

func (s *search) callSlot(j int) bool {
	f := s.v.fn
	best := passedSlot{arg: -1}
	for _, ps := range s.a.passedSlots(f, j) {
		if ps.off <= s.p.off && s.p.off-ps.off < outReach && (best.arg < 0 || ps.off > best.off) {
			best = ps
		}
	}
	if best.arg >= 0 {
		d := def{kind: defOut, at: j, arg: best.arg, off: s.p.off - best.off}
		switch s.a.writesThrough(f.nodes[j].target, best.arg, d.off) {
		case yes:
			d.sure = true
			s.add(d)
			return true
		case sometimes:
			d.partly = true
			s.add(d)
			return false // what stood there before may still do
		case no:
			return false
		}
		if d.off == 0 {
			s.add(d)
			return true
		}
		s.weak = append(s.weak, d)
		return false
	}
	if f.leaked(s.a, s.p.off) {
		s.suspect(j, "the call at %s does not write it")
	}
	return false
}

// settleWeak: a slot that nothing in the function wrote was written by a call that was given a pointer before it.
func (s *search) settleWeak() {
	if len(s.weak) == 0 {
		return
	}
	written := false
	for _, d := range s.out.defs {
		written = written || d.kind == defWrite || d.kind == defOut
	}
	if written {
		for _, d := range s.weak {
			s.suspect(d.at, "the call at %s does not write it")
		}
		return
	}
	s.out.defs = nil
	s.add(s.weak[0]) // the one nearest to the use was found first
}

// survives reports whether nothing writes p after instruction i on any way from there to the anchor.
func (a *Analyzer) survives(v *view, i, stop int, p place) bool { return a.fate(v, i, stop, p) == yes }

// fate tells whether p keeps its bytes from behind instruction i to the anchor: yes, no, or maybe when only stores and
// calls lie between of which it is not known where they write. stop is where a way that comes round again is cut off: the
// last execution of i is meant.
func (a *Analyzer) fate(v *view, i, stop int, p place) answer {
	const limit = 4000
	f := v.fn
	ahead, count := newBitset(len(f.nodes)), 0
	var work []int
	push := func(s int) {
		if s != stop && ahead.add(s) {
			count++
			work = append(work, s)
		}
	}
	if i < stop { // the instruction at stop itself has not run yet
		ahead.add(stop)
		work = append(work, stop)
	} else {
		f.successors(i, push)
	}
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		if j == v.anchor {
			continue
		}
		if count > limit || !v.spend(1) {
			return no
		}
		f.successors(j, push)
	}
	return a.untouched(v, ahead, p)
}

// untouched checks the instructions of ahead from which the anchor can still be reached.
func (a *Analyzer) untouched(v *view, ahead bitset, p place) answer {
	f := v.fn
	if !ahead.has(v.anchor) {
		return no
	}
	back, kept := newBitset(len(f.nodes)), yes
	work := []int{v.anchor}
	for len(work) > 0 && kept != no {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		f.predecessors(j, func(q int) {
			if !ahead.has(q) || q == v.anchor || !back.add(q) {
				return
			}
			work = append(work, q)
			switch a.disturbs(v, q, p) {
			case yes:
				kept = no
			case maybe:
				if kept == yes {
					kept = maybe
				}
			}
		})
	}
	return kept
}

// disturbs tells whether instruction j writes p.
func (a *Analyzer) disturbs(v *view, j int, p place) answer {
	if v.fn.nodes[j].flow == insn.FlowCall {
		switch {
		case p.kind == placeReg && calleeSaved(p.reg), p.kind == placeSlot && !a.callMayWrite(v.fn, j, p.off):
			return no
		case p.kind == placeReg:
			return yes
		}
		return maybe
	}
	if !v.fn.nodes[j].mayWrite(p) {
		return no
	}
	for k := range v.fn.eff(j).Writes {
		if hits, _, sure := a.writes(v, j, k, p); hits && sure {
			return yes
		} else if hits || !sure {
			return maybe
		}
	}
	return no
}
