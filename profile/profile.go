// Package profile is what is known of a runtime, as data: name patterns, extern signatures, value layouts, start-up
// messages, failure messages, stack sizes and where its sources stand.
//
// Profiles are versioned tables (TOML and TSV, embedded or from a file of the user); there is no code path per runtime.
// A profile never decides anything: it gives the engine names for what was observed. Beside the profile of a runtime
// there is one table that holds for every program, data/engine.toml: the names of Rust's and C++'s standard libraries
// and of libc, and what Rust, Go, glibc and the loader print when a program dies. docs/profiles.md describes the format.
package profile

import "sync"

// Profile is one loaded profile. A nil *Profile is valid and means "nothing is known" (--profile none): every method
// works on it and then knows only what the engine's own table says.
type Profile struct {
	ID      string // "mesh", "snow", or what a user's file says
	Title   string
	Prefix  string // of runtime externs, such as "mesh_"; "" none
	Version string

	Recognise   []string // symbols that a binary of this runtime has; see Recognise
	Names       []NameRule
	Threads     []ThreadRule
	Startup     []Sequence
	Entry       Entry
	Messages    []MessageRule
	Breakpoints []string // symbols at which a panic or abort can be seen at first chance; generic ones are the engine's own
	Stacks      Stacks
	Sources     []SourceRule
	Values      []Layout
	Database    *Database // what the program expects of its database; nil: nothing is known
	Servers     []Server  // ports that it listens on once it is up
	Verify      Verify
	Artefacts   Artefacts

	externs externTable
	cache   classifyCache
}

// FrameKind is the contract's frame kind. "mesh" means: code of the language that the profile describes; a profile file
// writes it as "program".
type FrameKind string

// The frame kinds of the report contract.
const (
	KindProgram FrameKind = "mesh"
	KindRuntime FrameKind = "runtime"
	KindStd     FrameKind = "std"
	KindLibc    FrameKind = "libc"
	KindOther   FrameKind = "other"
)

// Role is the contract's thread role.
type Role string

// The thread roles of the report contract.
const (
	RoleMain    Role = "main"
	RoleWorker  Role = "worker"
	RoleHTTP    Role = "http-handler"
	RoleWS      Role = "ws-handler"
	RoleService Role = "service"
	RoleActor   Role = "actor"
	RoleOther   Role = "other"
)

// Parts that the engine itself asks for. A profile may use any other words for people; these have a meaning for code,
// and both the engine's table and the profiles use exactly them.
const (
	PartEntry          = "entry function"  // the program's own main, which prints the start-up messages
	PartServiceLoop    = "service loop"    // takes requests and calls handlers
	PartHandler        = "service handler" // handles one call or cast inside a service
	PartCallHelper     = "call helper"     // client side of a service call
	PartActorBody      = "actor body"
	PartClosure        = "closure"
	PartDerived        = "derived code"
	PartHTTPEntry      = "HTTP handler entry"
	PartWSEntry        = "WebSocket handler entry"
	PartCollector      = "collector"
	PartAllocator      = "allocator"
	PartCoroutineEntry = "coroutine entry" // first frame on a coroutine's own stack
	PartScheduler      = "scheduler loop"  // the loop of a worker thread
	PartAcceptLoop     = "accept loop"
	PartPanic          = "panic machinery"
	PartAbort          = "abort machinery" // abort, assert, stack protector, fortify, terminate
	PartSignal         = "signal machinery"
	PartUnwinder       = "unwinder"
	PartLoader         = "dynamic loader"
	PartStart          = "process or thread start"
	PartEnd            = "process end" // exit and its kin: never returns
	PartFill           = "memory fill" // memset and its kin: writes what it is told
	PartSanitizer      = "sanitizer"
	PartLockWait       = "lock wait"      // waits for a mutex or reader-writer lock
	PartConditionWait  = "condition wait" // waits for a signal of another thread: condition variable, semaphore, park
	PartJoin           = "join"           // waits for another thread's end
	PartServiceCall    = "service call"   // asks another actor and waits for its answer
)

