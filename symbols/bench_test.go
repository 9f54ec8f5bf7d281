package symbols

import (
	"testing"

	"meshdiag/crash"
)

// BenchmarkOpen is the cost of the first name in a Rust program of some megabytes: open, check, index, look up.
func BenchmarkOpen(b *testing.B) {
	exe := buildCoro(b, "debug")
	c := runToFault(b, 0, exe, "main")
	pc := crash.PC(c.Threads[0].Regs.RIP)
	b.ResetTimer()
	for b.Loop() {
		s := New(c, Options{})
		if _, _, ok := s.Lookup(pc); !ok {
			b.Fatal("no name")
		}
		s.Close()
	}
}

// BenchmarkFind adds the table of all names of the program.
func BenchmarkFind(b *testing.B) {
	exe := buildCoro(b, "debug")
	for b.Loop() {
		s, m := fileModule(b, exe)
		if _, _, ok := s.Find("main"); !ok {
			b.Fatal("no main")
		}
		m.file.close()
	}
}

// BenchmarkColdStack unwinds and describes one stack of a Rust program, nothing cached.
func BenchmarkColdStack(b *testing.B) {
	c := runToFault(b, 0, buildCoro(b, "debug"), "main")
	for b.Loop() {
		s := New(c, Options{})
		st := s.Unwind(&c.Threads[0], nil, 0)
		s.Describe(&st)
		s.Close()
	}
}

// BenchmarkRows walks a recursion of more than 100,000 frames; see ns/frame.
func BenchmarkRows(b *testing.B) {
	c := runToFault(b, 0, buildC(b, "victim.c", "-O0", "-pthread"), "recurse")
	s := New(c, Options{})
	frames := 0
	for b.Loop() {
		frames += s.Unwind(&c.Threads[0], nil, 0).Depth
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
}

// BenchmarkSmallC is the whole of names and stack for a small C crash, nothing cached.
func BenchmarkSmallC(b *testing.B) {
	c := runToFault(b, 0, buildC(b, "victim.c", "-O0", "-g", "-pthread"), "null")
	for b.Loop() {
		s := New(c, Options{})
		st := s.Unwind(&c.Threads[0], nil, 0)
		s.Describe(&st)
		s.Close()
	}
}
