package heuristics

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"meshdiag/provenance"
)

// What the target printed and what its code disassembles to is hostile: whatever the words, a diagnosis comes out, and
// confidences stay between 0 and 1.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"misaligned pointer dereference: address must be a multiple of 0x8 but is 0x2a", "null pointer dereference occurred",
		"memory allocation of 93824993001536 bytes failed", "mesh_list_get: index 93824993001536 out of bounds (len 3)",
		"./app: symbol lookup error: ./app: undefined symbol: f", "mov r13, qword ptr [r13+0x8]", "call qword ptr [rip+0x2fd2]", "\xff'`[]+-0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		abort := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_list_get", "pick", "mesh_main").say(s)
		abort.panics(PanicSite{Message: s, Origin: "rust", FromLine: 0})
		fault := segv(inMesh(t), "mesh_list_get", "pick", "mesh_main").bad(provenance.ClassNearNull, 3, provenance.LooksSmallInt)
		fault.c.Fault.Insn, fault.c.Fault.BranchInsn, fault.c.Fault.Operand = s, s, s
		l := load(0, heapAddr)
		l.Reg, l.Insn = s, s
		fault.chain(arg(0, 0), l)
		for _, m := range []*maker{abort, fault, plain(t).exit(127).say(s)} {
			for _, h := range m.run().Causes {
				if h.Confidence < 0 || h.Confidence > 1 || h.Title == "" {
					t.Fatalf("%+v", h)
				}
			}
		}
		if q := quote(s); !strings.HasPrefix(q, "'") && strings.ContainsAny(q, " ;|&$`\"\\\n") {
			t.Fatalf("%q is no word for a shell", q)
		}
		if c := short(s); utf8.ValidString(s) && !utf8.ValidString(c) {
			t.Fatalf("%q is cut inside a rune", c)
		}
	})
}
