package waits

import "strings"

// writes tells from the function that waits whether it wants to write.
func writes(symbol string) bool {
	return strings.Contains(symbol, "wrlock") || strings.Contains(symbol, "write_contended")
}

// Fields of struct __pthread_rwlock_arch_t (glibc sysdeps/x86_64/nptl/bits/struct_rwlock.h) and bits of its first word
// (nptl/pthread_rwlock_common.c).
const (
	rwWriters     = 4
	rwPhaseFutex  = 8
	rwWriterFutex = 12
	rwCurWriter   = 24
	rwShared      = 28

	rwReaderShift = 3
	rwWriteLocked = 2
)

// pthreadRWLock finds the lock around the futex: a thread waits on one of two words of it. The right one leaves a lock in
// which every field is possible.
func (a *analysis) pthreadRWLock(w *Wait, addr uint64) {
	best := -1
	for _, off := range []uint64{rwPhaseFutex, rwWriterFutex} {
		base := addr - off
		readers, ok1 := a.word(base)
		writers, ok2 := a.word(base + rwWriters)
		owner, ok3 := a.word(base + rwCurWriter)
		shared, ok4 := a.word(base + rwShared)
		if !ok1 || !ok2 || !ok3 || !ok4 || shared > 1 || writers > uint32(len(a.c.Threads)) ||
			readers>>rwReaderShift > uint32(len(a.c.Threads)) {
			continue
		}
		_, live := a.thread(int(owner))
		score := 0
		switch {
		case live:
			score = 3
		case owner == 0 && readers != 0:
			score = 2
		case owner != 0:
			score = 1 // its owner has ended, or this is not the lock
		}
		if score <= best {
			continue
		}
		best = score
		w.Address, w.Holders, w.Readers = base, nil, 0
		if owner != 0 {
			a.hold(w, int(owner))
		} else if readers&rwWriteLocked == 0 || readers>>rwReaderShift > 0 {
			w.Readers = int(readers >> rwReaderShift)
		}
	}
}

// Bits of Rust's futex RwLock (library/std/src/sys/sync/rwlock/futex.rs): the state counts readers, all ones mean a
// writer, the two bits above say who waits. Readers wait on the state, writers on the word behind it.
const (
	rustRWMask = 1<<30 - 1
)

func (a *analysis) rustRWLock(w *Wait, addr uint64, symbol string) {
	if w.Writes = writes(symbol); w.Writes {
		w.Address = addr - 4
	}
	state, ok := a.word(w.Address)
	if !ok {
		return
	}
	switch n := state & rustRWMask; n {
	case 0:
		w.Passed = true
	case rustRWMask: // a writer has it
	default:
		w.Readers = int(n)
	}
}
