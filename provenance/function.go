package provenance

import (
	"slices"
	"sort"
	"strings"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// maxFunction bounds the code of one function, in bytes; larger ranges are taken for a mistake in the tables.
const maxFunction = 4 << 20

// function is the control flow of one function, its cold part included.
type function struct {
	lo, hi   uint64
	name     string
	code     []codePart
	nodes    []node // by address
	preds    [][2]int32
	predOf   []int32 // index into predList of the first predecessor of node i; predOf[n] is the end
	reach    []bool
	tables   map[int][]int // targets of indirect jumps
	padsLost bool          // the exception table could not be read
	guessed  bool          // where some indirect jumps lead could not be read: blocks that nothing leads to were joined to them
	damaged  bool          // some bytes are no instruction: nothing here is certain
	heights  []height
	effects  []*insn.Effects
	passed   map[int][]passedSlot
	leas     []lea // addresses of slots that the function takes, by slot
	leasOK   bool
}

// codePart is one contiguous range of the function's code.
type codePart struct {
	start uint64
	bytes []byte
}

// node is one instruction. Only what graph and searches need is kept; the rest is decoded again when asked for.
type node struct {
	addr   uint64
	target uint64 // of a direct jump or call
	len    uint8
	flow   insn.Flow
	last   bool // execution does not go on behind it: a call that never returns
	move   insn.StackMove
	sum    insn.Summary
}

func (n *node) end() uint64 { return n.addr + uint64(n.len) }

// function returns the function at addr, nil when its bounds or code cannot be had. Results are kept.
func (a *Analyzer) function(addr uint64) *function {
	lo, hi, _, ok := a.code.FuncRange(addr)
	if !ok || hi <= lo || hi-lo > maxFunction {
		return nil
	}
	if f, ok := a.funcs[lo]; ok {
		return f
	}
	a.funcs[lo] = nil // a call to itself, while it is being built, finds nothing
	f := &function{lo: lo, hi: hi, tables: map[int][]int{}, passed: map[int][]passedSlot{}}
	if sym, _, ok := a.code.Lookup(crash.PC(lo)); ok {
		f.name = sym.Name
	}
	if !a.load(f, lo, hi) {
		return nil
	}
	a.loadColdParts(f)
	a.link(f)
	a.funcs[lo] = f
	return f
}

// load decodes a range and adds it to f.
func (a *Analyzer) load(f *function, lo, hi uint64) bool {
	code, _, err := a.code.Code(lo, int(hi-lo))
	if err != nil || uint64(len(code)) < hi-lo {
		return false
	}
	f.code = append(f.code, codePart{start: lo, bytes: code})
	f.nodes = slices.Grow(f.nodes, int(hi-lo)/4)
	for at := uint64(0); at < hi-lo; {
		in, err := insn.Decode(code[at:], lo+at)
		if err != nil {
			f.damaged = true
			at++
			continue
		}
		f.nodes = append(f.nodes, node{addr: in.Addr, target: in.Target, len: uint8(in.Len), flow: in.Flow, move: in.StackMove(), sum: in.Summary()})
		at += uint64(in.Len)
	}
	return len(f.nodes) > 0
}

// coldSuffix marks the parts that compilers move away from a function's hot path.
const coldSuffix = ".cold"

// loadColdParts adds the ranges that f jumps to and that are named as its cold part; for a cold part itself, the
// function that it jumps back to.
func (a *Analyzer) loadColdParts(f *function) {
	base := strings.TrimSuffix(f.name, coldSuffix)
	if f.name == "" {
		return
	}
	for i := 0; i < len(f.nodes); i++ {
		n := f.nodes[i]
		if n.flow != insn.FlowJump && n.flow != insn.FlowCond || n.target == 0 || f.contains(n.target) {
			continue
		}
		name := a.symbolAt(n.target)
		if name != base && name != base+coldSuffix {
			continue
		}
		lo, hi, _, ok := a.code.FuncRange(n.target)
		if !ok || hi-lo > maxFunction || lo == f.lo {
			continue
		}
		a.load(f, lo, hi)
		if name == base { // f was asked for by its cold part: the entry is the other one's
			f.lo, f.hi, f.name = lo, hi, base
		}
	}
	sort.Slice(f.nodes, func(i, j int) bool { return f.nodes[i].addr < f.nodes[j].addr })
}

func (f *function) contains(addr uint64) bool {
	for _, p := range f.code {
		if addr >= p.start && addr-p.start < uint64(len(p.bytes)) {
			return true
		}
	}
	return false
}

// index finds the instruction that holds the byte at addr.
func (f *function) index(addr uint64) (int, bool) {
	i := sort.Search(len(f.nodes), func(i int) bool { return f.nodes[i].end() > addr })
	return i, i < len(f.nodes) && f.nodes[i].addr <= addr
}

// at finds the instruction that starts at addr.
func (f *function) at(addr uint64) (int, bool) {
	i, ok := f.index(addr)
	return i, ok && f.nodes[i].addr == addr
}

// insn decodes instruction i.
func (f *function) insn(i int) insn.Insn {
	n := &f.nodes[i]
	for _, p := range f.code {
		if n.addr >= p.start && n.addr-p.start < uint64(len(p.bytes)) {
			if in, err := insn.Decode(p.bytes[n.addr-p.start:], n.addr); err == nil {
				return in
			}
		}
	}
	return insn.Insn{Addr: n.addr, Len: int(n.len), Flow: n.flow}
}

// eff is what instruction i does.
func (f *function) eff(i int) *insn.Effects {
	if f.effects == nil {
		f.effects = make([]*insn.Effects, len(f.nodes))
	}
	if f.effects[i] == nil {
		in := f.insn(i)
		e := in.Effects()
		f.effects[i] = &e
	}
	return f.effects[i]
}

func (f *function) text(i int) string {
	in := f.insn(i)
	return in.Text()
}

// mayWrite reports whether instruction i may write p; most are ruled out by their summary.
func (n *node) mayWrite(p place) bool {
	switch {
	case p.kind != placeReg:
		return n.sum.Store
	case p.reg < 16:
		return n.sum.Writes&(1<<p.reg) != 0
	}
	return n.sum.Vector
}

// mayRead reports whether instruction i may read general register r.
func (n *node) mayRead(r insn.Reg) bool {
	return r >= 16 && n.sum.Vector || r < 16 && n.sum.Reads&(1<<r) != 0
}

// predecessors calls yield for each instruction that may execute just before i.
func (f *function) predecessors(i int, yield func(int)) {
	for _, p := range f.preds[f.predOf[i]:f.predOf[i+1]] {
		yield(int(p[1]))
	}
}

// successors calls yield for each instruction that may execute just after i, calls being stepped over.
func (f *function) successors(i int, yield func(int)) {
	n := &f.nodes[i]
	f.falls(i, yield)
	if n.target != 0 && (n.flow == insn.FlowJump || n.flow == insn.FlowCond) {
		if t, ok := f.at(n.target); ok {
			yield(t)
		}
	}
	for _, t := range f.tables[i] {
		yield(t)
	}
}

// falls calls yield for the instruction behind i when execution may go on there.
func (f *function) falls(i int, yield func(int)) {
	n := &f.nodes[i]
	goes := !n.last && (n.flow == insn.FlowNext || n.flow == insn.FlowCond || n.flow == insn.FlowCall)
	if goes && i+1 < len(f.nodes) && f.nodes[i+1].addr == n.end() {
		yield(i + 1)
	}
}

// throws reports whether the way from i to its successor next is that of an exception through call i.
func (f *function) throws(i, next int) bool {
	n := &f.nodes[i]
	return n.flow == insn.FlowCall && (n.last || f.nodes[next].addr != n.end())
}

// leaves reports whether instruction i ends the function: a return, or a jump out of it.
func (f *function) leaves(i int) bool {
	n := &f.nodes[i]
	return n.flow == insn.FlowRet || n.flow == insn.FlowJump && n.target != 0 && !f.contains(n.target) ||
		n.flow == insn.FlowJump && n.target == 0 && len(f.tables[i]) == 0
}
