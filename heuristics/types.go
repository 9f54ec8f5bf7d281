// Package heuristics turns independent evidence into ranked causes with calibrated confidence, and says what was ruled
// out and by which test. Each heuristic is a value in a file of its own (see Heuristic); the registry lists them.
// It prints nothing and knows no runtime's symbol names: those come from the profile.
package heuristics

import (
	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/startup"
	"meshdiag/symbols"
	"meshdiag/waits"
)

// Case is everything that was found out about a crash before causes are weighed. Heuristics only read it.
type Case struct {
	Crash    *crash.Crash
	Profile  *profile.Profile // nil: no profile
	Sym      *symbols.Symbolizer
	Stacks   []symbols.Stack // one per thread in Crash.Threads; frames named
	Frames   []FrameInfo     // for the focus thread, parallel to its Stack.Frames
	Startup  startup.Timeline
	Messages []startup.Message    // output lines with a meaning, oldest first
	Roles    []startup.ThreadRole // one per thread
	Fault    *provenance.Fault    // nil when nobody faulted (exit, hang, abort)
	Stack    provenance.StackUse  // of the focus thread
	Chain    *provenance.Chain    // of the bad value; nil without one
	// Calls are call sites in the focus thread's frames: the active one of each caller frame that was analysed, the calls
	// that the chain names (their results are where the bad value came from) and calls made earlier in the suspect's
	// frame. The order is free: a call is found by its frame and site.
	Calls   []provenance.Call
	Callees map[uint64]provenance.Callee // by entry address, for functions in Calls
	// Handed are calls by which the program's code gave values to the part of the runtime that failed on one it had kept;
	// empty when that is not the question.
	Handed []Handover
	Panics []PanicSite  // panics that were seen or printed, oldest first
	Kind   crash.Kind   // the outcome as interpreted so far
	Reader Reader       // classify values, read the process
	Checks []Check      // what probes of the world outside said
	Waits  *waits.Graph // what the threads wait for; nil: not looked at yet

	view *view // what the heuristics have in common, computed once
}

// Handover is a call of the program's code to the runtime that is not on the stack any more.
type Handover struct {
	Symbol string // function that makes the call
	Extern *profile.Extern
	Site   uint64
	Arg    int     // the argument that is the bad value, as a constant; -1 none is
	Known  [6]bool // arguments that are constants
	Code   [6]bool // arguments that are addresses of code
}

// Check is the result of one probe of the world outside the process.
type Check struct {
	ID          string
	OK          bool
	Detail      string
	Cause, Kind string // the cause a failed check points to
	Next        []string
	Hint        bool // it may have an innocent explanation
}

// Marks of frames that a reader should see first.
const (
	MarkOperation = "operation" // the runtime or library function that was asked to do something
	MarkSuspect   = "suspect"   // the program's own function to read first
	MarkContext   = "context"   // the frame that tells in which job it happened
)

// Reader answers questions about values while causes are weighed, without giving heuristics the process itself.
type Reader interface {
	Classify(value uint64) provenance.ValueInfo
	ReadUint(addr uint64, size int) (uint64, error)
}

// FrameInfo is what profile and engine say of one frame.
type FrameInfo struct {
	Kind     profile.FrameKind
	Part     string // "service loop", "collector" ...
	Readable string
	Rule     *profile.NameRule
	Extern   *profile.Extern // the frame's function is a runtime extern
}

// PanicSite is one panic: where it was raised, with what words, and what became of it.
type PanicSite struct {
	Message     string // the payload as printed, one line
	File        string
	Line        int
	Thread      string
	Origin      string // "rust", "profile" (a panic of the profile's language), "c++", "glibc", "go"
	Caught      bool
	Consequence bool            // a second panic that only follows from the first ("cannot unwind")
	FromLine    int             // index in Crash.Output.Lines; -1 when only seen at a breakpoint
	Cause, Kind string          // the cause that a message rule says its words point to; "" none
	Frames      []symbols.Frame // stack at first chance; nil when only printed
	Infos       []FrameInfo
}

// Evidence is one independent fact with its weight for or against a cause.
type Evidence struct {
	ID     string
	Group  string // facts of one group are one fact: only the strongest counts
	Text   string
	Weight float64 // log-odds, positive for, negative against; from weights.go
}

// Hypothesis is one possible cause with its evidence.
type Hypothesis struct {
	ID, Kind   string
	Title      string // one line, for the top of the report
	Summary    string // one to three sentences: what happened and why we think so
	Blame      Blame
	Evidence   []Evidence
	LookAt     []string
	Next       []string
	Confidence float64 // set by Rank
}

// Blame is the code to read first.
type Blame struct {
	Symbol string // raw symbol
	Extern string // the runtime function at the boundary
	Source string // file:line or source path, when known
}

// RuledOut is a cause that a named test excluded.
type RuledOut struct{ ID, Why string }

// Finding is what one heuristic returns: hypotheses, and causes it excluded by a test.
type Finding struct {
	Hypotheses []Hypothesis
	RuledOut   []RuledOut
}

// Doc is a heuristic's documentation, printed by "meshdiag explain" and in docs.
type Doc struct {
	ID             string // cause id of the contract
	Title          string
	Kinds          map[string]string // kind -> one sentence
	Text           string            // what it is, how it looks like, example
	For            []string          // what it looks for
	Against        []string          // what speaks against it
	FalsePositives []string          // known ones
	Fix            []string          // what people usually do next
}

// Heuristic is one cause and how it is recognised.
type Heuristic struct {
	Doc Doc
	Run func(*Case) Finding
}

// Diagnosis is the ranked result.
type Diagnosis struct {
	Causes   []Hypothesis // best first
	RuledOut []RuledOut
	Kind     crash.Kind // the outcome after interpretation
	Failed   []Failure  // heuristics that could not be run because of a bug in them
}

// Failure is a heuristic that panicked. The others are not touched by that.
type Failure struct {
	ID    string
	Panic any
}
