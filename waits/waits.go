// Package waits says what each thread of a stopped process waits for, and which thread could end that wait: the wait-for
// graph, with its cycles and the ends of its chains.
//
// It reads what the kernel was asked for (the system call's arguments), the words of the locks in the process's memory, and
// which functions stand between the kernel and the program's code. What a lock does not record, such as the owner of a Rust
// Mutex, is looked for on the stacks, and then said to be likely, not known.
package waits

import (
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// Kind says what sort of event would let a thread go on.
type Kind string

// The kinds of waits. The tokens are part of the report contract.
const (
	Running   Kind = "running"   // it waits for nothing
	Lock      Kind = "lock"      // a mutex, a reader-writer lock, somebody else's one-time initialisation
	Condition Kind = "condition" // a signal of another thread: condition variable, semaphore, barrier, park, channel
	Join      Kind = "join"      // the end of another thread
	Reply     Kind = "reply"     // the answer of another actor
	IO        Kind = "io"        // a read, write or connection
	Poll      Kind = "poll"      // any of several descriptors
	Accept    Kind = "accept"    // a new connection
	Sleep     Kind = "sleep"     // the time
	Child     Kind = "child"     // the end of a child process
	Signal    Kind = "signal"    // a signal from outside
	Other     Kind = "other"     // another system call
	Unknown   Kind = "unknown"   // it could not be observed
)

// Wait is what one thread waits for.
type Wait struct {
	Kind      Kind
	Primitive profile.Primitive // "" not told
	Address   uint64            // of the lock, condition ...; 0 unknown
	Name      string            // the variable at Address, readable; "" none
	Writes    bool              // of a reader-writer lock: it wants to write
	// Passed is true when the word that it waits for has changed already: it is about to go on.
	Passed bool
	// Refused is true when the kernel refused a priority-inheritance mutex, since waiting for it would be a deadlock or its owner
	// has ended; glibc then lets the thread wait for ever.
	Refused bool
	Private bool     // the futex cannot be woken from another process
	Holders []Holder // who could end the wait: who has the lock, who is to end
	Readers int      // of a reader-writer lock: how many readers hold it; 0 none or unknown
	Files   []*crash.File
	// FDs are the descriptors that it waits for, known or not.
	FDs     []int
	ChildID int // process that it waits for; -1 any child; 0 none
	Timed   bool
	Left    time.Duration // until its time limit, when LeftKnown
	// LeftKnown is false for a limit whose clock is not known.
	LeftKnown bool
	// Rest is true when it waits for work from outside, as a server without clients does.
	Rest bool
	// Pace is how a thread moves that runs, or that sleeps only for moments; "" for the others.
	Pace Pace
	// Steady is the innermost frame of the program's code whose call lasted over all looks at a thread that runs.
	Steady int
	// Reads is the memory that a thread in a circle reads again and again, 0 unknown; Name is its variable.
	Reads uint64
	Call  string // the system call; "" none
	Text  string // what it waits for, for people: "waits for thread 12 to end"
}

// Holder is a thread that another one waits for, or an actor.
type Holder struct {
	Thread int  // index in Graph.Waits; -1 when it has ended
	TID    int  // 0 unknown, or an actor that stands on no thread
	Sure   bool // recorded by the lock itself; else concluded from what stands on the thread's stack
	Why    string
}

// Cycle is a ring of threads and actors, each of which waits for the next, the last for the first.
type Cycle struct {
	Threads []int // indexes in Graph.Waits
	// Proven is true when every lock records its owner and no wait has a time limit: then none of the threads can go on.
	Proven bool
}

// Chain is a way through the graph that ends outside of a cycle: each thread waits for the next.
type Chain struct {
	Threads []int // indexes in Graph.Waits, at least one
	Sure    bool  // every step is recorded
	Waiters int   // how many wait for its last member, directly or through others
	Dead    int   // thread id of an owner that has ended; 0: the chain ends with its last thread
}

// Graph is who waits for what, and for whom.
type Graph struct {
	// Waits has one entry for each thread, in the order of Crash.Threads, and behind them one for each of the Actors.
	Waits  []Wait
	Actors []Actor // coroutines of the runtime; nil when the profile knows none
	Cycles []Cycle
	Chains []Chain // the longest to each end, of two members or more or with an owner that has ended
	// Closed is true when every thread waits for another thread of the same process, without a time limit: nobody is left
	// who could end any of the waits, but for a signal handler.
	Closed bool
}

// Names gives variables their names, and the code of functions.
type Names interface {
	LookupData(addr uint64) (symbols.Symbol, *symbols.Module, bool)
	Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool)
	Code(addr uint64, n int) (code []byte, source string, err error)
}

