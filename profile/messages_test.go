package profile

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		profile, line, stream string
		rule                  string // "" no rule knows the line
		text                  string // "" not compared
	}{
		{"mesh", "Mesh panic at <unknown>:0: non-exhaustive match in switch", "stderr", "lang-panic", "the program panicked at <unknown>:0: non-exhaustive match in switch"},
		{"snow", "Snow panic at main.snow:12: boom", "stderr", "lang-panic", "the program panicked at main.snow:12: boom"},
		{"mesh", "Snow panic at main.snow:12: boom", "stderr", "", ""},
		{"none", "Mesh panic at main.mesh:12: boom", "stderr", "", ""},
		{"mesh", "[mesh-rt] HTTP handler panicked: mesh_list_head: empty list", "stderr", "http-handler-panicked", ""},
		{"mesh", "[mesh-rt] HTTP handler panicked: x", "stdout", "", ""},
		{"mesh", "[mesh-rt] HTTP handler panicked: x", "", "http-handler-panicked", ""},
		{"mesh", "mesh_list_get: index 7 out of bounds (len 3)", "stderr", "list-bounds", "index 7 was asked of a list of 3 elements"},
		{"snow", "snow_list_tail: empty list", "stderr", "empty-list", "List.tail was called on an empty list"},
		{"mesh", "[mesh-rt] Failed to start HTTP server on 0.0.0.0:8080: Address already in use (os error 98)", "stderr", "http-port-used",
			"the HTTP server could not take 0.0.0.0:8080: another process holds it; the program lives on and answers nothing"},
		{"mesh", "[mesh-rt] Failed to start WebSocket server on 0.0.0.0:8081: Address already in use (os error 98)", "stderr", "ws-port-used", ""},
		{"mesh", "[Mesher] Failed to connect to PostgreSQL", "stdout", "db-connect", ""},
		{"mesh", "[Mesher] Failed to connect to PostgreSQL: Connection refused (os error 111)", "stdout", "db-connect-refused", ""},
		{"mesh", "[Mesher] Failed to connect to PostgreSQL: FATAL: password authentication failed for user \"mesh\"", "stdout", "db-connect-auth", ""},
		{"mesh", "[Mesher] Partition error: ERROR: relation \"events\" does not exist", "stdout", "partition-error", ""},
		{"mesh", "[Mesher] Partition error", "stdout", "partition-error", ""},
		{"mesh", "[Mesher] Schema check failed: migration 20260216120000 has not been applied", "stdout", "schema-check", ""},
		{"mesh", "[Mesher] Schema check failed: ERROR: permission denied for table _mesh_migrations (42501)", "stdout", "schema-check", ""},
		{"none", "migration 20260216120000 has not been applied", "stdout", "migration-pending", ""},
		{"mesh", "[mesh-rt] Failed to start HTTP server on 0.0.0.0:80: Permission denied (os error 13)", "stderr", "http-port-denied", ""},
		{"none", "listen tcp :80: bind: permission denied", "stderr", "port-denied", "the program may not take :80"},
		{"none", "ERROR:  could not extend file \"base/5/16384\": No space left on device", "stderr", "pg-disk-full", ""},
		{"none", "ERROR:  cannot execute INSERT in a read-only transaction", "stderr", "pg-read-only", ""},
		{"none", "ERROR:  must be owner of table events", "stderr", "pg-privilege", ""},
		{"none", "ERROR:  partition \"events_20261129\" would overlap partition \"events_by_hand\"", "stderr", "pg-overlap",
			"partition events_20261129 cannot be made: partition events_by_hand takes some of the same rows already"},
		{"none", "ERROR:  no partition of relation \"events\" found for row", "stderr", "pg-no-partition", "table events has no partition for the row that the program wants to store"},
		{"none", "ERROR:  canceling statement due to lock timeout", "stderr", "pg-locked", ""},
		{"none", "cp: cannot create regular file 'x': No space left on device", "stderr", "no-space", ""},
		{"none", "Permission denied", "stderr", "failure-words", ""},
		{"mesh", "[Mesher] OrgService started", "stdout", "", ""},

		{"none", "thread 'main' panicked at src/main.rs:4:5:", "stderr", "rust-panic", "a Rust panic was raised at src/main.rs:4:5"},
		{"none", "thread 'main' (4711) panicked at src/main.rs:4:5:", "stderr", "rust-panic", ""},
		{"none", "thread '<unnamed>' (12) panicked at /rustc/x/library/core/src/panicking.rs:230:5:", "stderr", "rust-panic", ""},
		{"none", "thread '<unnamed>' panicked at C:/my dir/x.rs:1:1:", "stderr", "rust-panic-place-unknown", ""},
		{"none", "thread 'main' panicked at 'index out of bounds: the len is 3', src/main.rs:4:5", "stderr", "rust-panic-old", ""},
		{"none", "thread 'main' panicked at 'assertion failed: `(left == right)`", "stderr", "rust-panic-old-open", ""},
		{"none", "panic in a function that cannot unwind", "stderr", "rust-cannot-unwind", ""},
		{"none", "thread caused non-unwinding panic. aborting.", "stderr", "rust-non-unwinding", ""},
		{"none", "thread 'main' has overflowed its stack", "stderr", "rust-overflowed", "thread main ran out of stack; Rust's own handler saw the fault and aborts"},
		{"none", "thread 'main' (99) has overflowed its stack", "stderr", "rust-overflowed", ""},
		{"none", "fatal runtime error: stack overflow, aborting", "stderr", "rust-fatal-overflow", ""},
		{"none", "fatal runtime error: something else, aborting", "stderr", "rust-fatal", ""},
		{"none", "memory allocation of 8031924123371070824 bytes failed", "stderr", "rust-alloc", ""},
		{"none", "misaligned pointer dereference: address must be a multiple of 0x8 but is 0x7", "stderr", "rust-misaligned", ""},
		{"none", "null pointer dereference occurred", "stderr", "rust-null-deref", ""},
		{"none", "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace", "stderr", "rust-backtrace", ""},
		{"none", "   3: core::panicking::panic_fmt", "stderr", "rust-backtrace", ""},
		{"none", "             at /rustc/abc/library/core/src/panicking.rs:75:14", "stderr", "rust-backtrace", ""},

		{"none", "double free or corruption (fasttop)", "stderr", "glibc-heap", ""},
		{"none", "free(): invalid pointer", "stderr", "glibc-heap", ""},
		{"none", "malloc(): corrupted top size", "stderr", "glibc-heap", ""},
		{"none", "corrupted size vs. prev_size", "stderr", "glibc-heap", ""},
		{"none", "*** stack smashing detected ***: terminated", "stderr", "glibc-smashed", ""},
		{"none", "*** buffer overflow detected ***: terminated", "stderr", "glibc-fortify", ""},
		{"none", "prog: main.c:12: frob: Assertion `p != NULL' failed.", "stderr", "assert", "an assertion failed in frob at main.c:12: p != NULL"},
		{"none", "prog: malloc.c:2617: sysmalloc: Assertion `(old_top == initial_top (av))' failed.", "stderr", "glibc-malloc-assert", ""},
		{"none", "./mesher: symbol lookup error: ./mesher: undefined symbol: mesh_string_trim", "stderr", "undefined-symbol", "the loader found no definition of mesh_string_trim"},
		{"none", "./p: error while loading shared libraries: libmesh_rt.so: cannot open shared object file: No such file or directory", "stderr", "missing-library", ""},
		{"none", "./p: /lib/libc.so.6: version `GLIBC_2.99' not found (required by ./p)", "stderr", "missing-version", "./p needs GLIBC_2.99, which the loaded /lib/libc.so.6 does not have: it was built against a newer one"},
		{"none", "terminate called after throwing an instance of 'std::out_of_range'", "stderr", "cpp-terminate", "an exception of type std::out_of_range was not caught"},
		{"none", "  what():  vector::_M_range_check: __n (which is 9) >= this->size() (which is 3)", "stderr", "cpp-what", ""},
		{"none", "libc++abi: terminating due to uncaught exception of type std::runtime_error: boom", "stderr", "cpp-terminate", ""},
		{"none", "pure virtual method called", "stderr", "cpp-terminate-bare", ""},
		{"none", "panic: runtime error: index out of range [5] with length 3", "stderr", "go-panic", ""},
		{"none", "fatal error: all goroutines are asleep - deadlock!", "stderr", "go-fatal", ""},
		{"none", "==123==ERROR: AddressSanitizer: heap-use-after-free on address 0x60 at pc 0x4", "stderr", "sanitizer", ""},

		{"none", "listen tcp 127.0.0.1:8080: bind: address already in use", "stderr", "port-used-named", "address 127.0.0.1:8080 is already in use: another process holds it"},
		{"none", "Error: Address already in use (os error 98)", "stderr", "port-used", ""},
		{"none", "Error: listen EADDRINUSE: address already in use :::3000", "stderr", "port-used", ""},
		{"none", "FATAL:  password authentication failed for user \"mesh\"", "stderr", "pg-auth", ""},
		{"none", "FATAL:  role \"mesh\" does not exist", "stderr", "pg-role", "PostgreSQL knows no role \"mesh\""},
		{"none", "db error: FATAL: database \"mesher\" does not exist", "stderr", "pg-database", "PostgreSQL has no database \"mesher\""},
		{"none", "ERROR: relation \"events\" does not exist", "stderr", "pg-schema", "the database lacks a table or column that the program needs: events"},
		{"none", "ERROR: function gen_random_uuid() does not exist", "stderr", "pg-extension", "the database lacks an extension that the program needs: gen_random_uuid()"},
		{"none", "ERROR: function crypt(text, text) does not exist", "stderr", "pg-extension", ""},
		{"none", "FATAL: sorry, too many clients already", "stderr", "pg-too-many", ""},
		{"none", "connection to server at \"localhost\" (::1), port 5432 failed: Connection refused", "stderr", "pg-unreachable", ""},
		{"none", "Connection refused (os error 111)", "stderr", "connection-refused", ""},

		// Ordinary words that only resemble a failure.
		{"none", "the thread panicked a little, but all is well", "stdout", "", ""},
		{"none", "loaded symbol foo", "stdout", "", ""},
		{"none", "runtime: 12 ms", "stdout", "", ""},
		{"none", "served :8080 in 3 ms", "stdout", "", ""},
		{"none", "error code 42702 seen", "stdout", "", ""},
		{"none", "", "stdout", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			m, ok := loaded(t, tt.profile).Match(tt.line, tt.stream)
			id := ""
			if ok {
				id = m.Rule.ID
			}
			if id != tt.rule {
				t.Fatalf("rule %q, want %q", id, tt.rule)
			}
			if tt.text != "" && m.Text != tt.text {
				t.Errorf("text %q, want %q", m.Text, tt.text)
			}
		})
	}
}

