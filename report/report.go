// Package report is the machine-readable report (schema meshdiag/report/v1) and its renderings for people: text,
// Markdown and JSON. Everything is rendered from one Report value; nothing is recomputed, so a saved report can be
// rendered again later.
package report

// SchemaID names the version of the contract.
const SchemaID = "meshdiag/report/v1"

// Hex is an address, written as "0x..." in JSON.
type Hex = string

// Report is the whole report. Unknown values are null, never zero.
type Report struct {
	Schema     string     `json:"schema"`
	Tool       Tool       `json:"tool"`
	Target     Target     `json:"target"`
	Process    *Process   `json:"process"`
	Outcome    Outcome    `json:"outcome"`
	Phase      Phase      `json:"phase"`
	Thread     *Thread    `json:"thread"`
	Fault      *Fault     `json:"fault"`
	Provenance []Step     `json:"provenance"`
	Causes     []Cause    `json:"causes"`
	RuledOut   []RuledOut `json:"ruled_out"`
	Threads    []Stack    `json:"threads"`
	Waits      *Waits     `json:"waits"` // who waits for whom; null where it was not looked at
	Output     Output     `json:"output"`
	Checks     []Check    `json:"checks"`
	Corpus     Corpus     `json:"corpus"`
	Warnings   []string   `json:"warnings"`
}

// Tool names the program that made the report.
type Tool struct {
	Version string `json:"version"`
}

// Target is the program that was observed.
type Target struct {
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	BuildID *string  `json:"build_id"`
	Arch    string   `json:"arch"`
	Source  string   `json:"source"` // "live" or "core"
	Runtime *Runtime `json:"runtime"`
}

// Process says which process it was, of which machine, and when it ended. IDs are as the process itself saw them.
type Process struct {
	PID     *int `json:"pid"`
	PPID    *int `json:"ppid"`
	UID     *int `json:"uid"`
	GID     *int `json:"gid"`
	HostPID *int `json:"host_pid"` // as its machine saw it, where that differs
	HostUID *int `json:"host_uid"`
	// DiedAt is when it ended, or was looked at while it was alive: RFC 3339, UTC. DiedAtSource names the witness:
	// "observer" | "handler" | "xattr" | "journal" | "file-name" | "file-time".
	DiedAt       *string `json:"died_at"`
	DiedAtSource *string `json:"died_at_source"`
	Hostname     *string `json:"hostname"`
	Cgroup       *string `json:"cgroup"`
	Unit         *string `json:"unit"`
	Container    *string `json:"container"`
}

// Runtime is the recognised runtime of the target.
type Runtime struct {
	Profile         string  `json:"profile"`
	Build           *string `json:"build"` // "debug" | "release"
	ActorStackBytes *uint64 `json:"actor_stack_bytes"`
}

// Outcome is how it ended.
type Outcome struct {
	Kind     string   `json:"kind"`
	ExitCode *int     `json:"exit_code"`
	Signal   *Signal  `json:"signal"`
	ElapsedS *float64 `json:"elapsed_s"`
	// Detail says in one sentence what the other fields cannot: why a target could not be launched, who killed it, what
	// a watchdog waited for. Null when there is nothing to add.
	Detail *string `json:"detail"`
}

// Signal is the fatal signal.
type Signal struct {
	Name    string `json:"name"`
	Number  int    `json:"number"`
	Code    string `json:"code"`
	Address *Hex   `json:"address"` // null where the kernel gave none (SI_KERNEL, sent signals)
}

// Phase is the start-up phase of the crash.
type Phase struct {
	ID          *string  `json:"id"`
	Title       *string  `json:"title"`
	Index       *int     `json:"index"` // from 1
	Of          *int     `json:"of"`
	LastMessage *string  `json:"last_message"`
	NextMessage *string  `json:"next_message"`
	AtS         *float64 `json:"at_s"`
	Explains    bool     `json:"explains"`
	Why         *string  `json:"why"` // how the phase was found
}

// Thread is the thread that died.
type Thread struct {
	TID   int     `json:"tid"`
	Name  string  `json:"name"`
	Role  string  `json:"role"`
	Actor *string `json:"actor"`
}

// Fault is the decoded fault.
type Fault struct {
	Access      *string      `json:"access"`
	Class       *string      `json:"class"`
	Instruction *Instruction `json:"instruction"`
	Operand     *string      `json:"operand"`
	Register    *string      `json:"register"`
	Value       *Hex         `json:"value"`
	Address     *Hex         `json:"address"`
	Describe    *string      `json:"describe"` // the value in words
	Region      *string      `json:"region"`
}

// Instruction is one decoded instruction.
type Instruction struct {
	Address Hex    `json:"address"`
	Text    string `json:"text"`
}

// Step is one hop of the provenance chain, the fault first.
type Step struct {
	Step     string  `json:"step"`
	Address  *Hex    `json:"address"`
	Text     string  `json:"text"`
	Symbol   *string `json:"symbol"`
	Function *string `json:"function"` // the symbol as people read it
	Tier     string  `json:"tier"`     // "certain" | "likely" | "possible"
}

// Cause is one ranked cause.
type Cause struct {
	ID         string     `json:"id"`
	Kind       *string    `json:"kind"`
	Confidence float64    `json:"confidence"`
	Title      string     `json:"title"`
	Summary    string     `json:"summary"`
	Blame      Blame      `json:"blame"`
	Evidence   []Evidence `json:"evidence"`
	LookAt     []string   `json:"look_at"`
	Next       []string   `json:"next"`
}

