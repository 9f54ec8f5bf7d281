// Package provenance says what the faulting instruction tried to do, which of its operands was bad and what that value
// is, and slices the bad value back through this function and its callers to where it came from: a constant, an
// argument, a load, or the return of a named call.
//
// It ranks no causes. Every hop says how sure it is; a chain is as strong as its weakest hop.
package provenance

import "meshdiag/crash"

// Access is what the faulting instruction did with memory.
type Access string

const (
	AccessRead    Access = "read"
	AccessWrite   Access = "write"
	AccessExecute Access = "execute"
	AccessNone    Access = "" // no memory access (division, illegal instruction) or not known
)

// Class says what the bad address is. The tokens are part of the report contract.
type Class string

const (
	ClassNull         Class = "null"          // exactly 0, or any address whose base register is 0 (see Fault.Offset)
	ClassNearNull     Class = "near-null"     // below 64 KiB with no zero base: a small integer used as a pointer
	ClassGuardPage    Class = "guard-page"    // inside a stack's guard page, or just below a stack
	ClassNonCanonical Class = "non-canonical" // recovered from the operand's registers
	ClassUnmapped     Class = "unmapped"
	ClassProtection   Class = "protection" // mapped, without the permission needed
	ClassPastEnd      Class = "past-end"   // at most one page behind (or before) a mapping
	ClassPastFile     Class = "past-file"  // SIGBUS behind the end of a mapped file
	ClassMisaligned   Class = "misaligned"
	ClassArithmetic   Class = "arithmetic"
	ClassIllegal      Class = "illegal"
	ClassUnknown      Class = ""
)

// Fault is the decoded fault of one thread.
type Fault struct {
	Access       Access
	Class        Class
	PC           uint64
	Insn         string // Intel syntax text of the instruction; "" when the code cannot be read
	InsnWhy      string // why Insn is missing, or how memory differs from the file
	Operand      string // the bad operand as written: "qword ptr [rax+0x8]"
	Register     string // the register that holds the bad value; "" none or not unique
	Value        uint64 // value of the bad term: the base register, the branch target, the divisor ...
	ValueOK      bool
	Address      uint64 // effective address that failed; for non-canonical ones recovered from the registers
	AddressOK    bool
	Offset       int64  // displacement added to the bad value
	Size         int    // bytes accessed
	Describe     string // the value in words: "NULL plus 8", "the text \"hello wo\"", "a small integer (42)", "inside the guard page of the actor stack 0x..-0x.."
	Region       string // the mapping or object that the address lies in or beside, with distance
	Looks        ValueKind
	Ascii        string   // the bytes of Value when they are text
	Implicit     bool     // the access is implicit (push, call, ret, string instruction)
	Inconsistent []string // why this instruction could not have faulted like this: findings
	BranchBad    bool     // the program counter itself is bad: call or return to a bad address
	BadRet       bool     // it got there by a ret (smashed return address) as opposed to a call or jump
	Branch       uint64   // address of the call or jump that went to the bad address; 0 not known
	BranchInsn   string   // its text
	Slot         string   // symbol of the GOT slot that the branch was read from: an unresolved name when it is 0
	SlotAddr     uint64   // memory the branch target was read from; 0 none or not known
	TailCall     bool     // the call went to other code, which must have jumped on: a frame is missing
	IndexOnly    bool     // the operand has an index and no base: it is never NULL
	BaseOK       bool     // the base points into memory and the index leads away from it
	Base         string   // that base register
	CodeDiffers  bool     // the instruction in memory differs from the file
}

// ValueKind is what a 64-bit value looks like. It is a description, not a cause.
type ValueKind string

