package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// Calls describes the calls that the caller frames 1 to max have not returned from yet, innermost first. Frames that
// were only guessed, or whose code cannot be read, are left out.
func (a *Analyzer) Calls(st *symbols.Stack, max int) []Call {
	if st == nil {
		return nil
	}
	byFrame := map[int]*Call{}
	last := min(max+1, len(st.Frames)-1) // one more: it tells whether the parameters of frame max are real
	for k := 1; k <= last; k++ {
		if !st.Frames[k].Code.IsReturn || st.Frames[k].Trust == symbols.TrustScan {
			continue
		}
		budget := traceBudget // each its own: a search that is cut short would take set arguments for unset ones
		v, _ := a.frameView(st, k, &budget)
		if v == nil {
			continue
		}
		c := a.callAt(v, v.anchor)
		byFrame[k] = &c
	}
	var out []Call
	for k := 1; k <= min(max, last); k++ {
		c := byFrame[k]
		if c == nil {
			continue
		}
		if up := byFrame[k+1]; up != nil && !gap(st, k+1) {
			a.settleStale(c, up)
		}
		out = append(out, *c)
	}
	return out
}

// settleStale: an argument that the caller never touched is only an argument if the caller itself was given it.
func (a *Analyzer) settleStale(c, up *Call) {
	if up.CalleeLo == 0 || up.CalleeLo != a.entryOf(c.Site) {
		return
	}
	for n := range c.Prepared {
		p := &c.Prepared[n]
		if p.Stale && p.Kind == ArgParam && !up.Prepared[n].Set {
			p.Set = false
			p.Text = fmt.Sprintf("left from before: neither this function nor its caller at %s sets it", a.nameAt(up.Site))
		}
	}
}

func (a *Analyzer) entryOf(addr uint64) uint64 {
	if f := a.function(addr); f != nil {
		return f.lo
	}
	return 0
}

// CallAt describes the call instruction at site; frame is recorded in the result, -1 when the call is in no frame of the
// stack (any more). It returns a Call without Insn when there is no call at site.
func (a *Analyzer) CallAt(site uint64, frame int) Call {
	f := a.function(site)
	if f == nil {
		return Call{Frame: frame, Site: site}
	}
	i, ok := f.at(site)
	if !ok || f.nodes[i].flow != insn.FlowCall {
		return Call{Frame: frame, Site: site}
	}
	budget := traceBudget
	v := codeView(f, i, &budget)
	c := a.callAt(v, i)
	c.Frame = frame
	return c
}

// CallIn is CallAt for a call that was made by a frame of the stack: values are looked up in that frame, and arguments
// that the frame's function never touched are checked against what its own caller prepared.
func (a *Analyzer) CallIn(st *symbols.Stack, site uint64, frame int) Call {
	budget := traceBudget
	v, _ := a.frameView(st, frame, &budget)
	if v == nil {
		return a.CallAt(site, frame)
	}
	i, ok := v.fn.at(site)
	if !ok || v.fn.nodes[i].flow != insn.FlowCall {
		return a.CallAt(site, frame)
	}
	c := a.callAt(v, i)
	if up, _ := a.frameView(st, frame+1, &budget); up != nil && st.Frames[frame+1].Code.IsReturn && !gap(st, frame+1) {
		call := a.callAt(up, up.anchor)
		a.settleStale(&c, &call)
	}
	return c
}

func (a *Analyzer) callAt(v *view, i int) Call {
	f := v.fn
	n := &f.nodes[i]
	c := Call{Frame: v.frame, Site: n.addr, Insn: f.text(i), Target: n.target, Indirect: n.target == 0}
	t := &trace{a: a, budget: *v.budget}
	c.CalleeLo, c.Callee = t.callTarget(v, i)
	if c.Indirect {
		c.Target = c.CalleeLo
		if m := f.eff(i).Branch.Mem; f.eff(i).Branch.Kind == insn.MemOperand && m.Base == insn.NoReg && m.Index == insn.NoReg {
			c.Slot, _ = a.code.GOTName(uint64(m.Disp))
		}
	}
	for k, r := range argRegs {
		c.Prepared[k] = a.argUse(v, i, r)
	}
	for k := range 8 {
		got := a.reaching(v, i, regPlace(insn.XMM0+insn.Reg(k), 0, 4), shortReach)
		if !anyWrite(got.defs) || a.readBetween(v.fn, got, insn.XMM0+insn.Reg(k)) {
			break
		}
		c.FloatArgs = k + 1
	}
	a.resultUse(v, i, &c)
	return c
}

