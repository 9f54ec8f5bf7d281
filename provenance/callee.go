package provenance

import (
	"cmp"

	"meshdiag/provenance/insn"
)

// maxCallee is the longest function, in instructions, that parameters are followed through.
const maxCallee = 6000

// Callee recovers the parameters and the result of the function at entry from its machine code. What is read is a
// lower bound: a parameter that the function ignores leaves no trace in optimised code.
func (a *Analyzer) Callee(entry uint64) Callee {
	c := a.parameters(entry)
	if !c.Known || c.Partial {
		return c
	}
	r := a.resultOf(entry)
	c.Returns, c.RetPair, c.SRet, c.FloatReturn = r.Returns, r.RetPair, r.SRet && c.Reads[0].Stored, r.FloatReturn
	c.ReturnsSure, c.ReturnsConst = r.ReturnsSure, r.ReturnsConst
	return c
}

// parameters is the part of Callee that needs no other function.
func (a *Analyzer) parameters(entry uint64) Callee {
	entry = a.resolve(entry)
	if c, ok := a.params[entry]; ok {
		return c
	}
	a.params[entry] = Callee{} // a function that is being looked at finds nothing of itself
	c := a.recoverParameters(entry)
	a.params[entry] = c
	return c
}

// resolve follows a PLT stub to the function that its slot holds, where that is already bound.
func (a *Analyzer) resolve(target uint64) uint64 {
	if _, ok := a.code.PLTName(target); !ok {
		return target
	}
	at := target
	for range 4 {
		in, err := a.decode(at)
		if err != nil {
			return target
		}
		if in.Flow == insn.FlowJump && !in.HasTarget && in.RIPRelative() {
			eff := in.Effects()
			if v, ok := a.readWord(uint64(eff.Branch.Mem.Disp)); ok && a.executable(v) {
				return v
			}
			return target
		}
		at += uint64(in.Len)
	}
	return target
}

func (a *Analyzer) recoverParameters(entry uint64) Callee {
	f := a.function(entry)
	if f == nil || f.lo != entry || f.damaged {
		return Callee{Symbol: a.calleeName(entry), Lo: entry}
	}
	c := Callee{Symbol: f.name, Lo: f.lo, Hi: f.hi, Known: true, NoReturn: true}
	for n := range c.Reads {
		c.Reads[n].always = ^span(0) // until a way is found on which it is not
	}
	w := &paramWalk{a: a, f: f, c: &c, states: map[int]*params{}}
	w.run()
	for i := range f.nodes {
		if f.reach[i] && f.leaves(i) {
			c.NoReturn = false
		}
	}
	c.Partial = w.steps >= maxCallee
	return c
}

// params is where the parameters are held at some point: in which registers and slots.
type params struct {
	regs  [16]int8 // parameter number, -1 none
	own   uint8    // bit n: argument register n still holds what the caller put there
	float uint8    // bit n: xmm n likewise
	slots map[int64]int8
	wrote [6]span // where each parameter has been written through on every way here
}

func (p *params) clone() *params {
	c := *p
	c.slots = make(map[int64]int8, len(p.slots))
	for k, v := range p.slots {
		c.slots[k] = v
	}
	return &c
}

// merge keeps what both agree on and reports whether p changed.
func (p *params) merge(o *params) bool {
	changed := false
	for i := range p.regs {
		if p.regs[i] >= 0 && p.regs[i] != o.regs[i] {
			p.regs[i], changed = -1, true
		}
	}
	if own, float := p.own&o.own, p.float&o.float; own != p.own || float != p.float {
		p.own, p.float, changed = own, float, true
	}
	for n, w := range o.wrote {
		if p.wrote[n]&^w != 0 {
			p.wrote[n] &= w
			changed = true
		}
	}
	for k, v := range p.slots {
		if w, ok := o.slots[k]; !ok || w != v {
			delete(p.slots, k)
			changed = true
		}
	}
	return changed
}

// paramWalk follows the parameters forward through a function.
type paramWalk struct {
	a       *Analyzer
	f       *function
	c       *Callee
	states  map[int]*params
	work    []int
	steps   int
	testsAL bool
	saved   uint8 // xmm registers that were only stored
}

