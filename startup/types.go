// Package startup turns output lines and the binary's own constants into a timeline of phases, and gives each thread its
// role. It never guesses a phase from time alone.
package startup

import (
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
)

// Timeline is how far the start-up got.
type Timeline struct {
	Steps   []Step // all known steps in order
	Last    int    // index in Steps of the last step whose message was seen; -1 before the first
	Source  string // "profile", "binary" (constants in the order the entry function uses them) or "both"
	From    string // "output" (lines were watched), "stack" (from the return address in the entry function's frame), "" unknown
	Why     string // sentence: how the phase was found, or why it is unknown
	Done    bool   // the last step was reached: steady state
	Known   string // id of the profile's sequence that fits best; "" none
	Unnamed []Line // lines printed by the target that map to no step and no message rule (at most 20)

	steps []step       // parallel to Steps
	taken map[int]bool // output lines that are a step's message
}

// Step is one start-up step.
type Step struct {
	ID         string
	Title      string
	Message    string // as printed, or as the constant in the binary
	Seen       bool
	At         time.Duration
	FromBinary bool     // read off the binary, not in the profile
	CodeAddr   uint64   // address of the instruction that loads the message in the entry function; 0 unknown
	Calls      []string // functions called between this message and the next, in order; nil unknown
	Optional   bool     // may be missing without anything being wrong
	Function   string   // symbol of the function that prints it; "" unknown
}

// Line is one output line with its time.
type Line struct {
	At   time.Duration
	Text string
}

// Message is a line of the target that a rule of the profile or of the engine gives a meaning.
type Message struct {
	Rule        string
	Meaning     profile.Meaning
	Cause, Kind string
	Open        bool // the line leaves the kind open
	Fatal       bool
	Text        string // the rule's sentence, filled in
	Line        Line
	Groups      []string // the pattern's groups
	Next        []string
	Index       int    // in Crash.Output.Lines
	Origin      string // of a panic or abort: who gave up ("rust", "profile", "c++", "glibc", "c", "go"); "" not one
	Stream      crash.Stream

	parts profile.Matched
	words *words // what a panic says, when the line is the head of one
	inner bool   // the line is the words of the panic before it
}

// ThreadRole is what one thread was doing.
type ThreadRole struct {
	Role       profile.Role
	Actor      string // name of the service or actor, "" none
	Why        string // which frame or name told
	FrameIndex int    // index in Stack.Frames of the frame that told, -1 none
	Prints     bool   // this is the thread that prints the start-up messages
}