const (
	LooksNull         ValueKind = "null"
	LooksSmallInt     ValueKind = "small-int"
	LooksNegInt       ValueKind = "negative-int" // small negative: a sign-extended error code
	LooksText         ValueKind = "text"
	LooksPoison       ValueKind = "poison" // allocator or compiler fill pattern
	LooksFloat        ValueKind = "float"  // bits of a plausible double
	LooksCode         ValueKind = "code"
	LooksRodata       ValueKind = "rodata"
	LooksData         ValueKind = "data"
	LooksHeap         ValueKind = "heap"
	LooksStack        ValueKind = "stack"
	LooksGuard        ValueKind = "guard"
	LooksFile         ValueKind = "file"
	LooksTruncated    ValueKind = "truncated-pointer" // low 32 bits (or sign-extended low bits) of a mapped address
	LooksTagged       ValueKind = "tagged-pointer"    // a mapped address with foreign high bits
	LooksNonCanonical ValueKind = "non-canonical"
	LooksUnmapped     ValueKind = "unmapped"
)

// ValueInfo describes one value.
type ValueInfo struct {
	Kind   ValueKind
	Text   string // in words
	Ascii  string
	Symbol string // symbol it points to or into, "name+0x.."
	Region string // mapping it points into
}

// StepKind is Pernosco's vocabulary: what happened to the value at one hop, from the fault backwards.
type StepKind string

const (
	StepFault   StepKind = "fault"
	StepCopy    StepKind = "copy" // register or stack slot to the other
	StepLoad    StepKind = "load" // from memory that is not a stack slot of this frame
	StepConst   StepKind = "constant"
	StepArith   StepKind = "arithmetic"
	StepArg     StepKind = "argument" // passed by the caller
	StepReturn  StepKind = "return"   // returned by a call
	StepOut     StepKind = "out"      // written by a call through a pointer it was given (sret, out-parameter)
	StepSyscall StepKind = "syscall"
	StepUninit  StepKind = "uninitialised"
	StepUnknown StepKind = "unknown" // with the reason for stopping
)

// Tier is how sure a hop or chain is.
type Tier string

const (
	Certain  Tier = "certain"
	Likely   Tier = "likely"
	Possible Tier = "possible"
)

// Step is one hop of the chain, newest (the fault) first.
type Step struct {
	Kind       StepKind
	Frame      int    // index in the physical stack
	Addr       uint64 // instruction
	Insn       string
	Symbol     string // function, raw symbol name
	Callee     string // for return and out: the function called, raw symbol name; "" unknown (indirect)
	CalleeAddr uint64
	Arg        int    // for argument: which one, from 0 (rdi); -1 otherwise
	Reg        string // location wanted after this step: "rax", "[rsp+0x18]"
	Value      uint64
	ValueOK    bool
	Mem        uint64 // for load: the address loaded from
	MemOK      bool
	Text       string // one sentence
	Tier       Tier
	Assumed    []string // assumptions made to get here
}

// Chain is where the bad value came from.
type Chain struct {
	Steps        []Step
	Origin       StepKind // kind of the last step
	Tier         Tier     // of the weakest hop
	Stop         string   // why it ends there
	Alternatives []Step   // other survivors at a join, when there was more than one
	Returned     []Step   // Origin return: what the callee's code shows, one step for each way out that can give the value
	Base         *Chain   // Origin load: where the pointer came from that the value was loaded through
	Object       *Chain   // of a fault whose index leads away from a good base: where that base came from
	Unchecked    bool     // no test of the value between its origin and its use was found on any path: "nobody refused it"
}

// Call is one call site of a frame as machine code shows it, and what callee and caller do around it.
type Call struct {
	Frame    int    // index of the calling frame
	Site     uint64 // address of the call instruction
	Insn     string
	Target   uint64 // 0 unknown
	Callee   string // raw symbol, "" unknown
	Indirect bool
	// Registers that the caller writes for this call since the previous one, in argument order: rdi, rsi, rdx, rcx, r8, r9.
	Prepared [6]ArgUse
	// RetRead: how the caller reads the result: 0 not read, 1 "al", 4 "eax", 8 "rax"; RetPair when rdx is read too.
	RetRead  int
	RetPair  bool
	RetKnown bool
	// SRet: the first argument is the address of a stack slot that is read afterwards (a hidden result pointer).
	SRet bool
	// FloatArgs counts xmm0.. written for this call.
	FloatArgs int
	RetThird  bool   // rcx is read too: the third word of an LLVM aggregate
	RetPassed bool   // the result is returned on by the caller, or passed on in a tail call, untouched
	CalleeLo  uint64 // entry of the function that is called, behind a PLT stub if there is one; 0 unknown
	Slot      string // symbol of the linkage slot that an indirect call reads its target from
}