// Analyze looks at every thread. stacks are parallel to c.Threads; names may be nil.
func Analyze(c *crash.Crash, stacks []symbols.Stack, p *profile.Profile, names Names) *Graph {
	if s, ok := names.(*symbols.Symbolizer); ok && s == nil {
		names = nil
	}
	a := &analysis{c: c, stacks: stacks, profile: p, names: names, byTID: map[int]int{},
		stackBudget: stacksSearched, codeBudget: codeRead}
	for i := range c.Threads {
		a.byTID[c.Threads[i].TID] = i
	}
	g := &Graph{Waits: make([]Wait, len(c.Threads)), Actors: a.findActors()}
	for i := range c.Threads {
		g.Waits[i] = a.look(i)
	}
	a.trace(g.Actors)
	for i := range g.Actors {
		g.Waits = append(g.Waits, a.actorWait(&g.Actors[i]))
	}
	a.graph = g
	a.findHolders(g)
	a.findInitialisers(g)
	a.findReplies(g)
	a.paces(g)
	for i := range g.Waits {
		w := &g.Waits[i]
		w.Rest = w.Rest || a.rests(w)
		if w.Text == "" {
			w.Text = a.words(i, w)
		}
	}
	g.Closed = closed(g)
	g.Cycles = cycles(g)
	g.Chains = chains(g)
	return g
}

// analysis is one process being looked at.
type analysis struct {
	c       *crash.Crash
	stacks  []symbols.Stack
	profile *profile.Profile
	names   Names
	byTID   map[int]int
	graph   *Graph

	stackBudget, codeBudget uint64 // bytes that may still be read in the search for owners
}

// look says what one thread waits for, without who could end it where only other threads' stacks tell.
func (a *analysis) look(i int) Wait {
	t := &a.c.Threads[i]
	if t.Syscall == nil || t.Syscall.Number < 0 {
		return a.outside(t)
	}
	w := Wait{Kind: Other}
	call := *t.Syscall
	if n, ok := a.restarted(i); ok {
		call.Number = n
	}
	w.Call = crash.SyscallName(call.Number)
	switch call.Number {
	case sysFutex:
		a.futex(i, &w, call.Args)
	case unix.SYS_SCHED_YIELD:
		w.Kind = Running
	default:
		if a.system(&w, call); pollsNothing(&w) {
			w.Kind = Sleep
		}
	}
	if w.Kind == Condition && a.primitiveOf(i) == profile.ActorReply {
		w.Kind, w.Primitive = Reply, profile.ActorReply
	}
	return w
}

// outside is a thread in no system call: it runs, or nobody knows.
func (a *analysis) outside(t *crash.Thread) Wait {
	if t.State == "R" || t.State == "" && t.RegsOK {
		return Wait{Kind: Running}
	}
	return Wait{Kind: Unknown}
}

// classified is what the profile says of a frame, of any thread's stack.
func (a *analysis) classified(f *symbols.Frame) profile.Classified {
	path, main := "", false
	if f.Module != nil {
		path, main = f.Module.Path, f.Module.Main
	}
	readable := f.Demangled
	if readable == "" {
		readable, _ = symbols.Demangle(f.Symbol.Name)
	}
	return a.profile.Classify(f.Symbol.Name, readable, path, main)
}

// primitiveOf is the outermost primitive among the frames between the kernel and the program's own code: pthread_cond_wait
// rather than the futex wait that it calls, a channel rather than the park that it is made of.
func (a *analysis) primitiveOf(i int) profile.Primitive {
	found, _ := a.primitive(i)
	return found
}

// primitive gives the symbol of that frame, too.
func (a *analysis) primitive(i int) (found profile.Primitive, symbol string) {
	if i >= len(a.stacks) {
		return "", ""
	}
	for j := range a.stacks[i].Frames {
		f := &a.stacks[i].Frames[j]
		k := a.classified(f)
		var p profile.Primitive
		if k.Rule != nil {
			p = k.Rule.Primitive
		}
		switch {
		case p != "":
			found, symbol = p, f.Symbol.Name
		case k.Kind == profile.KindProgram, k.Kind == profile.KindOther && f.Symbol.Name != "":
			return found, symbol
		}
	}
	return found, symbol
}

// thread is the index of a live thread.
func (a *analysis) thread(tid int) (int, bool) {
	i, ok := a.byTID[tid]
	if ok && a.c.Threads[i].State == "Z" {
		return -1, false
	}
	return i, ok
}

// foreign reports whether frames of that kind are not the program's own code.
func foreign(k profile.FrameKind) bool {
	switch k {
	case profile.KindLibc, profile.KindStd, profile.KindRuntime:
		return true
	}
	return false
}
