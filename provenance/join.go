package provenance

import (
	"fmt"

	"meshdiag/provenance/insn"
)

// join follows several definitions and keeps those that the dump allows.
func (t *trace) join(v *view, i int, p place, want value, defs []def, depth int) *path {
	paths := t.each(v, i, p, want, defs, depth)
	round := false
	for _, q := range paths {
		round = round || q.loop && q.changes
	}
	if round && want.ok { // how often the loop ran is not known, so neither is the value that it began with
		paths = t.each(v, i, p, value{}, defs, depth)
	}
	best := t.choose(paths)
	if round {
		t.applyAssumptions(best, []string{"a loop changed it on the way, any number of times"})
	}
	return best
}

func (t *trace) each(v *view, i int, p place, want value, defs []def, depth int) []*path {
	var paths []*path
	for _, d := range defs {
		if t.forks++; t.forks > maxForks {
			return append(paths, end(StepUnknown, "it may have come from too many places", Possible))
		}
		paths = append(paths, t.define(v, i, p, want, d, depth))
	}
	return paths
}

// lastCall: the word below the faulting frame's stack pointer is the return address of the last call that it made. When
// all paths end in results of calls made at the same stack height, it names the one that was taken.
func (t *trace) lastCall(paths []*path) (*path, string) {
	v := t.views[0]
	if v == nil || !v.cfaOK {
		return nil, ""
	}
	var found *path
	first := int32(noHeight)
	for _, p := range paths {
		if p.origin != StepReturn || len(p.steps) == 0 {
			return nil, ""
		}
		last := p.steps[len(p.steps)-1]
		i, ok := v.fn.at(last.Addr)
		if last.Frame != 0 || !ok {
			return nil, ""
		}
		h := t.a.height(v.fn, i).rsp
		if first == noHeight {
			first = h
		}
		if h == noHeight || h == unseen || h != first {
			return nil, ""
		}
		left, ok := t.a.readWord(v.cfa - uint64(h) - 8)
		if ok && left == v.fn.nodes[i].end() {
			if found != nil && !sameOrigin(found, p) {
				return nil, ""
			}
			found = p
		}
	}
	if found == nil {
		return nil, ""
	}
	return found, fmt.Sprintf("the last call made here was the one at %s: its return address still stands below the stack pointer",
		t.a.nameAt(found.steps[len(found.steps)-1].Addr))
}

