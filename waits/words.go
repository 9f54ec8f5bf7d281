package waits

import (
	"fmt"
	"math"
	"time"

	"meshdiag/profile"
	"meshdiag/symbols"
)

// titles are the primitives in words.
var titles = map[profile.Primitive]string{
	profile.LibcLock:      "a lock inside of libc",
	profile.PthreadMutex:  "the mutex",
	profile.PthreadRWLock: "the read-write lock",
	profile.PthreadCond:   "a signal of the condition variable",
	profile.PthreadOnce:   "the end of a one-time initialisation (pthread_once)",
	profile.Barrier:       "the other threads at a barrier",
	profile.Semaphore:     "the semaphore",
	profile.StaticGuard:   "the initialisation of a static variable by another thread",
	profile.RustMutex:     "the Mutex",
	profile.RustRWLock:    "the RwLock",
	profile.RustCondvar:   "a notification of the Condvar",
	profile.RustOnce:      "the end of a one-time initialisation (Once)",
	profile.RustPark:      "another thread to unpark it",
	profile.RustChannel:   "a message on a channel",
	profile.RustScope:     "the end of its scoped threads",
	profile.ParkingLot:    "a lock of parking_lot",
}

// addressless are primitives of which the futex is no object of the program's own.
var addressless = map[profile.Primitive]bool{profile.RustScope: true, profile.ParkingLot: true, profile.RustChannel: true,
	profile.RustPark: true, profile.Barrier: true, profile.RustCondvar: true, profile.PthreadCond: true}

// words says what a thread waits for: "waits for the mutex accounts (0x404080), which thread 12 has".
func (a *analysis) words(i int, w *Wait) string {
	switch w.Kind {
	case Running:
		return runningWords(w)
	case Lock, Condition:
		if w.Refused {
			return "waits for ever for a mutex that the kernel refused it: to wait for it would be a deadlock, or its owner has ended"
		}
		return "waits for " + a.object(w) + a.holderWords(i, w) + w.limitWords()
	case Join:
		if len(w.Holders) > 0 {
			return "waits for thread " + a.threadName(w.Holders[0].TID) + " to end" + w.limitWords()
		}
		return "waits for " + orElse(titles[w.Primitive], "another thread to end") + w.limitWords()
	case Reply:
		if w.Name == "" {
			return "waits for the answer of another actor"
		}
		s := "waits for the answer of the service " + w.Name
		if len(w.Holders) == 0 {
			return s
		}
		switch x := a.graph.Actor(w.Holders[0].Thread); {
		case x == nil:
			s += ", which runs in thread " + a.threadName(w.Holders[0].TID)
		case x.State == ActorNew:
			s += ", which was never started"
		}
		return s
	case IO:
		return ioVerb(w.Call) + " " + a.files(w)
	case Poll:
		if len(w.FDs) == 0 {
			return "waits" + w.limitWords()
		}
		return "waits for " + a.files(w) + w.limitWords()
	case Accept:
		return "waits for a connection to " + a.files(w)
	case Sleep:
		if w.LeftKnown {
			return "sleeps for " + duration(w.Left)
		}
		return "sleeps"
	case Child:
		return "waits for " + a.child(w.ChildID) + " to end"
	case Signal:
		return "waits for a signal" + w.limitWords()
	}
	return ""
}

func runningWords(w *Wait) string {
	switch w.Pace {
	case Circles:
		switch {
		case w.Name != "":
			return fmt.Sprintf("runs in a circle, reading %s (%#x) again and again", w.Name, w.Reads)
		case w.Reads != 0:
			return fmt.Sprintf("runs in a circle, reading the memory at %#x again and again", w.Reads)
		}
		return "runs in a circle"
	case Stays:
		return "runs, in one call of one function all the time"
	case Moves:
		return "runs, and gets on: calls begin and end, or data is moved"
	}
	return "runs"
}

// object is the lock or condition with its name and address.
func (a *analysis) object(w *Wait) string {
	s := titles[w.Primitive]
	if s == "" {
		s = "another thread (futex)"
		if w.Kind == Lock {
			s = "a lock (futex)"
		}
	}
	switch {
	case addressless[w.Primitive] && w.Name == "":
	case w.Address != 0 && w.Name != "":
		s += fmt.Sprintf(" %s (%#x)", w.Name, w.Address)
	case w.Address != 0:
		s += fmt.Sprintf(" at %#x", w.Address)
	}
	if w.Writes {
		s += " to write"
	}
	return s
}

// holderWords says who has the lock.
func (a *analysis) holderWords(i int, w *Wait) string {
	if w.Passed {
		return ", and was about to go on"
	}
	if w.Readers > 0 && len(w.Holders) == 0 {
		return fmt.Sprintf(", which %s", plural(w.Readers, "reader has", "readers have"))
	}
	if w.Kind != Lock {
		return ""
	}
	if len(w.Holders) == 0 && initialisation(w) {
		return ""
	}
	if len(w.Holders) == 0 {
		return ", and who has it is not known"
	}
	h := w.Holders[0]
	switch {
	case h.Thread < 0 && h.TID > 0:
		return fmt.Sprintf(", whose owner, thread %d, has ended", h.TID)
	case h.Thread < 0:
		return ", whose owner has ended"
	case initialisation(w) && h.Thread == i:
		return ", which it runs itself"
	case initialisation(w):
		return ", which thread " + a.threadName(h.TID) + " runs"
	case h.Thread == i && h.Sure:
		return ", which it has itself"
	case h.Thread == i:
		return ", which it probably has itself"
	case h.Sure:
		return ", which thread " + a.threadName(h.TID) + " has"
	}
	return ", which thread " + a.threadName(h.TID) + " probably has"
}

// initialisation reports whether a thread waits for the end of a one-time initialisation rather than for a lock.
func initialisation(w *Wait) bool {
	switch w.Primitive {
	case profile.PthreadOnce, profile.RustOnce, profile.StaticGuard:
		return true
	}
	return false
}

// threadName is "12 (payer)". A name that is merely the program's says nothing.
func (a *analysis) threadName(tid int) string {
	if i, ok := a.byTID[tid]; ok && a.c.Threads[i].Name != "" && a.c.Threads[i].Name != a.c.Threads[0].Name {
		return fmt.Sprintf("%d (%s)", tid, a.c.Threads[i].Name)
	}
	return fmt.Sprint(tid)
}

// limitWords says that a wait ends by itself.
func (w *Wait) limitWords() string {
	switch {
	case !w.Timed:
		return ""
	case w.LeftKnown:
		return ", for " + duration(w.Left) + " at most"
	}
	return ", for a limited time"
}

// duration rounds to what people care for.
func duration(d time.Duration) string {
	switch {
	case d == math.MaxInt64:
		return "ever"
	case d < time.Millisecond:
		return "less than a millisecond"
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	return d.String()
}

func readable(symbol string) string {
	name, _ := symbols.Demangle(symbol)
	return name
}

// variable is a data symbol with an offset into it.
func variable(symbol string, offset uint64) string {
	name := readable(symbol)
	if offset == 0 {
		return name
	}
	return fmt.Sprintf("%s+%#x", name, offset)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