// NameRule maps symbols to what they are. The first rule that matches wins.
type NameRule struct {
	ID       string
	On       Subject // what Pattern is matched against; "" the raw symbol
	Pattern  *Pattern
	MainOnly bool // only for symbols of the executable itself
	Fallback bool // tried after the engine's own rules: what is left
	Kind     FrameKind
	Role     Role   // role that a thread has when such a frame is on its stack; "" none
	Part     string // what the symbol is, for people: "service loop", "call handler", "actor body", "closure", "collector", "coroutine entry" ...
	Readable string // template for a readable name with $1.. from Pattern, such as "$1.$2 (call handler)"; "" keeps the name
	Actor    string // template for the actor's or service's name; "" none
	// Primitive is what a thread waits for that has such a frame between the kernel and its own code; "" nothing special.
	Primitive Primitive
	Obsolete  bool
	Source    string
}

// Primitive is a means by which threads wait for each other. Where its words lie in memory is known to package waits.
type Primitive string

// The primitives that are told apart.
const (
	LibcLock      Primitive = "libc-lock" // a lock inside of libc: of a stream, of the allocator
	PthreadMutex  Primitive = "pthread-mutex"
	PthreadRWLock Primitive = "pthread-rwlock"
	PthreadCond   Primitive = "pthread-cond"
	PthreadOnce   Primitive = "pthread-once"
	Barrier       Primitive = "barrier"
	Semaphore     Primitive = "semaphore"
	Join          Primitive = "join"
	StaticGuard   Primitive = "static-guard" // of a C++ variable with static storage that is being initialised
	RustMutex     Primitive = "rust-mutex"
	RustRWLock    Primitive = "rust-rwlock"
	RustCondvar   Primitive = "rust-condvar"
	RustOnce      Primitive = "rust-once"
	RustPark      Primitive = "rust-park"
	RustChannel   Primitive = "rust-channel"
	RustScope     Primitive = "rust-scope" // the end of scoped threads
	ParkingLot    Primitive = "parking-lot"
	ActorReply    Primitive = "actor-reply" // the answer of another actor
)

// Subject says what a NameRule looks at.
type Subject string

// What a NameRule's pattern is matched against.
const (
	OnSymbol    Subject = "symbol"    // as in the symbol table, without "@plt" and version suffix
	OnDemangled Subject = "demangled" // the readable form; the symbol itself when it is not mangled
	OnModule    Subject = "module"    // file name (without folder) of the mapped file
)

// ThreadRule maps thread names (comm, cut at 15 bytes by the kernel) to a role.
type ThreadRule struct {
	ID      string
	Pattern *Pattern
	Role    Role
	Part    string
	Actor   string // template; "" none
	Source  string
}

// Class is how a value travels over a call boundary, in LLVM's words: "ptr", "i64", "i32", "i8", "i1", "double", "void".
type Class string

// Extern is one runtime function with both views of its signature.
type Extern struct {
	Symbol       string
	Rust         string  // signature in the runtime's source
	Params       []Class // what the runtime defines
	Ret          Class
	Declared     bool    // the compiler declares it
	DeclParams   []Class // what the compiler declares
	DeclRet      Class
	File         string // in the runtime's source
	Line         int    // 0 unknown
	LanguageName string // names in the language, comma-separated
	ReturnsNull  string // when it may return 0 as data or as "nothing", in a short sentence; "" when that is not known
	NullKind     string // kind of null-value this is: "missing-key", "no-reply", "extern-returned-null"; "" none
	Returns      string // layout id of the value pointed to ("string", "list", "map", "result", ...); "" unknown
	Collects     bool   // runs or may run the collector
	Handle       bool   // returns an opaque handle (address of a runtime object as an integer), bare or in a result
	HandleParams []int  // which parameters are opaque handles, from 0
	Obsolete     bool
}

// Entry names the functions through which a program starts and speaks, so that start-up can be read off the binary.
type Entry struct {
	Functions []string    // functions that print the start-up messages, best first: "mesh_main"
	Print     []string    // functions that print a line: the message is what was made or loaded just before
	Strings   []StringNew // functions that make a string value of a constant
	Line      *Pattern    // a constant is a message only when it matches this; nil: every printed constant is
}

