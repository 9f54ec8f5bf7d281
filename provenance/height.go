package provenance

import (
	"math"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

// height is where rsp and rbp stand before an instruction, as distances below the canonical frame address: rsp = CFA - rsp.
type height struct{ rsp, rbp int32 }

// noHeight is an unknown distance; unseen a point that was not reached yet.
const (
	noHeight = math.MinInt32
	unseen   = math.MinInt32 + 1
)

// height returns the distances before instruction i. They are worked out for the whole function once, forward from the
// entry; where the code loses track (alloca, stack probes, realignment) the unwind table is asked.
func (a *Analyzer) height(f *function, i int) height {
	if f.heights == nil {
		a.trackHeights(f)
	}
	return f.heights[i]
}

func (a *Analyzer) trackHeights(f *function) {
	f.heights = make([]height, len(f.nodes))
	for i := range f.heights {
		f.heights[i] = height{unseen, unseen}
	}
	entry, ok := f.at(f.lo)
	if !ok {
		entry = 0
	}
	f.heights[entry] = height{8, noHeight}
	work := []int{entry}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		out := a.heightAfter(f, i)
		f.successors(i, func(s int) {
			merged := mergeHeight(f.heights[s], out)
			if merged.rsp == noHeight {
				merged = a.heightByCFI(f.nodes[s].addr, merged)
			}
			if merged != f.heights[s] {
				f.heights[s] = merged
				work = append(work, s)
			}
		})
	}
	for i := range f.heights { // code that nothing reaches: the unwind table still knows it
		if f.heights[i].rsp == unseen {
			f.heights[i] = a.heightByCFI(f.nodes[i].addr, height{noHeight, noHeight})
		}
	}
}

func mergeHeight(old, new height) height {
	if old.rsp == unseen {
		return new
	}
	merged := old
	if merged.rsp != new.rsp {
		merged.rsp = noHeight
	}
	if merged.rbp != new.rbp {
		merged.rbp = noHeight
	}
	return merged
}

func (a *Analyzer) heightAfter(f *function, i int) height {
	n := &f.nodes[i]
	h := f.heights[i]
	switch k := int32(n.move.K); n.move.Kind {
	case insn.StackAdd:
		h.rsp = plus(h.rsp, -k)
	case insn.StackFromFrame:
		h.rsp = plus(h.rbp, -k)
	case insn.StackLeave:
		h = height{plus(h.rbp, -8), noHeight}
	case insn.FrameFromStack:
		h.rbp = plus(h.rsp, -k)
	case insn.FrameLost:
		h.rbp = noHeight
	case insn.FramePop:
		h = height{plus(h.rsp, -8), noHeight}
	case insn.StackLost:
		h.rsp = noHeight
	}
	if h.rsp == noHeight {
		h = a.heightByCFI(n.end(), h)
	}
	return h
}

func plus(h, k int32) int32 {
	if h == noHeight || h == unseen {
		return noHeight
	}
	return h + k
}

// heightByCFI fills in what the unwind table says of pc.
func (a *Analyzer) heightByCFI(pc uint64, h height) height {
	reg, off, ok := a.code.CFA(pc)
	if !ok || off < math.MinInt32/2 || off > math.MaxInt32/2 {
		return h
	}
	switch {
	case reg == crash.RSP:
		h.rsp = int32(off)
	case reg == crash.RBP && h.rbp == noHeight:
		h.rbp = int32(off)
	}
	return h
}

// slotOf returns the CFA offset of a stack operand of instruction i. ok is false for everything that is not plainly
// relative to rsp or a frame pointer.
func (a *Analyzer) slotOf(f *function, i int, m insn.Mem) (off int64, ok bool) {
	if m.Seg != 0 || m.Index != insn.NoReg || m.Base != insn.RSP && m.Base != insn.RBP {
		return 0, false
	}
	h := a.height(f, i)
	at := h.rsp
	if m.Base == insn.RBP {
		at = h.rbp
	}
	if at == noHeight || at == unseen {
		return 0, false
	}
	return m.Disp - int64(at), true
}
