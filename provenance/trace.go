package provenance

import (
	"fmt"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// Limits of one trace.
const (
	traceBudget = 400000 // instructions looked at, all searches together
	maxHops     = 64     // steps of one chain
	maxForks    = 24     // joins at which several definitions are followed
	maxNested   = 3      // callees explained inside callees, and bases of bases
)

// trace follows one value backwards.
type trace struct {
	a      *Analyzer
	st     *symbols.Stack
	budget int
	forks  int
	views  map[int]*view
	active map[activeKey]value // hops on the way here, with the value wanted there: coming back to one is a loop
}

type activeKey struct {
	v  *view
	at int
	p  place
}

// path is one way in which the value may have come about, newest step first.
type path struct {
	steps   []Step
	stop    string
	origin  StepKind
	tier    Tier
	wrong   string // not "": the dump contradicts this path
	loop    bool   // it only leads back to where it came from
	changes bool   // and the value is another one each time round
	others  []Step // ends of further paths that are possible too
	base    *Chain // where the address of the last load came from
	inside  []Step // what the callee of the last return shows
	checked bool   // the value was tested on the way
}

func (a *Analyzer) newTrace(st *symbols.Stack) *trace {
	return &trace{a: a, st: st, budget: traceBudget, views: map[int]*view{}, active: map[activeKey]value{}}
}

// frame is the view of a stack frame; views are shared so that loops are noticed.
func (t *trace) frame(k int) (*view, string) {
	if v, ok := t.views[k]; ok {
		return v, ""
	}
	v, why := t.a.frameView(t.st, k, &t.budget)
	if v != nil {
		t.views[k] = v
		v.caller = func() *view { return t.sureCaller(v) }
	}
	return v, why
}

func end(kind StepKind, stop string, tier Tier) *path {
	return &path{origin: kind, stop: stop, tier: tier}
}

// weaker returns the less sure of two tiers.
func weaker(a, b Tier) Tier {
	rank := map[Tier]int{Certain: 0, Likely: 1, Possible: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// then puts a step in front of a path.
func (p *path) then(s Step) *path {
	p.steps = append([]Step{s}, p.steps...)
	p.tier = weaker(p.tier, s.Tier)
	return p
}

// step makes a step at instruction i of v.
func (t *trace) step(v *view, i int, kind StepKind, p place, want value) Step {
	n := &v.fn.nodes[i]
	s := Step{Kind: kind, Frame: v.frame, Addr: n.addr, Insn: v.fn.text(i), Symbol: v.fn.name, Arg: -1,
		Reg: t.a.placeName(v, i, p), Value: want.v, ValueOK: want.ok, Tier: Certain}
	if v.trust == symbols.TrustFP {
		s.Tier = Likely
	}
	if v.trust == symbols.TrustScan || v.fn.damaged {
		s.Tier = Possible
	}
	return s
}

// follow finds where the bytes of p, wanted before instruction i of v, came from.
func (t *trace) follow(v *view, i int, p place, want value, depth int) *path {
	key := activeKey{v, i, p}
	before, again := t.active[key]
	switch {
	case depth > maxHops:
		return end(StepUnknown, "the chain is longer than is followed", Possible)
	case again:
		return &path{loop: true, changes: before != want, origin: StepUnknown, stop: "it goes round in a loop", tier: Possible}
	}
	t.active[key] = want
	defer delete(t.active, key)

	got := t.a.reaching(v, i, p, fullReach)
	if got.cut {
		return end(StepUnknown, "the function is too large to be searched", Possible)
	}
	var best *path
	switch len(got.defs) {
	case 0:
		best = end(StepUnknown, "no instruction that sets it was found", Possible)
	case 1:
		best = t.define(v, i, p, want, got.defs[0], depth)
		if best.wrong != "" && len(got.suspect) > 0 {
			if other := t.bySuspect(v, i, p, want, got.suspect, best.wrong, depth); other != nil {
				return other
			}
		}
	default:
		best = t.join(v, i, p, want, got.defs, depth)
	}
	t.applyAssumptions(best, got.assumed)
	best.checked = best.checked || t.tested(v, p, got.region)
	return best
}

// bySuspect: what the only known definition gives is not what the place held, so that a store or call that was assumed to
// miss the place must have hit it. With one suspect the trace goes on there.
func (t *trace) bySuspect(v *view, i int, p place, want value, suspects []int, why string, depth int) *path {
	j := suspects[0]
	if len(suspects) > 1 {
		s := t.step(v, i, StepUnknown, p, want)
		s.Text = fmt.Sprintf("%s was changed through a pointer: %s, and %d stores and calls may have", s.Reg, why, len(suspects))
		return end(StepUnknown, "it was changed through a pointer", Possible).then(s)
	}
	proof := fmt.Sprintf("nothing else can have changed %s (%s)", t.a.placeName(v, i, p), why)
	if v.fn.nodes[j].flow == insn.FlowCall {
		out := t.writtenByCall(v, def{kind: defOut, at: j, arg: -1}, p, want)
		t.applyAssumptions(out, []string{proof})
		return out
	}
	for k := range v.fn.eff(j).Writes {
		if w := &v.fn.eff(j).Writes[k]; w.Dst.Kind == insn.MemOperand {
			out := t.assign(v, j, w, p, want, depth+1)
			if out.wrong == "" {
				t.applyAssumptions(out, []string{proof})
				return out
			}
		}
	}
	return nil
}

// applyAssumptions notes what the search took for granted on the first step of the path that it led to.
func (t *trace) applyAssumptions(p *path, assumed []string) {
	if len(assumed) == 0 || len(p.steps) == 0 {
		return
	}
	s := &p.steps[0]
	s.Assumed = append(s.Assumed, assumed...)
	tier := Likely
	if len(s.Assumed) > 2 {
		tier = Possible
	}
	s.Tier = weaker(s.Tier, tier)
	p.tier = weaker(p.tier, s.Tier)
}

// define continues at one definition.
func (t *trace) define(v *view, use int, p place, want value, d def, depth int) *path {
	switch d.kind {
	case defEntry:
		return t.climb(v, use, p, want, depth)
	case defReturn:
		return t.returned(v, d, p, want, depth)
	case defOut:
		return t.writtenByCall(v, d, p, want)
	case defLost:
		return end(StepUnknown, d.why, Possible)
	}
	w := &v.fn.eff(d.at).Writes[d.write]
	if d.partial {
		s := t.step(v, d.at, StepArith, p, want)
		s.Text = fmt.Sprintf("%s sets only %s; the rest is older", s.Insn, w.Dst)
		return end(StepArith, "the value was put together from parts", Possible).then(s)
	}
	return t.assign(v, d.at, w, p, want, depth)
}

// dataName names a data or code address.
func (a *Analyzer) dataName(addr uint64) string {
	if sym, _, ok := a.code.LookupData(addr); ok && sym.Name != "" {
		return plusOffset(sym.Name, addr-sym.Start)
	}
	if name := a.symbolAt(addr); name != "" {
		return a.nameAt(addr)
	}
	return fmt.Sprintf("%#x", addr)
}

// readNow reads n bytes that the process holds at addr.
func (a *Analyzer) readNow(addr uint64, n int) value {
	if n != 1 && n != 2 && n != 4 && n != 8 {
		return value{}
	}
	v, err := crash.ReadUint(a.crash.Memory, addr, n)
	return value{v: v, ok: err == nil}
}
