// Package profile is what is known of a runtime, as data: name patterns, extern signatures, value layouts, start-up
// messages, failure messages, stack sizes and where its sources stand.
//
// Profiles are versioned tables (TOML and TSV, embedded or from a file of the user); there is no code path per runtime.
// A profile never decides anything: it gives the engine names for what was observed.
package profile

import "regexp"

// Profile is one loaded profile. A nil *Profile is valid and means "nothing is known" (--profile none): every method
// works on it.
type Profile struct {
	ID      string // "mesh", "snow", or what a user's file says
	Title   string
	Prefix  string // of runtime externs, such as "mesh_"
	Version string

	Recognise   []string // symbols that a binary of this runtime has, as patterns
	Names       []NameRule
	Externs     map[string]*Extern // by symbol, with the prefix
	Startup     []Sequence
	Messages    []MessageRule
	Breakpoints []string // symbols at which a panic or abort can be seen at first chance; generic ones are the engine's own
	Stacks      Stacks
	Sources     []SourceRule
	Values      []Layout
}

// FrameKind is the contract's frame kind. "mesh" means: code of the language that the profile describes.
type FrameKind string

const (
	KindProgram FrameKind = "mesh"
	KindRuntime FrameKind = "runtime"
	KindStd     FrameKind = "std"
	KindLibc    FrameKind = "libc"
	KindOther   FrameKind = "other"
)

// Role is the contract's thread role.
type Role string

const (
	RoleMain    Role = "main"
	RoleWorker  Role = "worker"
	RoleHTTP    Role = "http-handler"
	RoleWS      Role = "ws-handler"
	RoleService Role = "service"
	RoleActor   Role = "actor"
	RoleOther   Role = "other"
)

// NameRule maps symbols (mangled or demangled) to what they are. The first rule that matches wins.
type NameRule struct {
	ID       string
	Pattern  *regexp.Regexp
	Kind     FrameKind
	Role     Role   // role that a thread has when such a frame is on its stack; "" none
	Part     string // what the symbol is, for people: "service loop", "call handler", "actor body", "closure", "collector", "coroutine entry" ...
	Readable string // template for a readable name with $1.. from Pattern, such as "$1.$2 (call handler)"; "" keeps the name
	Actor    string // template for the actor's or service's name; "" none
	Obsolete bool
	Source   string
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
	Line         int
	LanguageName string // names in the language, comma-separated
	ReturnsNull  string // when it may return 0 as data or as "nothing", in a short sentence; "" when never
	NullKind     string // kind of null-value this is: "missing-key", "no-reply", "extern-returned-null"; "" none
	Returns      string // layout id of the value pointed to ("string", "list", "map", "result", ...); "" unknown
	Collects     bool   // runs or may run the collector
	Handle       bool   // returns an opaque handle (address of a runtime object as an integer)
	Obsolete     bool
}

// Sequence is one known start-up sequence.
type Sequence struct {
	ID     string
	Phases []Phase
}

// Phase is one start-up step: from the moment its message is printed to the next one.
type Phase struct {
	ID       string
	Title    string
	Message  *regexp.Regexp // matches a whole output line
	Literal  string         // the constant part of the message, to be found in the binary
	Stream   string         // "stdout" | "stderr"
	Optional bool
}

// MessageRule maps something that the target prints to a meaning: a failure in words, a panic format, a consequence.
type MessageRule struct {
	ID      string
	Pattern *regexp.Regexp
	Stream  string // "" either
	Meaning string // "panic", "panic-consequence", "caught-panic", "failure", "warning", "allocation-failure"
	Cause   string // cause id it points to, "" none
	Kind    string
	Fatal   bool   // the program cannot do its job after this, even if it lives on or exits with 0
	Text    string // sentence for the report; $1.. from Pattern
	Next    []string
	Source  string
}

// Stacks are the sizes of the runtime's own stacks, bytes.
type Stacks struct {
	Actor      uint64
	Guard      uint64
	ActorStale []uint64 // sizes of older runtimes: seeing one means a stale archive
}

// SourceRule says where the code behind a symbol or boundary is kept, for look_at.
type SourceRule struct {
	Pattern *regexp.Regexp // symbol
	Paths   []string       // may use $1..
	Why     string
}

// Layout describes a value at the boundary, for naming fields ("length word of a String").
type Layout struct {
	ID     string
	Title  string
	Fields []Field
}

// Field is one word or byte of a layout.
type Field struct {
	Offset int64
	Size   int
	Name   string
	Class  Class
}
