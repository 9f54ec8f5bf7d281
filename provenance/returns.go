package provenance

import "meshdiag/provenance/insn"

// maxNestedResult is how many functions deep a result is looked up that is only passed on.
const maxNestedResult = 2

// resultOf is what the function at entry returns: the result part of Callee.
func (a *Analyzer) resultOf(entry uint64) Callee {
	entry = a.resolve(entry)
	if c, ok := a.results[entry]; ok {
		return c
	}
	f := a.function(entry)
	if f == nil || f.lo != entry || f.damaged || len(f.nodes) > maxCallee || a.nested > maxNestedResult {
		return Callee{}
	}
	c := Callee{Known: true}
	a.results[entry] = Callee{} // recursion finds nothing
	a.nested++
	a.recoverReturns(f, &c)
	a.nested--
	a.results[entry] = c
	return c
}

// recoverReturns works out how wide a result the function returns, from what reaches its exits.
func (a *Analyzer) recoverReturns(f *function, c *Callee) {
	budget := 4 * fullReach
	exits, sure, constant, pair, sret := 0, true, true, true, true
	width, void, floats := 0, false, true
	for i := range f.nodes {
		if !f.reach[i] || !f.leaves(i) {
			continue
		}
		exits++
		if n := &f.nodes[i]; n.flow == insn.FlowJump {
			w, known := a.tailWidth(n.target)
			void = void || known && w == 0
			width, constant, pair, floats, sret = max(width, w), false, false, false, false
			continue
		}
		v := codeView(f, i, &budget)
		ex := a.exitWidth(v, i, insn.RAX)
		void = void || ex.void
		width = max(width, ex.width)
		sure, constant = sure && ex.unread, constant && ex.constant
		sret = sret && a.returnsParam0(v, i)
		second := a.exitWidth(v, i, insn.RDX)
		pair = pair && !second.void && second.unread
		float := a.exitWidth(v, i, insn.XMM0)
		floats = floats && !float.void && float.unread
	}
	if exits == 0 {
		return
	}
	c.FloatReturn = floats && (void || !sure)
	if void {
		return
	}
	c.Returns, c.ReturnsSure, c.ReturnsConst = width, sure, constant
	if constant {
		c.Returns = 8
	}
	c.RetPair = pair && sure
	c.SRet = sret
}

func (a *Analyzer) tailWidth(target uint64) (width int, known bool) {
	if target == 0 {
		return 8, false
	}
	if a.neverReturns(target) {
		return 0, false
	}
	c := a.resultOf(target)
	if !c.Known {
		return 8, false
	}
	return c.Returns, true
}

// exit is what is known of a result register at one way out.
type exit struct {
	width    int
	void     bool // on some path it was not written
	unread   bool // nothing read it since it was written
	constant bool
}

func (a *Analyzer) exitWidth(v *view, i int, r insn.Reg) exit {
	got := a.reaching(v, i, regPlace(r, 0, 1), fullReach)
	ex := exit{unread: true, constant: true}
	if got.cut || len(got.defs) == 0 {
		return exit{void: true}
	}
	for _, d := range got.defs {
		switch d.kind {
		case defWrite:
			w := &v.fn.eff(d.at).Writes[d.write]
			ex.constant = ex.constant && w.Kind == insn.Const
			if w.Kind != insn.Const {
				ex.width = max(ex.width, writeWidth(w))
			}
		case defReturn:
			w, known := a.tailWidth(v.fn.nodes[d.at].target)
			ex.void = ex.void || known && w == 0 || r != insn.RAX
			ex.constant, ex.width = false, max(ex.width, w)
		default:
			ex.void = true
		}
	}
	for _, j := range got.region {
		if !v.fn.nodes[j].mayRead(r) {
			continue
		}
		for _, rd := range v.fn.eff(j).Reads {
			if rd.Kind == insn.RegOperand && rd.Reg == r && !definesAt(got.defs, j) {
				ex.unread = false
			}
		}
	}
	return ex
}

// definesAt: instruction j is one of the definitions, so that what it reads is the register's earlier value.
func definesAt(defs []def, j int) bool {
	for _, d := range defs {
		if d.at == j {
			return true
		}
	}
	return false
}

// writeWidth is how many bytes an assignment to a register means: a 32-bit operation clears the rest, but a pointer does
// not come from one.
func writeWidth(w *insn.Write) int {
	if w.Dst.Len < 8 {
		return int(w.Dst.Len)
	}
	switch w.Kind {
	case insn.Addr, insn.Sext, insn.Opaque, insn.Kernel, insn.Bool:
		return 8
	case insn.Zext:
		return max(4, int(w.Src[0].Len))
	}
	width := 0
	for _, s := range w.Src {
		if s.Kind != insn.ImmOperand {
			width = max(width, int(s.Len))
		}
	}
	if width == 0 {
		return 8
	}
	return min(width, 8)
}

// returnsParam0: rax at the exit is the pointer that came in rdi, as with a hidden result pointer.
func (a *Analyzer) returnsParam0(v *view, i int) bool {
	p := regPlace(insn.RAX, 0, 8)
	for range 8 {
		got := a.reaching(v, i, p, fullReach)
		if len(got.defs) != 1 {
			return false
		}
		d := got.defs[0]
		if d.kind == defEntry {
			return p.kind == placeReg && p.reg == insn.RDI
		}
		if d.kind != defWrite {
			return false
		}
		w := &v.fn.eff(d.at).Writes[d.write]
		if w.Kind != insn.Copy {
			return false
		}
		src, ok := a.sourcePlace(v, d.at, w.Src[0])
		if !ok {
			return false
		}
		i, p = d.at, src
	}
	return false
}

// sourcePlace is where an assignment's source operand stands.
func (a *Analyzer) sourcePlace(v *view, i int, o insn.Operand) (place, bool) {
	switch o.Kind {
	case insn.RegOperand:
		return regPlace(o.Reg, o.Lo, o.Len), true
	case insn.MemOperand:
		p, _, ok := a.memPlace(v, i, o, 4)
		return p, ok
	}
	return place{}, false
}
