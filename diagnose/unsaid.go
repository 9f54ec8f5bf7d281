package diagnose

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/provenance"
)

// panicEntry is a function of Rust's core library that code calls to panic. Which one was called tells most of the words
// that it printed, and its arguments the rest (rust library/core/src/panicking.rs, option.rs, result.rs, cell.rs).
type panicEntry struct {
	words  string // printed; %d and %#x take the numbers, %s the text
	args   int    // numbers that it takes first
	text   bool   // a &str, which it takes first
	skip   int    // further words before the location
	format bool   // a fmt::Arguments in two registers, which it takes first
}

var panicEntries = map[string]panicEntry{
	"core::panicking::panic_fmt":                            {words: "%s", format: true},
	"core::panicking::panic_nounwind_fmt":                   {words: "%s", format: true, skip: 1},
	"std::panicking::begin_panic":                           {words: "%s", text: true},
	"core::panicking::panic":                                {words: "%s", text: true},
	"core::panicking::panic_str_literal":                    {words: "%s", text: true},
	"core::panicking::panic_nounwind":                       {words: "%s", text: true},
	"core::panicking::panic_bounds_check":                   {words: "index out of bounds: the len is %[2]d but the index is %[1]d", args: 2},
	"core::panicking::panic_misaligned_pointer_dereference": {words: "misaligned pointer dereference: address must be a multiple of %#[1]x but is %#[2]x", args: 2},
	"core::panicking::panic_null_pointer_dereference":       {words: "null pointer dereference occurred"},
	"core::option::unwrap_failed":                           {words: "called `Option::unwrap()` on a `None` value"},
	"core::option::expect_failed":                           {words: "%s", text: true},
	"core::result::unwrap_failed":                           {words: "%s: (the error itself is not in the core)", text: true, skip: 2},
	"core::cell::panic_already_borrowed":                    {words: "RefCell already borrowed"},
	"core::cell::panic_already_mutably_borrowed":            {words: "RefCell already mutably borrowed"},
	"core::panicking::panic_const::panic_const_div_by_zero": {words: "attempt to divide by zero"},
	"core::panicking::panic_const::panic_const_rem_by_zero": {words: "attempt to calculate the remainder with a divisor of zero"},
}

// constOverflow begins the names of the functions that tell of an overflow; the operation follows.
const constOverflow = "core::panicking::panic_const::panic_const_"

var overflowOf = map[string]string{"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide",
	"rem": "calculate the remainder", "neg": "negate", "shl": "shift left", "shr": "shift right"}

// entryNamed is the panic entry of a demangled name.
func entryNamed(name string) (panicEntry, bool) {
	if e, ok := panicEntries[name]; ok {
		return e, true
	}
	op, ok := strings.CutPrefix(name, constOverflow)
	if !ok {
		return panicEntry{}, false
	}
	verb, ok := overflowOf[strings.TrimSuffix(op, "_overflow")]
	return panicEntry{words: "attempt to " + verb + " with overflow"}, ok && strings.HasSuffix(op, "_overflow")
}

// unsaid finds what a panic of Rust said when nobody saw the output: in the core dump of the kernel stand only the stack
// and the constants. It reports whether it found one.
func (w *walk) unsaid() bool {
	st, t := w.focusStack(), w.crash.FocusThread()
	if len(w.c.Panics) > 0 || w.c.Kind == crash.Healthy || t == nil || !abortOf(w.crash, t) {
		return false
	}
	// Entries call one another; the outermost one below the program's own code was called for the reason.
	var entry panicEntry
	var call *provenance.Call
	own := w.ownFrame(0)
	for k := range w.c.Calls {
		c := &w.c.Calls[k]
		if c.Frame < 1 || c.Frame >= len(st.Frames) || own >= 0 && c.Frame > own {
			continue
		}
		if e, ok := entryNamed(st.Frames[c.Frame-1].Demangled); ok && (call == nil || c.Frame > call.Frame) {
			entry, call = e, c
		}
	}
	if call == nil {
		return false
	}
	site := heuristics.PanicSite{Origin: "rust", Thread: t.Name, FromLine: -1}
	var ok bool
	if site.Message, ok = w.words(entry, call); !ok {
		return false
	}
	site.File, site.Line = w.location(entry, call)
	w.c.Panics = append(w.c.Panics, site)
	w.c.Changed()
	return true
}

func abortOf(c *crash.Crash, t *crash.Thread) bool {
	s := t.Signal
	if s == nil {
		s = c.Outcome.Signal
	}
	return s != nil && s.Number == int(unix.SIGABRT)
}

// words fills an entry's words with the arguments of its call.
func (w *walk) words(e panicEntry, call *provenance.Call) (string, bool) {
	if e.text || e.format {
		read := w.rustString
		if e.format {
			read = w.rustArguments
		}
		if !call.Prepared[0].ValueOK || !call.Prepared[1].ValueOK {
			return "", false
		}
		s, ok := read(call.Prepared[0].Value, call.Prepared[1].Value)
		return fmt.Sprintf(e.words, s), ok
	}
	var numbers []any
	for _, a := range call.Prepared[:e.args] {
		if !a.ValueOK {
			return "", false
		}
		numbers = append(numbers, a.Value)
	}
	return fmt.Sprintf(e.words, numbers...), true
}

// location reads the core::panic::Location that the compiler passes behind the arguments (#[track_caller]): the file's
// name, then line and column as u32. "" when it is none.
func (w *walk) location(e panicEntry, call *provenance.Call) (file string, line int) {
	n := e.args + e.skip
	if e.text || e.format {
		n += 2
	}
	if n >= len(call.Prepared) || !call.Prepared[n].ValueOK {
		return "", 0
	}
	b := w.constant(call.Prepared[n].Value, 24)
	if len(b) < 24 {
		return "", 0
	}
	file, ok := w.rustString(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
	line = int(binary.LittleEndian.Uint32(b[16:]))
	if !ok || !strings.HasSuffix(strings.TrimRight(file, "\x00"), ".rs") || line <= 0 {
		return "", 0
	}
	return file, line
}