// ArgUse is what a call site puts in one argument register.
type ArgUse struct {
	Set     bool
	Kind    ArgKind
	Value   uint64
	ValueOK bool
	Width   int    // bytes written: 1, 2, 4, 8
	Used    bool   // something else reads it between: it may be scratch rather than an argument
	Stale   bool   // not written since the last call or the function's entry: at best kept on purpose
	Text    string // "lea rdi,[rip+..] -> .str.12", "constant 5"
}

// ArgKind is what was put in the register.
type ArgKind string

const (
	ArgUnknown ArgKind = ""
	ArgConst   ArgKind = "const"
	ArgStack   ArgKind = "stack-address"
	ArgGlobal  ArgKind = "global-address"
	ArgLoaded  ArgKind = "loaded"
	ArgReturn  ArgKind = "returned"
	ArgParam   ArgKind = "parameter"
)

// Callee is what a function's machine code says about its own parameters and result.
type Callee struct {
	Symbol string
	Lo, Hi uint64
	// Reads: argument registers read before they are written, with how the first read uses them.
	Reads [6]ParamUse
	// Returns is how wide rax is written on every path to a ret: 0 void or not on all paths, 1, 2, 4, 8.
	Returns int
	// RetPair: rdx is written on every path too. SRet: rdi is stored through and returned in rax.
	RetPair     bool
	SRet        bool
	NoReturn    bool
	FloatReads  int // xmm0.. read before written
	FloatReturn bool
	Known       bool // false: bounds or code unreadable; everything else is meaningless
	// Variadic: the prologue saves all argument registers, so Reads says nothing.
	Variadic bool
	// ReturnsSure: on every path the last value put in rax is used for nothing but the return. A void function's leftover
	// rax usually was used for something.
	ReturnsSure bool
	// ReturnsConst: only constants are returned; Returns is then 8 although 4 may be meant.
	ReturnsConst bool
	// Partial: the function is too long to be followed to its end; Reads is a lower bound and Returns is not known.
	Partial bool
}

// ParamUse is how a parameter is used.
type ParamUse struct {
	Read           bool
	Width          int
	Deref          bool  // used as a base address before being changed: it is a pointer
	MinOff, MaxOff int64 // range of displacements it is dereferenced at
	Stored         bool  // written through, at the displacements StoreMin to StoreMax (the first byte of each store)
	StoreMin       int64
	StoreMax       int64
	Forwarded      bool // may be passed on unchanged to another call, in the same register
	Leaks          bool // a copy was passed on, stored or computed with, so that others may write through it
	always, ever   span // where it is written through: on every way to a return, on some way
}

// span is a set of bytes behind a pointer, as far as outReach, in units of spanUnit.
type span uint64

// spanUnit is the bytes of an object that one bit of a span stands for.
const spanUnit = outReach / 64

// spanOf is the bytes [off, off+size) as far as a span reaches.
func spanOf(off int64, size int) (s span) {
	for b := max(0, off/spanUnit); b*spanUnit < min(off+int64(size), outReach); b++ {
		s |= 1 << b
	}
	return s
}

// Repeat is recursion seen on a stack: Period frames that repeat Count times.
type Repeat struct {
	Symbols []string
	Count   int
	Bytes   uint64 // stack bytes per round
}

// StackUse is where rsp stands in its stack.
type StackUse struct {
	Region   crash.Range // the writable stack mapping
	Guard    crash.Range // guard page or gap below; zero when none is known
	Kind     string      // "main", "thread", "coroutine", "alternate", "" unknown
	Used     uint64      // bytes from the top to rsp
	Left     int64       // bytes from the low end to rsp; negative below it
	Overflow bool        // the faulting access or rsp is at or below the low end
	Largest  []FrameSize // biggest frames, largest first, at most 5
	Depth    int
	Repeat   *Repeat
}

// FrameSize is one frame's stack use.
type FrameSize struct {
	AtLeast bool // the frame's upper end is not known: so far rsp has left the stack
	Frame   int
	Symbol  string
	Bytes   uint64
}
