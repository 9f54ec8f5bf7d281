package waits

import (
	"golang.org/x/arch/x86/x86asm"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

const (
	framesRead  = 24       // frames of a stack whose code is read
	largestCode = 64 << 10 // bytes of a function that is read; larger ones are passed over
	codeRead    = 4 << 20  // of all functions together
)

// releases are those of the locks that functions on a thread's stack will give back: their code behind the place where they
// stand unlocks them, at an address that the frame's registers give, and they do not take them only then. The keys are locks,
// the values the functions, innermost first.
func (a *analysis) releases(i int, wanted map[uint64][]int) map[uint64][]string {
	found := map[uint64][]string{}
	if a.names == nil || i >= len(a.stacks) {
		return found
	}
	for j := range a.stacks[i].Frames[:min(len(a.stacks[i].Frames), framesRead)] {
		f := &a.stacks[i].Frames[j]
		k := a.classified(f)
		if f.Trust == symbols.TrustScan || f.Symbol.Size == 0 || f.Symbol.Size > largestCode || k.Kind == profile.KindLibc || k.Part != "" {
			continue // the functions that wait for a lock have instructions of the same kind
		}
		for lock := range a.releasedIn(f, wanted) {
			found[lock] = append(found[lock], f.Symbol.Name)
		}
	}
	return found
}

// step is one instruction of a function, as far as it matters for locks.
type step struct {
	next  []uint64 // addresses of what may follow
	lock  uint64   // that it takes or gives back; 0 none
	takes bool
}

// releasedIn follows a function from where it stands: a lock is held when the code comes to its release without passing a
// place where it is taken.
func (a *analysis) releasedIn(f *symbols.Frame, wanted map[uint64][]int) map[uint64]bool {
	if f.Symbol.Size > a.codeBudget {
		return nil
	}
	a.codeBudget -= f.Symbol.Size
	code, _, err := a.names.Code(f.Symbol.Start, int(f.Symbol.Size))
	if err != nil {
		return nil
	}
	steps := map[uint64]step{}
	named := map[uint64]bool{}
	for off := 0; off < len(code); {
		in, err := insn.Decode(code[off:], f.Symbol.Start+uint64(off))
		if err != nil || in.Len == 0 {
			off++ // padding or data: find the next instruction
			continue
		}
		off += in.Len
		s := step{next: followers(&in)}
		if takes, gives := atomically(&in); takes || gives {
			if addr, ok := target(&in, f); ok {
				if _, asked := wanted[addr]; asked {
					s.lock, s.takes = addr, takes
					named[addr] = true
				}
			}
		}
		steps[in.Addr] = s
	}
	held := map[uint64]bool{}
	for lock := range named {
		if comesToRelease(steps, f.Code.Addr, lock) {
			held[lock] = true
		}
	}
	return held
}

func followers(in *insn.Insn) []uint64 {
	var next []uint64
	switch in.Flow {
	case insn.FlowNext, insn.FlowCall, insn.FlowCond:
		next = append(next, in.Addr+uint64(in.Len))
	}
	if in.HasTarget && in.Flow != insn.FlowCall {
		next = append(next, in.Target)
	}
	return next
}

func comesToRelease(steps map[uint64]step, from, lock uint64) bool {
	queue, seen := []uint64{from}, map[uint64]bool{from: true}
	for len(queue) > 0 {
		s, ok := steps[queue[0]]
		queue = queue[1:]
		if !ok {
			continue
		}
		if s.lock == lock {
			if !s.takes {
				return true
			}
			continue
		}
		for _, n := range s.next {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return false
}

// atomically tells what an atomic instruction on 4 bytes of memory does to a lock: compare and exchange takes it, exchange
// or arithmetic gives it back (Rust's library/std/src/sys/sync, compiled).
func atomically(in *insn.Insn) (takes, gives bool) {
	switch in.Op {
	case x86asm.CMPXCHG:
		return true, false
	case x86asm.XCHG, x86asm.XADD:
		return false, true
	case x86asm.DEC, x86asm.SUB, x86asm.AND, x86asm.ADD:
		return false, in.Locked()
	}
	return false, false
}

// target is the address that an atomic instruction writes to, by the registers that a frame is known to have.
func target(in *insn.Insn, f *symbols.Frame) (uint64, bool) {
	for _, x := range in.Effects().Access {
		if !x.Write || x.Size != 4 {
			continue
		}
		return x.Mem.Address(func(r insn.Reg) (uint64, bool) {
			if n, ok := r.General(); ok && keptOverCalls[n] {
				return f.Regs[n].Value, f.Regs[n].Known
			}
			return 0, false
		}, func(x86asm.Reg) (uint64, bool) { return 0, false })
	}
	return 0, false
}

// keptOverCalls are the registers that a function finds as they were after a call (System V psABI, 3.2.1). Whether the code
// changes them between the place where it stands and the instruction is not followed: hence an owner found so is likely only.
var keptOverCalls = map[crash.RegNum]bool{crash.RBX: true, crash.RBP: true, crash.RSP: true, crash.R12: true, crash.R13: true,
	crash.R14: true, crash.R15: true}