func anyWrite(defs []def) bool {
	for _, d := range defs {
		if d.kind == defWrite {
			return true
		}
	}
	return false
}

// argUse says what the caller put in argument register r for call i. What is written on any path counts: call sites are
// an upper bound.
func (a *Analyzer) argUse(v *view, i int, r insn.Reg) ArgUse {
	got := a.reaching(v, i, regPlace(r, 0, 1), fullReach)
	u := ArgUse{}
	entry := false
	for _, d := range got.defs {
		switch d.kind {
		case defWrite:
			u.Set = true
			u.Width = max(u.Width, writeWidth(&v.fn.eff(d.at).Writes[d.write]))
		case defEntry:
			entry = true
		}
	}
	switch {
	case u.Set:
		u.Used = a.readBetween(v.fn, got, r)
		u.Stale = got.kept
		a.argOrigin(v, i, got.defs, &u)
	case entry:
		u.Set, u.Stale, u.Kind, u.Width = true, true, ArgParam, 8
		u.Text = r.String() + " as it was when the function was entered"
		val := v.anchorReg(r)
		u.Value, u.ValueOK = val.v, val.ok
	}
	return u
}

// readBetween reports whether an instruction between the definitions and the use reads r.
func (a *Analyzer) readBetween(f *function, got reached, r insn.Reg) bool {
	for _, j := range got.region {
		if !f.nodes[j].mayRead(r) || definesAt(got.defs, j) {
			continue
		}
		for _, o := range f.eff(j).Reads {
			if o.Kind == insn.RegOperand && o.Reg == r {
				return true
			}
		}
	}
	return false
}

// argOrigin follows the value of an argument over copies inside the function to say what kind of thing it is.
func (a *Analyzer) argOrigin(v *view, i int, defs []def, u *ArgUse) {
	u.Kind = ArgUnknown
	if len(defs) != 1 {
		u.Text = "set on several paths"
		return
	}
	d := defs[0]
	u.Text = v.fn.text(d.at)
	if val := a.result(v, d.at, &v.fn.eff(d.at).Writes[d.write], 4); val.ok {
		u.Value, u.ValueOK = val.v, true
	}
	for range 8 {
		w := &v.fn.eff(d.at).Writes[d.write]
		next, kind := a.argHop(v, d.at, w)
		if kind != ArgUnknown || next.n == 0 {
			u.Kind = kind
			a.argText(v, d.at, w, u)
			return
		}
		got := a.reaching(v, d.at, next, fullReach)
		if len(got.defs) != 1 {
			return
		}
		d = got.defs[0]
		switch d.kind {
		case defEntry:
			u.Kind = ArgParam
			return
		case defReturn:
			u.Kind = ArgReturn
			u.Text += fmt.Sprintf(" (returned by the call at %s)", a.nameAt(v.fn.nodes[d.at].addr))
			return
		case defWrite:
			continue
		}
		u.Kind = ArgLoaded
		return
	}
}

// argHop is where an assignment takes its value from, or the kind of thing that it makes.
func (a *Analyzer) argHop(v *view, i int, w *insn.Write) (place, ArgKind) {
	switch w.Kind {
	case insn.Const:
		return place{}, ArgConst
	case insn.Addr:
		m := w.Src[0].Mem
		if _, ok := a.slotOf(v.fn, i, m); ok {
			return place{}, ArgStack
		}
		if m.Base == insn.NoReg && m.Index == insn.NoReg {
			return place{}, ArgGlobal
		}
	case insn.Copy, insn.Zext, insn.Sext:
		o := w.Src[0]
		if o.Kind == insn.RegOperand {
			if o.Reg == insn.RSP || o.Reg == insn.RBP && a.frameBased(v.fn, i) {
				return place{}, ArgStack
			}
			return regPlace(o.Reg, o.Lo, 1), ArgUnknown
		}
		if off, ok := a.slotOf(v.fn, i, o.Mem); ok {
			return slotPlace(off, 1), ArgUnknown
		}
		return place{}, ArgLoaded
	}
	return place{}, ArgUnknown
}

func (a *Analyzer) frameBased(f *function, i int) bool {
	h := a.height(f, i).rbp
	return h != noHeight && h != unseen
}

func (a *Analyzer) argText(v *view, i int, w *insn.Write, u *ArgUse) {
	switch u.Kind {
	case ArgConst:
		u.Value, u.ValueOK = uint64(w.Imm), true
		if w.Imm>>32 == 0 {
			u.Width = 8 // compilers make 64-bit constants with 32-bit moves
		}
		u.Text = "constant " + constText(uint64(w.Imm))
	case ArgGlobal:
		addr := uint64(w.Src[0].Mem.Disp)
		u.Value, u.ValueOK = addr, true
		u.Text += " -> " + a.dataName(addr)
	}
}

