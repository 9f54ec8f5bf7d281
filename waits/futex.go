package waits

import (
	"meshdiag/crash"
	"meshdiag/profile"
)

// Operations of futex(2) (linux/include/uapi/linux/futex.h).
const (
	sysFutex = 202

	futexWait        = 0
	futexLockPI      = 6
	futexWaitBitset  = 9
	futexRequeuePI   = 11
	futexLockPI2     = 13
	futexPrivate     = 128
	futexRealtime    = 256
	futexCommand     = futexPrivate - 1
	futexWaiters     = 1 << 31 // of a word that holds the owner's thread id
	futexOwnerDied   = 1 << 30
	futexOwner       = futexOwnerDied - 1
	mutexContended   = 2 // of a locked mutex with waiters, in glibc as in Rust's standard library
	rustParked       = 1<<32 - 1
	maxPlausibleKind = 1 << 10 // above all bits of __kind
)

// futex finds out what stands behind the word that a thread waits for.
func (a *analysis) futex(i int, w *Wait, args [6]uint64) {
	addr, op, want := args[0], args[1]&futexCommand, uint32(args[2])
	w.Address, w.Private = addr, args[1]&futexPrivate != 0 || a.unshared(addr)
	a.futexLimit(w, op, args)
	var symbol string
	w.Primitive, symbol = a.primitive(i)
	word, readable := a.word(addr)
	w.Passed = readable && (op == futexWait || op == futexWaitBitset) && word != want
	w.Kind = Condition
	if op == futexLockPI || op == futexLockPI2 {
		w.Kind, w.Passed = Lock, false
		if w.Primitive == "" {
			w.Primitive = profile.PthreadMutex
		}
		a.ownedByWord(w, word)
		a.name(w)
		return
	}
	switch w.Primitive {
	case profile.PthreadMutex:
		w.Kind = Lock
		a.pthreadMutex(i, w, word)
	case profile.PthreadRWLock:
		w.Kind = Lock
		w.Writes = writes(symbol)
		a.pthreadRWLock(w, addr)
	case profile.LibcLock:
		w.Kind = Lock
		a.streamLock(w)
	case profile.RustMutex, profile.ParkingLot, profile.StaticGuard, profile.PthreadOnce, profile.RustOnce:
		w.Kind = Lock
	case profile.RustRWLock:
		w.Kind = Lock
		a.rustRWLock(w, addr, symbol)
	case profile.Join:
		w.Kind, w.Address = Join, 0
		a.joins(w, int(want))
	case profile.RustScope:
		w.Kind = Join
	case profile.PthreadCond:
		w.Address -= conditionWord + w.Address%8
	case profile.Semaphore, profile.Barrier, profile.RustCondvar, profile.RustPark, profile.RustChannel,
		profile.ActorReply:
	default:
		a.unnamedFutex(w, want)
	}
	a.name(w)
}

// conditionWord is where struct __pthread_cond_s (glibc sysdeps/nptl/bits/thread-shared-types.h), which begins at a multiple
// of 8, has the two words of 4 bytes that threads wait on.
const conditionWord = 40

// unnamedFutex is a futex of which no function on the stack tells what it is made for. A word that waits with the mark of
// a contended mutex is a lock; a mutex of glibc also has a live owner where it keeps one.
func (a *analysis) unnamedFutex(w *Wait, want uint32) {
	if want != mutexContended {
		return
	}
	w.Kind = Lock
	owner, ok1 := a.word(w.Address + 8)
	users, ok2 := a.word(w.Address + 12)
	kind, ok3 := a.word(w.Address + 16)
	if _, live := a.thread(int(owner)); ok1 && ok2 && ok3 && live && users > 0 && users <= uint32(len(a.c.Threads)) && kind < maxPlausibleKind {
		w.Primitive = profile.PthreadMutex
		a.hold(w, int(owner))
	}
}

// pthreadMutex reads struct __pthread_mutex_s (glibc sysdeps/nptl/bits/struct_mutex.h): lock word, count, owner at +8,
// users, kind at +16. The lock word of a robust mutex holds its owner itself (pthread_mutexattr_setrobust(3)).
func (a *analysis) pthreadMutex(i int, w *Wait, word uint32) {
	if word == 0 && a.onStack(i, w.Address) {
		// __pthread_mutex_lock_full "delays the thread indefinitely" on a word of its own, which is 0 for ever.
		w.Refused, w.Passed, w.Address = true, false, 0
		return
	}
	const robust, inherit = 16, 32
	kind, ok := a.word(w.Address + 16)
	if ok && kind < maxPlausibleKind && kind&(robust|inherit) != 0 {
		w.Passed = false // its word changes with every new waiter
		a.ownedByWord(w, word)
		return
	}
	if w.Passed = word == 0; w.Passed {
		return
	}
	if owner, ok := a.word(w.Address + 8); ok && owner != 0 {
		a.hold(w, int(owner))
	}
}

// ownedByWord reads the owner out of a futex word that holds its thread id.
func (a *analysis) ownedByWord(w *Wait, word uint32) {
	if owner := word & futexOwner; owner != 0 {
		a.hold(w, int(owner))
		if word&futexOwnerDied != 0 {
			w.Holders = []Holder{{Thread: -1, TID: int(owner), Sure: true, Why: "the lock's word says that its owner died"}}
		}
	}
}

// hold notes the owner that a lock records. One that is no thread of this process has ended, unless processes share the lock.
func (a *analysis) hold(w *Wait, tid int) {
	if i, live := a.thread(tid); live {
		w.Holders = append(w.Holders, Holder{Thread: i, TID: tid, Sure: true, Why: "the lock records its owner"})
	} else if w.Private && tid > 0 && tid <= futexOwner {
		w.Holders = append(w.Holders, Holder{Thread: -1, TID: tid, Sure: true, Why: "the lock records an owner that is no thread any more"})
	}
}

// streamLock reads the lock of a stdio stream (glibc libio/libioP.h, _IO_lock_t): word, count, and at +8 the owner's thread
// descriptor, which is where its fs register points.
func (a *analysis) streamLock(w *Wait) {
	owner, err := crash.ReadUint64(a.c.Memory, w.Address+8)
	if err != nil || owner == 0 {
		return
	}
	for i := range a.c.Threads {
		if t := &a.c.Threads[i]; t.RegsOK && t.Regs.FSBase == owner {
			w.Holders = append(w.Holders, Holder{Thread: i, TID: t.TID, Sure: true, Why: "the lock records its owner"})
		}
	}
}

// joins notes the thread whose end is awaited: the kernel clears its id at its end, so that id is the value waited on
// (glibc nptl/pthread_join_common.c).
func (a *analysis) joins(w *Wait, tid int) {
	if i, live := a.thread(tid); live {
		w.Holders = append(w.Holders, Holder{Thread: i, TID: tid, Sure: true, Why: "it waits for this thread's id to be cleared"})
	}
}

// unshared reports whether no other process has the memory at an address mapped.
func (a *analysis) unshared(addr uint64) bool {
	m, ok := a.c.MappingAt(addr)
	return ok && m.PermsOK && m.Perms&crash.Shared == 0
}

// word reads a futex word.
func (a *analysis) word(addr uint64) (uint32, bool) {
	v, err := crash.ReadUint(a.c.Memory, addr, 4)
	return uint32(v), err == nil
}

// name finds the variable that a lock lies in.
func (a *analysis) name(w *Wait) {
	if a.names == nil || w.Address == 0 {
		return
	}
	if sym, _, ok := a.names.LookupData(w.Address); ok && sym.Name != "" {
		w.Name = variable(sym.Name, w.Address-sym.Start)
	}
}