func (w *paramWalk) run() {
	entry, ok := w.f.at(w.f.lo)
	if !ok {
		return
	}
	start := &params{own: 0x3f, float: 0xff, slots: map[int64]int8{}}
	for i := range start.regs {
		start.regs[i] = -1
	}
	for n, r := range argRegs {
		start.regs[r] = int8(n)
	}
	w.states[entry] = start
	w.work = []int{entry}
	for len(w.work) > 0 && w.steps < maxCallee {
		i := w.work[len(w.work)-1]
		w.work = w.work[:len(w.work)-1]
		w.block(i)
	}
	if w.testsAL && w.saved == 0xff { // the prologue of a variadic function saves all of them, if al says so
		w.c.Variadic, w.c.FloatReads = true, 0
	}
}

// block walks from leader i to where the flow splits, joins or ends.
func (w *paramWalk) block(i int) {
	st := w.states[i].clone()
	for ; w.steps < maxCallee; w.steps++ {
		w.step(i, st)
		next, count := -1, 0
		w.f.successors(i, func(s int) { next, count = s, count+1 })
		straight := count == 1 && next == i+1 && w.f.predOf[next+1]-w.f.predOf[next] == 1
		if !straight {
			w.f.successors(i, func(s int) { w.join(s, st) })
			return
		}
		i = next
	}
}

func (w *paramWalk) join(s int, st *params) {
	have, ok := w.states[s]
	if !ok {
		w.states[s] = st.clone()
		w.work = append(w.work, s)
		return
	}
	if have.merge(st) {
		w.work = append(w.work, s)
	}
}

func (w *paramWalk) step(i int, st *params) {
	eff := w.f.eff(i)
	w.testsAL = w.testsAL || w.f.nodes[i].sum.LowByteTest
	w.reads(eff, st)
	w.derefs(i, eff, st)
	type set struct {
		dst   insn.Operand
		param int8
	}
	var sets []set
	for k := range eff.Writes {
		wr := &eff.Writes[k]
		sets = append(sets, set{wr.Dst, w.held(i, wr, st)})
	}
	for _, s := range sets {
		w.assign(i, s.dst, s.param, st)
	}
	w.flow(i, st)
}

// reads notes the argument registers that an instruction reads while they still hold the caller's value.
func (w *paramWalk) reads(eff *insn.Effects, st *params) {
	for _, r := range eff.Reads {
		if r.Kind != insn.RegOperand {
			continue
		}
		if n := argIndex(r.Reg); n >= 0 && st.own&(1<<n) != 0 {
			p := &w.c.Reads[n]
			p.Read, p.Width = true, max(p.Width, int(r.Lo+r.Len))
		}
		if n := int(r.Reg) - int(insn.XMM0); r.Reg.Vector() && n < 8 && st.float&(1<<n) != 0 {
			w.c.FloatReads = max(w.c.FloatReads, n+1)
			if len(eff.Writes) == 1 && eff.Writes[0].Dst.Kind == insn.MemOperand {
				w.saved |= 1 << n
			}
		}
	}
}

// derefs notes parameters that are used as a base address.
func (w *paramWalk) derefs(i int, eff *insn.Effects, st *params) {
	for _, acc := range eff.Access {
		if acc.Mem.Base >= 16 || st.regs[acc.Mem.Base] < 0 {
			continue
		}
		p := &w.c.Reads[st.regs[acc.Mem.Base]]
		off := acc.Mem.Disp
		if acc.Read {
			if !p.Deref || off < p.MinOff {
				p.MinOff = off
			}
			if !p.Deref || off > p.MaxOff {
				p.MaxOff = off
			}
			p.Deref = true
		}
		if acc.Write {
			if !p.Stored || off < p.StoreMin {
				p.StoreMin = off
			}
			if !p.Stored || off > p.StoreMax {
				p.StoreMax = off
			}
			p.Stored = true
			if acc.Mem.Index == insn.NoReg && !acc.Repeat {
				written := spanOf(off, cmp.Or(acc.Size, 1))
				p.ever |= written
				st.wrote[st.regs[acc.Mem.Base]] |= written
			}
		}
		if acc.Mem.Index != insn.NoReg || acc.Repeat {
			p.Leaks = true
		}
	}
}