// resultUse fills in how the caller reads what call i returned.
func (a *Analyzer) resultUse(v *view, i int, c *Call) {
	f := v.fn
	rax := a.uses(f, i, insn.RAX, copyDepth, 0)
	c.RetRead, c.RetPassed, c.RetKnown = rax.width, rax.passed, !rax.cut
	c.RetPair = a.uses(f, i, insn.RDX, copyDepth, 0).width > 0
	c.RetThird = a.uses(f, i, insn.RCX, copyDepth, 0).width > 0
	if c.Prepared[0].Kind == ArgStack {
		for _, p := range a.passedSlots(f, i) {
			if p.arg == 0 {
				c.SRet = a.slotReadAfter(f, i, p.off)
			}
		}
	}
}

// use is how a register is read after a point, before it is written.
type use struct {
	width  int // most bytes read
	passed bool
	cut    bool
}

// copyDepth is how many copies of a result are followed to what is read of them.
const copyDepth = 3

// uses looks forward from behind instruction i for the first reads of register r. A copy to another register counts as
// what is read of the copy; copied is the width of the copy that r itself is, 0 if it is none.
func (a *Analyzer) uses(f *function, i int, r insn.Reg, depth, copied int) use {
	const limit = 2000
	var out use
	seen := map[int]bool{}
	var work []int
	push := func(s int) {
		if !seen[s] {
			seen[s] = true
			work = append(work, s)
		}
	}
	f.falls(i, push) // where an exception goes on, the registers hold no result
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		if len(seen) > limit {
			out.cut = true
			return out
		}
		if a.useAt(f, j, r, depth, copied, &out) {
			f.successors(j, push)
		}
	}
	return out
}

// useAt notes what instruction j does with r and reports whether r is still the same behind it.
func (a *Analyzer) useAt(f *function, j int, r insn.Reg, depth, copied int, out *use) bool {
	eff := f.eff(j)
	if f.nodes[j].flow == insn.FlowRet || f.leaves(j) && f.nodes[j].flow == insn.FlowJump {
		out.passed = out.passed || returnReg(r)
		return false
	}
	if dst, width, ok := copyOf(eff, r); ok && depth > 0 && dst != r {
		more := a.uses(f, j, dst, depth-1, width)
		out.width, out.cut = max(out.width, more.width), out.cut || more.cut
	} else {
		for _, o := range eff.Reads {
			if o.Kind == insn.RegOperand && o.Reg == r {
				out.width = max(out.width, int(o.Lo+o.Len))
			}
		}
	}
	if f.nodes[j].flow == insn.FlowCall {
		if argIndex(r) >= 0 {
			out.width = max(out.width, copied) // it was copied here to be an argument
		}
		return calleeSaved(r)
	}
	for _, w := range eff.Writes {
		if w.Dst.Kind == insn.RegOperand && w.Dst.Reg == r && w.Dst.Lo == 0 && w.Dst.Len >= 8 {
			return false
		}
	}
	return true
}

// copyOf: the instruction moves r to another general register and does nothing else with it.
func copyOf(eff *insn.Effects, r insn.Reg) (dst insn.Reg, width int, ok bool) {
	if len(eff.Writes) != 1 {
		return 0, 0, false
	}
	w := &eff.Writes[0]
	if w.Kind != insn.Copy && w.Kind != insn.Zext || len(w.Src) != 1 || w.Src[0].Kind != insn.RegOperand ||
		w.Src[0].Reg != r || w.Src[0].Len < 4 || w.Dst.Kind != insn.RegOperand || w.Dst.Reg >= 16 {
		return 0, 0, false
	}
	return w.Dst.Reg, int(w.Src[0].Len), true
}

// sretReach is how large an object that is returned through a hidden pointer is taken to be at most, in bytes.
const sretReach = 64

// slotReadAfter: after call i, something is read from the object at off before it is written.
func (a *Analyzer) slotReadAfter(f *function, i int, off int64) bool {
	const limit = 600
	seen := map[int]bool{}
	var work []int
	push := func(s int) {
		if !seen[s] && len(seen) < limit {
			seen[s] = true
			work = append(work, s)
		}
	}
	f.falls(i, push)
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		for _, acc := range f.eff(j).Access {
			at, ok := a.slotOf(f, j, acc.Mem)
			if ok && acc.Read && at >= off && at < off+sretReach {
				return true
			}
		}
		f.successors(j, push)
	}
	return false
}