// Blame is the code to read first.
type Blame struct {
	Symbol         *string `json:"symbol"`
	Function       *string `json:"function"` // the symbol as people read it
	Extern         *string `json:"extern"`
	ExternFunction *string `json:"extern_function"` // the extern as people read it
	Source         *string `json:"source"`
}

// Evidence is one fact for or against.
type Evidence struct {
	ID       string  `json:"id"`
	Text     string  `json:"text"`
	Weight   float64 `json:"weight"`
	Supports bool    `json:"supports"`
}

// RuledOut is a cause excluded by a named test.
type RuledOut struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Stack is one thread's stack.
type Stack struct {
	TID       int     `json:"tid"`
	Name      string  `json:"name"`
	Role      string  `json:"role"`
	Crashed   bool    `json:"crashed"`
	Waits     *string `json:"waits"` // what it waits for, when it is in a system call
	Wait      *Wait   `json:"wait"`  // the same for programs; null where it was not looked at
	Frames    []Frame `json:"frames"`
	Truncated *string `json:"truncated"`
}

// Wait is what one thread waits for.
type Wait struct {
	Kind      string   `json:"kind"`      // "running" | "lock" | "condition" | "join" | "reply" | "io" | "poll" | "accept" | "sleep" | "child" | "signal" | "other" | "unknown"
	Text      *string  `json:"text"`      // for people: "waits for thread 12 to end"
	Primitive *string  `json:"primitive"` // "pthread-mutex", "rust-channel" ...
	Address   *Hex     `json:"address"`   // of the lock or condition
	Name      *string  `json:"name"`      // the variable there, or the service that was asked
	Holder    *Holder  `json:"holder"`    // the thread that could end the wait
	FDs       []int    `json:"fds"`       // descriptors that it waits for
	Child     *int     `json:"child"`     // process that it waits for
	Timed     bool     `json:"timed"`     // the wait ends by itself
	LimitS    *float64 `json:"limit_s"`   // after how long at most, where that is known
	Rest      bool     `json:"rest"`      // it waits for work from outside
	Pace      *string  `json:"pace"`      // of a thread that runs or moves data: "circles" | "stays" | "moves"
}

// Holder is a thread that another one waits for.
type Holder struct {
	TID   int    `json:"tid"`
	Alive bool   `json:"alive"`
	Sure  bool   `json:"sure"` // recorded by the lock itself
	Why   string `json:"why"`
}

// Waits is who waits for whom.
type Waits struct {
	Cycles []Cycle `json:"cycles"`
	Chains []Chain `json:"chains"`
	Closed bool    `json:"closed"` // every thread waits for another one of the process, without a time limit
	Actors []Actor `json:"actors"` // coroutines of the runtime; at most 64
}

// Cycle is a ring, each member of which waits for the next, the last for the first.
type Cycle struct {
	Members []Member `json:"members"`
	Proven  bool     `json:"proven"`
}

// Chain is a way that ends outside of a ring: each member waits for the next.
type Chain struct {
	Members  []Member `json:"members"`
	Sure     bool     `json:"sure"`
	Waiters  int      `json:"waiters"`   // how many wait for the last member, directly or through others
	EndedTID *int     `json:"ended_tid"` // the owner of the last lock, when that thread has ended
}

// Member is a thread or an actor in a ring or chain.
type Member struct {
	TID      *int    `json:"tid"`   // null for an actor that stands on no thread
	Actor    *string `json:"actor"` // null for a thread
	Function *string `json:"function"`
	Text     *string `json:"text"` // what it waits for
}

// Actor is one coroutine.
type Actor struct {
	Name  *string `json:"name"`
	State string  `json:"state"` // "on-thread" | "suspended" | "never-ran" | "unknown"
	TID   *int    `json:"tid"`   // of the thread that stands on its stack
	Text  *string `json:"text"`  // what it waits for
}

// Frame is one frame, inlined ones included.
type Frame struct {
	Index     int     `json:"index"`
	PC        Hex     `json:"pc"`
	Symbol    *string `json:"symbol"`
	Demangled *string `json:"demangled"`
	Language  *string `json:"language"`
	Kind      string  `json:"kind"`
	Part      *string `json:"part"` // what the profile says it is: "service loop", "collector" ...
	Module    *string `json:"module"`
	BuildID   *string `json:"build_id"`
	Offset    *Hex    `json:"offset"` // in the module as linked
	File      *string `json:"file"`
	Line      *int    `json:"line"`
	Inlined   bool    `json:"inlined"`
	Trust     string  `json:"trust"`
	Why       *string `json:"why"`
	Mark      *string `json:"mark"` // "operation" | "suspect" | "context" on the frames a reader should see first
}

// Output is the end of what the target printed.
type Output struct {
	Tail []OutputLine `json:"tail"`
}

// OutputLine is one line with control sequences removed and secrets masked.
type OutputLine struct {
	AtS    *float64 `json:"at_s"`
	Stream *string  `json:"stream"`
	Text   string   `json:"text"`
}

// Check is one probe of the world outside.
type Check struct {
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Corpus says whether this crash was seen before.
type Corpus struct {
	Signature *string `json:"signature"`
	Seen      *int    `json:"seen"`
	FirstSeen *string `json:"first_seen"`
	LastSeen  *string `json:"last_seen"`
	Known     *Known  `json:"known"`
}

// Known is a known issue that the crash matches.
type Known struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Fix   string `json:"fix"`
}