// held is the parameter that assignment wr copies, -1 if none.
func (w *paramWalk) held(i int, wr *insn.Write, st *params) int8 {
	param := int8(-1)
	for _, s := range wr.Src {
		switch s.Kind {
		case insn.RegOperand:
			if s.Reg < 16 && s.Lo == 0 {
				param = max(param, st.regs[s.Reg])
			}
		case insn.MemOperand:
			if wr.Kind == insn.Addr {
				if s.Mem.Base < 16 && st.regs[s.Mem.Base] >= 0 {
					w.c.Reads[st.regs[s.Mem.Base]].Leaks = true
				}
				continue
			}
			if off, ok := w.a.slotOf(w.f, i, s.Mem); ok {
				if n, ok := st.slots[off]; ok {
					param = max(param, n)
				}
			}
		}
	}
	if param >= 0 && wr.Kind != insn.Copy {
		if wr.Kind != insn.Zext && wr.Kind != insn.Sext {
			w.c.Reads[param].Leaks = true
		}
		return -1
	}
	return param
}

func (w *paramWalk) assign(i int, dst insn.Operand, param int8, st *params) {
	switch {
	case dst.Kind == insn.RegOperand && dst.Reg < 16:
		st.regs[dst.Reg] = param
		if n := argIndex(dst.Reg); n >= 0 {
			st.own &^= 1 << n
		}
	case dst.Kind == insn.RegOperand && dst.Reg.Vector() && dst.Reg-insn.XMM0 < 8:
		st.float &^= 1 << (dst.Reg - insn.XMM0)
	case dst.Kind == insn.MemOperand:
		off, slot := w.a.slotOf(w.f, i, dst.Mem)
		switch {
		case slot && param >= 0:
			st.slots[off] = param
		case slot:
			delete(st.slots, off)
		case param >= 0:
			w.c.Reads[param].Leaks = true
		}
	}
}

// flow handles calls and tail calls: what is still in its register may be passed on, what is clobbered is forgotten.
func (w *paramWalk) flow(i int, st *params) {
	n := &w.f.nodes[i]
	tail := n.flow == insn.FlowJump && w.f.leaves(i)
	if tail || n.flow == insn.FlowRet {
		for p := range w.c.Reads {
			w.c.Reads[p].always &= st.wrote[p]
		}
	}
	if n.flow != insn.FlowCall && !tail {
		return
	}
	for a, r := range argRegs {
		if held := st.regs[r]; held >= 0 {
			w.c.Reads[held].Leaks = true
			if int(held) == a && st.own&(1<<a) != 0 {
				w.c.Reads[a].Forwarded = true
			}
		}
	}
	for r := range st.regs {
		if !calleeSaved(insn.Reg(r)) {
			st.regs[r] = -1
		}
	}
	st.own, st.float = 0, 0
}

// answer says whether something happens in a function.
type answer uint8

const (
	maybe     answer = iota // its code does not tell
	yes                     // on every way to a return
	sometimes               // on some ways only
	no
)

// writesThrough tells whether the function at target writes the byte off bytes behind the pointer that it gets as
// argument arg.
func (a *Analyzer) writesThrough(target uint64, arg int, off int64) answer {
	if target == 0 || arg > 5 {
		return maybe
	}
	c := a.parameters(target)
	p := c.Reads[arg]
	switch at := spanOf(off, 1); {
	case !c.Known || c.Variadic:
		return maybe
	case p.ever&p.always&at != 0 && !c.Partial:
		return yes
	case p.ever&at != 0:
		return sometimes
	case c.Partial || p.Leaks || p.Forwarded:
		return maybe
	case at == 0 && p.Stored && off >= p.StoreMin && off < p.StoreMax+8:
		return maybe
	}
	return no
}

// preserves reports whether the function at target leaves the caller-saved register r alone, as callers that were
// compiled together with it may rely on (gcc -fipa-ra).
func (a *Analyzer) preserves(target uint64, r insn.Reg) bool {
	const limit = 400
	f := a.function(target)
	if f == nil || f.lo != target || f.damaged || len(f.nodes) > limit {
		return false
	}
	for i := range f.nodes {
		if !f.reach[i] {
			continue
		}
		if !f.nodes[i].mayWrite(regPlace(r, 0, 8)) && f.nodes[i].flow == insn.FlowNext {
			continue
		}
		if f.nodes[i].flow == insn.FlowCall || f.leaves(i) && f.nodes[i].flow != insn.FlowRet {
			return false
		}
		for _, w := range f.eff(i).Writes {
			if w.Dst.Kind == insn.RegOperand && w.Dst.Reg == r {
				return false
			}
		}
	}
	return true
}