// choose drops paths that the dump contradicts or that only go round, and takes the surest of the rest.
func (t *trace) choose(paths []*path) *path {
	var left []*path
	dropped := 0
	for _, p := range paths {
		switch {
		case p.loop:
		case p.wrong != "":
			dropped++
		default:
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return leastWrong(paths)
	}
	if len(left) > 1 {
		if one, why := t.lastCall(left); one != nil {
			t.applyAssumptions(one, []string{why})
			return one
		}
	}
	best := left[0]
	for _, p := range left[1:] {
		if len(best.steps) == 0 || betterPath(p, best) {
			best = p
		}
	}
	if !best.weigh(left) && dropped > 0 && len(best.steps) > 0 {
		t.applyAssumptions(best, []string{fmt.Sprintf("%s ruled out because the values differ", otherWays(dropped))})
	}
	return best
}

// leastWrong is what to show when no path is left: one that the dump contradicts rather than none.
func leastWrong(paths []*path) *path {
	for _, p := range paths {
		if !p.loop {
			p.tier = Possible
			return p
		}
	}
	return end(StepUnknown, "no instruction that sets it was found", Possible)
}

// weigh lowers the tier of the path chosen by what the other paths that are left say, notes their ends, and reports
// whether there are any that end elsewhere.
func (p *path) weigh(left []*path) bool {
	var others []Step
	for _, q := range left {
		switch {
		case q == p:
		case len(q.steps) == 0:
			others = append(others, Step{Kind: StepUnknown, Frame: -1, Arg: -1, Text: q.stop, Tier: Possible})
		case !sameOrigin(q, p):
			others = append(others, q.steps[len(q.steps)-1])
			others = append(others, q.others...)
		case arithmetic(q) != arithmetic(p): // the same origin, but on one of the ways it was changed
			p.tier = Possible
		default:
			p.tier = weaker(p.tier, Likely)
		}
	}
	if len(others) == 0 {
		return false
	}
	p.others = append(p.others, others...)
	p.tier = weaker(p.tier, Likely)
	if !sameCallee(p, others) {
		p.tier = Possible
	}
	if n := len(p.steps); n > 0 { // the last step is one of several: it is as sure as the choice
		p.steps[n-1].Tier = weaker(p.steps[n-1].Tier, p.tier)
	}
	return true
}

func otherWays(n int) string {
	if n == 1 {
		return "1 other way is"
	}
	return fmt.Sprintf("%d other ways are", n)
}

// betterPath prefers the surer path, and of two equal ones that with a definite origin.
func betterPath(p, q *path) bool {
	if p.tier != q.tier {
		return weaker(p.tier, q.tier) == q.tier
	}
	return q.origin == StepUnknown && p.origin != StepUnknown
}

// sameCallee: all ways end in a result of the same function, only called at different places.
func sameCallee(p *path, others []Step) bool {
	if len(p.steps) == 0 {
		return false
	}
	last := p.steps[len(p.steps)-1]
	for _, s := range others {
		if s.Kind != StepReturn || last.Kind != StepReturn || s.CalleeAddr != last.CalleeAddr || s.CalleeAddr == 0 {
			return false
		}
	}
	return true
}

// arithmetic counts the steps that changed the value.
func arithmetic(p *path) int {
	n := 0
	for _, s := range p.steps {
		if s.Kind == StepArith {
			n++
		}
	}
	return n
}

func sameOrigin(p, q *path) bool {
	if len(p.steps) == 0 || len(q.steps) == 0 {
		return false
	}
	a, b := p.steps[len(p.steps)-1], q.steps[len(q.steps)-1]
	return a.Kind == b.Kind && a.Addr == b.Addr && a.Frame == b.Frame && a.Reg == b.Reg
}

// testedRegion is how many instructions are looked at for a test, nearest to the use first.
const testedRegion = 3000

// tested reports whether the value was compared with something on the way through region: the place itself, or a
// register that it was just read into.
func (t *trace) tested(v *view, p place, region []int) bool {
	f := v.fn
	for n, j := range region {
		if n > testedRegion {
			break
		}
		if testsPlace(t.a, f, j, p) {
			return true
		}
		if p.kind == placeReg && !f.nodes[j].mayRead(p.reg) {
			continue
		}
		for _, w := range f.eff(j).Writes {
			if w.Kind != insn.Copy && w.Kind != insn.Zext || w.Dst.Kind != insn.RegOperand || len(w.Src) == 0 || !t.readsPlace(f, j, w.Src[0], p) {
				continue
			}
			for k := j + 1; k < len(f.nodes) && k <= j+6 && f.nodes[k-1].flow == insn.FlowNext; k++ {
				if testsPlace(t.a, f, k, regPlace(w.Dst.Reg, 0, 8)) {
					return true
				}
			}
		}
	}
	return false
}

func (t *trace) readsPlace(f *function, j int, o insn.Operand, p place) bool {
	switch {
	case o.Kind == insn.RegOperand && p.kind == placeReg:
		return o.Reg == p.reg
	case o.Kind == insn.MemOperand && p.kind == placeSlot:
		off, ok := t.a.slotOf(f, j, o.Mem)
		return ok && off == p.off
	}
	return false
}

// testsPlace: instruction j compares p with something.
func testsPlace(a *Analyzer, f *function, j int, p place) bool {
	if !f.nodes[j].sum.Compare {
		return false
	}
	for _, o := range f.eff(j).Reads {
		switch {
		case o.Kind == insn.RegOperand && p.kind == placeReg && o.Reg == p.reg:
			if !addressOnly(f, j, o.Reg) {
				return true
			}
		case o.Kind == insn.MemOperand && p.kind == placeSlot:
			if off, ok := a.slotOf(f, j, o.Mem); ok && off == p.off {
				return true
			}
		}
	}
	return false
}

// addressOnly: the register only addresses the memory that is compared.
func addressOnly(f *function, j int, r insn.Reg) bool {
	plain := 0
	addressed := 0
	for _, o := range f.eff(j).Reads {
		switch {
		case o.Kind == insn.RegOperand && o.Reg == r:
			plain++
		case o.Kind == insn.MemOperand && (o.Mem.Base == r || o.Mem.Index == r):
			addressed++
		}
	}
	return addressed > 0 && plain <= addressed
}
