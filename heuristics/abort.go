package heuristics

import (
	"strings"

	"meshdiag/profile"
)

// reason is why a process ended itself, and what told.
type reason struct {
	cause, kind string
	text        string // in words
	spoken      bool   // the target or its libraries said so; else it was read from the stack
}

// abortSigns are functions of libc, libstdc++ and Rust's standard library that are on the stack only when the process
// is being ended for that reason. The first one in the table that is on the stack decides.
var abortSigns = []struct {
	symbol      string
	cause, kind string
	text        string
}{
	{"__stack_chk_fail", idStackSmash, "", "the stack protector found an overwritten canary"},
	{"malloc_printerr", idHeap, "", "the allocator found its own data damaged"},
	{"__chk_fail", idPanic, kindAbort, "a checked library function refused a copy that would not have fitted"},
	{"__assert_fail", idPanic, kindAssertion, "an assertion failed"},
	{"__assert_perror_fail", idPanic, kindAssertion, "an assertion failed"},
	{"__cxa_pure_virtual", idPanic, kindAbort, "a pure virtual function was called"},
	{"_ZSt9terminatev", idPanic, kindException, "std::terminate was called"},
	{"_ZN10__cxxabiv111__terminateEPFvvE", idPanic, kindException, "std::terminate was called"},
	{"__cxa_throw", idPanic, kindException, "an exception was thrown that nobody catches"},
	{"_ZN5alloc5alloc18handle_alloc_error17h", idPanic, kindAllocation, "an allocation failed"},
	{"__rust_alloc_error_handler", idPanic, kindAllocation, "an allocation failed"},
}

// allocatorEntries are the allocator's public functions: an abort raised inside one is its integrity check.
var allocatorEntries = []string{"malloc", "free", "cfree", "calloc", "realloc", "__libc_malloc", "__libc_free",
	"__libc_realloc", "__libc_calloc", "posix_memalign", "aligned_alloc", "memalign"}

// abortReason says why the process aborted: first by the words that were printed, then by who is on the stack.
func (c *Case) abortReason() reason {
	for _, id := range []string{idOverflow, idHeap, idStackSmash} {
		if m := c.message(id, ""); m != nil {
			return reason{id, m.Kind, m.Text, true}
		}
	}
	v := c.facts()
	if p := v.panic; p != nil {
		return reason{idPanic, c.panicKind(p), p.Message, p.FromLine >= 0}
	}
	for _, s := range abortSigns {
		if v.stack.findPrefix(s.symbol) >= 0 {
			return reason{s.cause, s.kind, s.text, false}
		}
	}
	end := v.suspect
	if end < 0 {
		end = len(v.stack.frames)
	}
	abort := v.stack.find("abort", "__GI_abort")
	if at := v.stack.find(allocatorEntries...); abort >= 0 && at > abort && at < end {
		return reason{idHeap, "", "the allocator found its own data damaged", false}
	}
	if v.stack.within(end, profile.PartPanic) >= 0 {
		return reason{idPanic, kindRuntime, "a panic ended the program", false}
	}
	return reason{idPanic, kindAbort, "the program called abort", false}
}

// findPrefix is the innermost frame whose raw symbol is the name, or starts with it where the name ends in a hash prefix.
func (s stack) findPrefix(name string) int {
	if !strings.HasSuffix(name, "17h") {
		return s.find(name)
	}
	for i := range s.frames {
		if strings.HasPrefix(s.symbol(i), name) {
			return i
		}
	}
	return -1
}
