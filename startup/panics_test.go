package startup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPanics(t *testing.T) {
	const runtimeFile = "crates/mesh-rt/src/panic.rs"
	tests := []struct {
		name    string
		profile string
		lines   []string
		want    []PanicText
	}{
		{"new Rust form", "none",
			[]string{"2>thread 'worker' (77) panicked at src/main.rs:4:5:", "2>index out of bounds: the len is 3 but the index is 7", "2>note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"},
			[]PanicText{{Thread: "worker", TID: 77, File: "src/main.rs", Line: 4, Message: "index out of bounds: the len is 3 but the index is 7", Cause: "panic", Origin: "rust"}}},
		{"without the thread's number", "none", []string{"2>thread 'main' panicked at a.rs:1:2:", "2>boom"},
			[]PanicText{{Thread: "main", File: "a.rs", Line: 1, Message: "boom", Cause: "panic", Origin: "rust"}}},
		{"old Rust form", "none", []string{"2>thread 'main' panicked at 'called `Option::unwrap()` on a `None` value', src/lib.rs:10:3"},
			[]PanicText{{Thread: "main", File: "src/lib.rs", Line: 10, Message: "called `Option::unwrap()` on a `None` value", Cause: "panic", Origin: "rust"}}},
		{"old form over several lines", "none",
			[]string{"2>thread 'main' panicked at 'assertion failed: `(left == right)`", "2>  left: `1`,", "2> right: `2`', src/lib.rs:10:3", "2>after"},
			[]PanicText{{Thread: "main", File: "src/lib.rs", Line: 10, Message: "assertion failed: `(left == right)` left: `1`, right: `2`", Cause: "panic", Kind: "assertion", Origin: "rust"}}},
		{"new assertion over several lines", "none",
			[]string{"2>thread 'main' (1) panicked at a.rs:1:2:", "2>assertion `left == right` failed: sizes", "2>  left: 1", "2> right: 2", "2>note: run with `RUST_BACKTRACE=1`"},
			[]PanicText{{Thread: "main", TID: 1, File: "a.rs", Line: 1, Message: "assertion `left == right` failed: sizes; left: 1; right: 2", Cause: "panic", Kind: "assertion", Origin: "rust"}}},
		{"the language's own panic, and what follows from it", "mesh",
			[]string{"2>thread '<unnamed>' (4711) panicked at " + runtimeFile + ":30:5:", "2>Mesh panic at <unknown>:0: non-exhaustive match in switch", "2>",
				"2>thread '<unnamed>' (4711) panicked at /rustc/x/library/core/src/panicking.rs:230:5:", "2>panic in a function that cannot unwind", "2>stack backtrace:",
				"2>   0:     0x55 - std::backtrace", "2>thread caused non-unwinding panic. aborting."},
			[]PanicText{
				{Thread: "<unnamed>", TID: 4711, File: "<unknown>", Message: "non-exhaustive match in switch", Cause: "panic", Kind: "mesh-panic", Origin: "profile"},
				{Thread: "<unnamed>", TID: 4711, File: "/rustc/x/library/core/src/panicking.rs", Line: 230, Message: "panic in a function that cannot unwind", Cause: "panic", Consequence: true, Origin: "rust", LineIndex: 3}}},
		{"the older language", "snow", []string{"2>thread '<unnamed>' panicked at crates/snow-rt/src/panic.rs:1:2:", "2>Snow panic at api.snow:12: no such user"},
			[]PanicText{{Thread: "<unnamed>", File: "api.snow", Line: 12, Message: "no such user", Cause: "panic", Kind: "mesh-panic", Origin: "profile"}}},
		{"the runtime's own panic", "mesh", []string{"2>thread 'x' (5) panicked at crates/mesh-rt/src/collections/list.rs:1:2:", "2>mesh_list_get: index 7 out of bounds (len 3)"},
			[]PanicText{{Thread: "x", TID: 5, File: "crates/mesh-rt/src/collections/list.rs", Line: 1, Message: "mesh_list_get: index 7 out of bounds (len 3)", Cause: "panic", Kind: "runtime-panic", Origin: "rust"}}},
		{"caught by the server", "mesh",
			[]string{"2>thread '<unnamed>' (9) panicked at crates/mesh-rt/src/collections/list.rs:1:2:", "2>mesh_list_head: empty list", "2>[mesh-rt] HTTP handler panicked: mesh_list_head: empty list"},
			[]PanicText{{Thread: "<unnamed>", TID: 9, File: "crates/mesh-rt/src/collections/list.rs", Line: 1, Message: "mesh_list_head: empty list", Cause: "panic", Kind: "runtime-panic", Caught: true, Origin: "rust"}}},
		{"one of two is caught", "mesh",
			[]string{"2>thread 'a' (1) panicked at a.rs:1:2:", "2>first", "2>thread 'b' (2) panicked at b.rs:1:2:", "2>second", "2>[mesh-rt] HTTP handler panicked: first"},
			[]PanicText{{Thread: "a", TID: 1, File: "a.rs", Line: 1, Message: "first", Cause: "panic", Caught: true, Origin: "rust"},
				{Thread: "b", TID: 2, File: "b.rs", Line: 1, Message: "second", Cause: "panic", Origin: "rust", LineIndex: 2}}},
		{"only the catcher speaks", "mesh", []string{"2>[mesh-rt] HTTP handler panicked: boom"},
			[]PanicText{{Message: "boom", Cause: "panic", Kind: "caught-panic", Caught: true, Origin: "rust"}}},
		{"the other stream comes between", "none", []string{"2>thread 'main' (1) panicked at a.rs:1:2:", "GET / 200", "2>boom"},
			[]PanicText{{Thread: "main", TID: 1, File: "a.rs", Line: 1, Message: "boom", Cause: "panic", Origin: "rust"}}},
		{"two heads in a row: the words are lost", "none", []string{"2>thread 'a' (1) panicked at a.rs:1:2:", "2>thread 'b' (2) panicked at b.rs:1:2:", "2>boom"},
			[]PanicText{{Thread: "a", TID: 1, File: "a.rs", Line: 1, Cause: "panic", Origin: "rust"},
				{Thread: "b", TID: 2, File: "b.rs", Line: 1, Message: "boom", Cause: "panic", Origin: "rust", LineIndex: 1}}},
		{"cut after the head", "none", []string{"2>thread 'a' (1) panicked at a.rs:1:2:"},
			[]PanicText{{Thread: "a", TID: 1, File: "a.rs", Line: 1, Cause: "panic", Origin: "rust"}}},
		{"a check of a debug build", "none", []string{"2>thread 'a' (1) panicked at a.rs:1:2:", "2>misaligned pointer dereference: address must be a multiple of 0x8 but is 0x3"},
			[]PanicText{{Thread: "a", TID: 1, File: "a.rs", Line: 1, Message: "misaligned pointer dereference: address must be a multiple of 0x8 but is 0x3", Cause: "misaligned-access", Origin: "rust"}}},
		{"allocation of a text", "none", []string{"2>memory allocation of 8031924123371070824 bytes failed"},
			[]PanicText{{Message: `memory allocation of 8031924123371070824 bytes failed (the number is the text "hello wo")`, Cause: "panic", Kind: "allocation-failure", Origin: "rust"}}},
		{"allocation of a number", "none", []string{"2>memory allocation of 1099511627776 bytes failed"},
			[]PanicText{{Message: "memory allocation of 1099511627776 bytes failed", Cause: "panic", Kind: "allocation-failure", Origin: "rust"}}},
		{"C++", "none", []string{"2>terminate called after throwing an instance of 'std::out_of_range'", "2>  what():  vector::at"},
			[]PanicText{{Message: "std::out_of_range: vector::at", Cause: "panic", Kind: "uncaught-exception", Origin: "c++"}}},
		{"C++ without what", "none", []string{"2>terminate called after throwing an instance of 'int'"},
			[]PanicText{{Message: "int", Cause: "panic", Kind: "uncaught-exception", Origin: "c++"}}},
		{"assert", "none", []string{"2>prog: src/a.c:12: run: Assertion `n > 0' failed."},
			[]PanicText{{File: "src/a.c", Line: 12, Message: "n > 0", Cause: "panic", Kind: "assertion", Origin: "c"}}},
		{"glibc", "none", []string{"2>double free or corruption (fasttop)"},
			[]PanicText{{Message: "double free or corruption (fasttop)", Cause: "heap-corruption", Origin: "glibc"}}},
		{"Go", "none", []string{"2>panic: runtime error: index out of range [5] with length 3", "2>", "2>goroutine 1 [running]:"},
			[]PanicText{{Message: "runtime error: index out of range [5] with length 3", Cause: "panic", Origin: "go"}}},
		{"no panic", "mesh", []string{"[Mesher] Connecting to PostgreSQL...", "2>prog: symbol lookup error: prog: undefined symbol: f", "[Mesher] Failed to connect to PostgreSQL"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := load(t, tt.profile)
			_, msgs := Read(observed(tt.lines...), nil, p, nil)
			got := Panics(msgs)
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(PanicText{}, "Rule", "Words")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSizeText(t *testing.T) {
	tests := []struct {
		number, text string
		ok           bool
	}{
		{"8031924123371070824", "hello wo", true},
		{"1684234849", "abcd", true},
		{"6513249", "", false}, // three letters may be chance
		{"1099511627776", "", false},
		{"0", "", false},
		{"99999999999999999999", "", false},
		{"x", "", false},
	}
	for _, tt := range tests {
		text, ok := SizeText(tt.number)
		if ok != tt.ok || ok && text != tt.text {
			t.Errorf("%s: %q %v", tt.number, text, ok)
		}
	}
}