// StringNew is a function that takes the address of constant bytes, and their length in another argument.
type StringNew struct {
	Symbol string
	Ptr    int // argument with the address, from 0
	Len    int // argument with the length in bytes; -1: the bytes end with a NUL
}

// Sequence is one known start-up sequence.
type Sequence struct {
	ID     string
	Source string
	Phases []Phase
}

// Phase is one start-up step: from the moment its message is printed to the next one.
type Phase struct {
	ID       string
	Title    string
	Message  *Pattern // matches a whole output line
	Literal  string   // the constant part of the message, to be found in the binary
	Stream   string   // "stdout" | "stderr" | "" either
	Optional bool
	Source   string
}

// Meaning says what a printed line is.
type Meaning string

// The meanings that message rules give.
const (
	MeansPanic       Meaning = "panic"             // where a panic was raised, often with its words
	MeansPayload     Meaning = "panic-payload"     // the words of a panic, on a line of their own
	MeansConsequence Meaning = "panic-consequence" // a second panic or abort that only follows from the first
	MeansCaught      Meaning = "caught-panic"      // the program caught a panic and goes on
	MeansFailure     Meaning = "failure"           // something failed, in words
	MeansWarning     Meaning = "warning"
	MeansAllocation  Meaning = "allocation-failure"
	MeansNoise       Meaning = "noise" // lines that accompany others, such as a printed backtrace
)

// MessageRule maps something that the target prints to a meaning: a failure in words, a panic format, a consequence.
type MessageRule struct {
	ID      string
	Pattern *Pattern
	Stream  string // "stdout" | "stderr" | "" either
	Meaning Meaning
	Cause   string // cause id it points to, "" none
	Kind    string
	Fatal   bool   // the program cannot do its job after this, even if it lives on or exits with 0
	Text    string // sentence for the report; $1.. from Pattern
	Next    []string
	Origin  string // of a panic or abort: "rust", "profile", "c++", "glibc", "c", "go"; "" not one
	Source  string

	// Templates ($1.. from Pattern) for the parts of a panic; "" the line does not tell.
	Thread, TID, File, Line, Payload string
	// Reason is a template for the part of the line in which a library says why. The engine's own rules may know it: one of the
	// same cause then tells the kind, and without one the kind is open.
	Reason      string
	PayloadNext bool     // the words stand on the next line of the same stream
	More        *Pattern // following lines that match belong to the words, too
	// End closes words that go over several lines: group 1 is their last part, 2 the file, 3 the line.
	End *Pattern
}

// Stacks are the sizes of the runtime's own stacks, bytes; 0 unknown.
type Stacks struct {
	Actor      uint64
	Guard      uint64
	ActorStale []uint64 // sizes of older runtimes: seeing one means a stale archive
}

// SourceRule says where the code behind a symbol or boundary is kept, for look_at.
type SourceRule struct {
	Pattern *Pattern // symbol
	Paths   []string // may use $1..
	Why     string
	Source  string
}

// Layout describes a value at the boundary, for naming fields ("length word of a String").
type Layout struct {
	ID     string
	Title  string
	Fields []Field
	Source string
}

// Field is one word or byte of a layout.
type Field struct {
	Offset int64
	Size   int
	Name   string
	Class  Class
}

// Layout returns the layout with that id, or nil.
func (p *Profile) Layout(id string) *Layout {
	if p == nil {
		return nil
	}
	for i := range p.Values {
		if p.Values[i].ID == id {
			return &p.Values[i]
		}
	}
	return nil
}

// Field returns the field that covers the byte at offset, or nil.
func (l *Layout) Field(offset int64) *Field {
	if l == nil {
		return nil
	}
	for i := range l.Fields {
		f := &l.Fields[i]
		if offset >= f.Offset && offset < f.Offset+int64(f.Size) {
			return f
		}
	}
	return nil
}

// classifyCache remembers answers by symbol: a deep recursion asks for the same few names thousands of times.
type classifyCache struct {
	mu    sync.Mutex
	byKey map[classifyKey]Classified
}