func TestMatchParts(t *testing.T) {
	m, _ := (*Profile)(nil).Match("thread 'worker 1' (77) panicked at src/lib.rs:10:20:", "stderr")
	if m.Thread != "worker 1" || m.TID != "77" || m.File != "src/lib.rs" || m.Line != "10" || !m.Rule.PayloadNext {
		t.Errorf("parts %+v", m)
	}
}

// Colour around the words does not hide them, and no control character survives.
func TestPlainLine(t *testing.T) {
	tests := []struct{ in, want string }{
		{"\x1b[31;1merror\x1b[0m: x", "error: x"},
		{"\x1b]0;title\x07text", "text"},
		{"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"a\tb\x00\x01\x7fc\r", "a\tbc"},
		{"cut \x1b[", "cut "},
		{"cut \x1b", "cut "},
		{"plain", "plain"},
		{"\u0431\u0430\x1b[1m\u0431", "\u0431\u0430\u0431"},
		{strings.Repeat("x", 5000), strings.Repeat("x", maxLine)},
	}
	for _, tt := range tests {
		if got := PlainLine(tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
	m, ok := (*Profile)(nil).Match("\x1b[1;31mfree(): invalid pointer\x1b[0m", "stderr")
	if !ok || m.Rule.ID != "glibc-heap" {
		t.Error("a coloured line is not recognised")
	}
}

// Every rule of every table says what it is and where that is known from, and no two share an id.
func TestRulesAreComplete(t *testing.T) {
	for _, p := range []*Profile{engine(), loaded(t, "mesh"), loaded(t, "snow")} {
		seen := map[string]bool{}
		for _, r := range p.Messages {
			if r.Source == "" || r.Text == "" {
				t.Errorf("%s: message %s lacks source or text", p.ID, r.ID)
			}
			if seen[r.ID] {
				t.Errorf("%s: message id %s twice", p.ID, r.ID)
			}
			seen[r.ID] = true
			if strings.Contains(r.Pattern.String()+r.Text+r.Source, "%prefix%") || varName().MatchString(r.Text+r.Source) {
				t.Errorf("%s: message %s has a name that is not filled in", p.ID, r.ID)
			}
		}
		seen = map[string]bool{}
		for _, r := range p.Names {
			if r.Source == "" || seen[r.ID] {
				t.Errorf("%s: name rule %s lacks its source or is there twice", p.ID, r.ID)
			}
			seen[r.ID] = true
		}
		for _, l := range p.Values {
			if l.Source == "" || len(l.Fields) == 0 {
				t.Errorf("%s: layout %s", p.ID, l.ID)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("thread 'x' (1) panicked at a.rs:1:2:", "stderr")
	f.Add("\x1b[31mfree(): invalid pointer", "")
	f.Add("prog: a.c:1: f: Assertion `x' failed.", "stdout")
	p := loaded(f, "mesh")
	f.Fuzz(func(t *testing.T, line, stream string) {
		m, ok := p.Match(line, stream)
		if ok == (m.Rule == nil) {
			t.Fatal("a match without its rule, or a rule without a match")
		}
		for _, s := range append(m.Groups, m.Text, m.Payload, m.File) {
			if strings.ContainsFunc(s, control) {
				t.Fatalf("control character in %q", s)
			}
		}
	})
}

// TestReason checks that what a library gave as its reason tells the kind, and that a line without one leaves it open.
func TestReason(t *testing.T) {
	p, err := Load("mesh")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		line string
		kind string // "" open
		why  string
	}{
		{"[Mesher] Partition error: ERROR: relation \"events\" does not exist (42P01)", "missing-schema", "the database lacks a table or column that the program needs: events"},
		{"[Mesher] Partition error: ERROR: could not create file \"x\": No space left on device (53100)", "other", "the disk of the database is full: could not create file \"x\": No space left on device"},
		{"[Mesher] Schema check failed: ERROR: function digest(text, unknown) does not exist (42883)", "missing-extension", ""},
		{"[Mesher] Failed to connect to PostgreSQL", "", ""},
		{"[Mesher] Partition error: boom", "", ""},
		{"[Mesher] Partition error: cannot open file", "", ""}, // known words, of no database
	}
	for _, tt := range tests {
		m, ok := p.Match(tt.line, "stdout")
		if !ok || m.Open() != (tt.kind == "") {
			t.Errorf("%q: known %v, open %v", tt.line, ok, m.Open())
		} else if m.Exact != nil && (m.Exact.Kind != tt.kind || tt.why != "" && m.Why != tt.why) {
			t.Errorf("%q: %s, %q", tt.line, m.Exact.Kind, m.Why)
		}
	}
}
