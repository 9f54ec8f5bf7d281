package provenance

import (
	"sort"

	"meshdiag/crash"
	"meshdiag/symbols"
)

const (
	maxPeriod  = 16 // frames in one round of a recursion
	minRounds  = 4
	maxLargest = 5
)

// StackUse says where t stands in its stack, which frames are the largest, and whether they repeat. f may be nil.
func (a *Analyzer) StackUse(t *crash.Thread, st *symbols.Stack, f *Fault) StackUse {
	var u StackUse
	if t == nil || !t.RegsOK {
		return u
	}
	if st != nil {
		u.Depth = len(st.Frames) + st.Elided
		u.Largest = largestFrames(st)
		u.Repeat = repeat(st)
	}
	m := a.ownStack(t, st)
	if m == nil {
		return u
	}
	rsp := t.Regs.RSP
	u.Region, u.Kind = m.Range, a.stackKind(t, m)
	if g := a.guardBelow(m); g != nil {
		u.Guard = g.Range
	} else if below, _ := a.crash.Neighbours(m.Start - 1); m.Path == "[stack]" && a.mapping(m.Start-1) == nil {
		u.Guard = crash.Range{Start: m.Start - mainStackGap, End: m.Start}
		if below != nil && below.End > u.Guard.Start {
			u.Guard.Start = below.End
		}
	}
	u.Left = int64(rsp - m.Start)
	if rsp < m.End {
		u.Used = m.End - rsp
	}
	u.Overflow = a.overflows(&u, rsp, f)
	if st != nil && len(u.Largest) == 0 && len(st.Frames) > 0 && u.Left < -mainStackGap {
		// No call gets across the guard: the function that runs went there in one step.
		u.Largest = append(u.Largest, FrameSize{Symbol: st.Frames[0].Symbol.Name, Bytes: uint64(-u.Left), AtLeast: true})
	}
	return u
}

// overflows: the stack pointer has left the stack at its low end, or the access that failed is in the guard below it.
func (a *Analyzer) overflows(u *StackUse, rsp uint64, f *Fault) bool {
	if rsp < u.Region.Start {
		return true
	}
	if f == nil || !f.AddressOK || f.BranchBad || f.Address >= u.Region.Start {
		return false
	}
	if u.Guard.Contains(f.Address) {
		return f.Class == ClassGuardPage
	}
	// A large frame may reach over the guard: the access is relative to a stack pointer near the end.
	return (f.Register == "rsp" || f.Register == "rbp") && u.Region.Start-f.Address < maxFrame && u.Left < nullPage
}

// ownStack is the stack mapping that t runs on: where rsp stands, or where its frames are when rsp has run away.
func (a *Analyzer) ownStack(t *crash.Thread, st *symbols.Stack) *crash.Mapping {
	if m := a.stackAround(t.Regs.RSP); m != nil {
		return m
	}
	for i := 0; st != nil && i < len(st.Frames); i++ {
		if fr := &st.Frames[i]; fr.CFA.Known {
			if m := a.mapping(fr.CFA.Value - 1); m != nil && writable(m) {
				return m
			}
		}
	}
	return a.stackAbove(t)
}

// mmapGap is how far below the first thread's stack, in bytes, nothing is mapped unless it was asked for at that place
// (linux/arch/x86/mm/mmap.c, SIZE_128M): what lies there unmapped was no other stack once.
const mmapGap = 128 << 20

// stackAbove is the first thread's stack when rsp has run out of it at the low end, but not into where others may have been.
func (a *Analyzer) stackAbove(t *crash.Thread) *crash.Mapping {
	if !a.crash.IsLeader(t) {
		return nil
	}
	for i := range a.crash.Mappings {
		m := &a.crash.Mappings[i]
		if m.Path == "[stack]" && t.Regs.RSP < m.Start && m.Start-t.Regs.RSP < mmapGap {
			return m
		}
	}
	return nil
}

func (a *Analyzer) stackKind(t *crash.Thread, m *crash.Mapping) string {
	switch {
	case m.Path == "[stack]":
		return "main"
	case t.AltStack.Size() > 0 && m.Contains(t.AltStack.Start):
		return "alternate"
	case t.Regs.FSBase != 0 && m.Contains(t.Regs.FSBase):
		return "thread"
	case a.guardBelow(m) != nil:
		return "coroutine"
	}
	return ""
}

// maxLocal bounds what is believed to be one frame, in bytes: local arrays can be far larger than any stack.
const maxLocal = 1 << 32

// largestFrames measures frames by the distance between canonical frame addresses.
func largestFrames(st *symbols.Stack) []FrameSize {
	var out []FrameSize
	seen := map[string]bool{}
	for i := range st.Frames {
		fr := &st.Frames[i]
		var low symbols.Reg
		if i > 0 {
			low = st.Frames[i-1].CFA
		} else {
			low = fr.Regs[crash.RSP]
		}
		if !fr.CFA.Known || !low.Known || fr.CFA.Value < low.Value || fr.CFA.Value-low.Value > maxLocal || switches(st, i) || st.Elided > 0 && i == st.ElidedAt {
			continue
		}
		out = append(out, FrameSize{Frame: i, Symbol: fr.Symbol.Name, Bytes: fr.CFA.Value - low.Value})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Bytes > out[j].Bytes })
	kept := out[:0]
	for _, f := range out { // one frame per function is enough
		if f.Symbol != "" && seen[f.Symbol] || len(kept) == maxLargest {
			continue
		}
		seen[f.Symbol] = true
		kept = append(kept, f)
	}
	return kept
}

// switches reports whether frame i borders on another stack: its bounds then lie on two of them and measure nothing.
func switches(st *symbols.Stack, i int) bool {
	return st.Frames[i].Switch != "" || i+1 < len(st.Frames) && st.Frames[i+1].Switch != ""
}

// repeat finds the shortest sequence of functions that repeats at least minRounds times, beginning in the innermost
// frames (a few at the top may be helpers that the recursion calls).
func repeat(st *symbols.Stack) *Repeat {
	n := len(st.Frames)
	key := func(i int) uint64 {
		if s := st.Frames[i].Symbol.Start; s != 0 {
			return s
		}
		return st.Frames[i].Code.Addr
	}
	for from := 0; from < maxPeriod && from < n; from++ {
		for period := 1; period <= maxPeriod; period++ {
			same := 0
			for from+same+period < n && key(from+same) == key(from+same+period) {
				same++
			}
			rounds := same/period + 1
			if same == 0 || rounds < minRounds {
				continue
			}
			if st.Elided > 0 && from+same+period >= st.ElidedAt { // it goes on in the frames that were not kept
				rounds += st.Elided / period
			}
			return makeRepeat(st, from, period, rounds)
		}
	}
	return nil
}

func makeRepeat(st *symbols.Stack, from, period, rounds int) *Repeat {
	r := &Repeat{Count: rounds}
	for i := from; i < from+period; i++ {
		r.Symbols = append(r.Symbols, st.Frames[i].Symbol.Name)
	}
	a, b := st.Frames[from].CFA, st.Frames[from+period].CFA
	if a.Known && b.Known && b.Value > a.Value {
		r.Bytes = b.Value - a.Value
	}
	return r
}
