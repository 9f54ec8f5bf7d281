// Package symbols says whose code an address is: modules and their build IDs, functions, lines, inlined functions,
// demangled names, and the unwound stack of each thread with a trust level on every frame.
//
// It reads executables (and only them) from disk, and the process through crash.Memory. It knows no causes.
package symbols

import "meshdiag/crash"

// Trust says how a frame was found, best first. The tokens are part of the report contract.
type Trust string

const (
	TrustContext Trust = "context" // the thread's own registers, or a signal frame's saved ones
	TrustCFI     Trust = "cfi"     // by the unwind row of the frame below it
	TrustFP      Trust = "fp"      // by frame pointer, because there is no usable row
	TrustScan    Trust = "scan"    // found by looking for return addresses on the stack: may be stale or garbage
)

// Reg is a register's value in one frame. A value that is not known is never zero by accident: look at Known first.
type Reg struct {
	Value uint64
	Known bool
	How   RegSource
}

// RegSource says where a frame's register value was taken from.
type RegSource string

const (
	RegContext RegSource = "context" // the thread's registers
	RegCFI     RegSource = "cfi"     // restored from where an inner frame saved it
	RegSame    RegSource = "same"    // callee-saved and no inner frame changed it
	RegGuess   RegSource = "guess"   // frame pointer or scan
)

// RegSet holds the registers of a frame, by DWARF number.
type RegSet [crash.NumRegs]Reg

// Frame is one physical frame (a function that has its own stack frame). Inlined functions are in Inlined.
type Frame struct {
	Index int
	Code  crash.CodeAddress
	CFA   Reg    // canonical frame address: the value of rsp before the return address was pushed
	Regs  RegSet // as they were when this frame was executing at Code
	Trust Trust
	// Why says for anything but cfi and context why a better way failed. A frame found by cfi has it too when it was
	// reached through a frame that was only scanned for, or when something about it must be known to judge it.
	Why string

	Module *Module // nil when Code lies in no file
	Offset uint64  // address in the module as linked (Code.Addr minus the load bias); 0 without module
	Symbol Symbol  // zero value when no symbol covers it

	Signal    bool   // this frame was interrupted by a signal; the frame below it is the signal trampoline
	Switch    string // not empty: the stack was switched between the frame below and this one ("coroutine", "signal stack")
	Demangled string
	Language  Language
	Inlined   []InlinedCall // innermost first; the last one is the frame's own function; nil without line information
}

// Language of a symbol as its name or the DWARF tells.
type Language string

const (
	LangUnknown Language = ""
	LangC       Language = "c"
	LangCPP     Language = "c++"
	LangRust    Language = "rust"
)

// InlinedCall is one source-level function at a frame's address.
type InlinedCall struct {
	Function string // demangled
	File     string
	Line     int
	Inlined  bool
}

// Stack is the unwound stack of one thread. Of a stack deeper than was asked for the innermost and the outermost frames
// are kept; Frame.Index counts the ones left out, so that it always is the frame's true depth.
type Stack struct {
	Thread    *crash.Thread
	Frames    []Frame
	Truncated string // "" when the outermost frame was reached; else the reason why unwinding stopped
	Depth     int    // frames walked, kept or not
	Elided    int    // frames left out between Frames[ElidedAt-1] and Frames[ElidedAt]
	ElidedAt  int    // index in Frames of the first frame after the gap; 0 when nothing was left out
}

// Symbol is a named range of a module. Addresses are run-time addresses.
type Symbol struct {
	Name   string // as in the symbol table, still mangled
	Start  uint64
	Size   uint64 // 0 when the table does not tell
	Global bool
	Weak   bool
	IsData bool
	Source SymbolSource
}

// SymbolSource says which table named the address.
type SymbolSource string

const (
	FromSymtab SymbolSource = "symtab"
	FromDynsym SymbolSource = "dynsym"
	FromPLT    SymbolSource = "plt" // "name@plt"
	FromDebug  SymbolSource = "debug-file"
)

// Module is one mapped ELF file.
type Module struct {
	Path    string
	BuildID string // hex, from the process's memory when possible; "" unknown
	Bias    uint64 // run-time address minus link-time address
	Ranges  []crash.Range
	Main    bool   // the executable
	Problem string // why the file on disk cannot be used (missing, deleted, other build ID); "" when it is used
	Refused string // why a file that the user gave for it is not used, whether another was found or not
	// Verified is true when the file on disk is known to be the mapped one: same build ID, or the very same file of a
	// living process. False with an empty Problem means that the process's memory did not tell (a core without it).
	Verified bool
	// BiasAssumed is true when the bias was taken from the mappings alone because no ELF header could be read.
	BiasAssumed bool

	file  *elfFile // nil when the file on disk is not used
	debug *elfFile // separate debug information; nil until looked for, or when there is none
	img   *image   // nil when no ELF header could be read
	cfi   cfiTable
	names moduleNames
	slots moduleSlots
	lines *lineIndex

	debugTried bool
	debugAsked bool // from afar
	wanted     bool // it is the executable, or a stack leads through it
}
