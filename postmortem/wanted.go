package postmortem

import (
	"meshdiag/crash"
)

const (
	focusStack = 256 << 10 // bytes above the stack pointer of the thread that died
	otherStack = 16 << 10
	manyStacks = 64 // threads whose stacks are wanted in advance
)

// wanted are the parts of a core that every diagnosis reads: the stacks from each thread's stack pointer upwards, the
// pages that the dying thread's registers point to, the start of every mapped file (build IDs) and the main stack's top.
func wanted(segments []segment, n *notes) []fileSpan {
	m := newMemory(nil, 0, segments)
	var spans []fileSpan
	add := func(addr, size uint64) {
		s, ok := m.at(addr)
		if !ok {
			return
		}
		if rel := addr - s.Vaddr; rel < s.Filesz {
			spans = append(spans, fileSpan{off: s.Offset + rel, size: min(size, s.Filesz-rel)})
		}
	}
	for i := range n.threads {
		t := &n.threads[i]
		if !t.RegsOK || i >= manyStacks {
			continue
		}
		if i > 0 {
			add(t.Regs.RSP, otherStack)
			continue
		}
		add(t.Regs.RSP, focusStack)
		for r := crash.RegNum(0); r < crash.NumRegs; r++ {
			add(t.Regs.Get(r)&^4095, 4096)
		}
	}
	for _, f := range n.files {
		if f.Offset == 0 {
			add(f.Start, 4096)
		}
	}
	if at, ok := n.auxv[atExecFn]; ok {
		add(at-min(at, blockSize), blockSize)
	}
	return spans
}
