package provenance

import (
	"fmt"
	"strings"
	"testing"

	"meshdiag/symbols"
)

var abiBuilds = []build{{"llvm-O0", "clang-19", "-O0"}, {"llvm-O2", "clang-19", "-O2"}}

// TestABI checks both sides of calls whose shapes are known: what the callee's code says and what the caller does.
func TestABI(t *testing.T) {
	for _, b := range abiBuilds {
		t.Run(b.name, func(t *testing.T) {
			path := compile(t, b, "testdata/abi.ll")
			watch(t, path, nil, func(s *scene) {
				sym := s.a.code.(*symbols.Symbolizer)
				for _, c := range []struct{ name, want string }{
					{"nothing", "rdi8 returns 8 unsure"}, // the address that it stored to is left in rax,
					{"word", "rdi8 rsi8 returns 8"},
					{"half", "rdi4 returns 4"},
					{"byte", "rdi1 returns 1|rdi4 returns 1"},
					{"field", "rdi8*0x10 returns 8"},
					{"tagged", "rdi8 returns 1 pair"},
					{"three", "rdi8 returns 8 pair"},
					{"hidden", "rdi8 rsi8 returns 8 sret"},
					{"die", "rdi8*0x0 returns 8"},
				} {
					f, _, ok := sym.Find(c.name)
					if !ok {
						t.Errorf("%s: not found", c.name)
						continue
					}
					if got := s.a.Callee(f.Start).summary(); !oneOf(got, c.want) {
						t.Errorf("%s: got %q, want %q", c.name, got, c.want)
					}
				}
			})
		})
	}
}

// oneOf: got is one of the alternatives that | separates.
func oneOf(got, want string) bool {
	for _, w := range strings.Split(want, "|") {
		if got == w {
			return true
		}
	}
	return false
}

func (c Callee) summary() string {
	if !c.Known {
		return "unknown"
	}
	var b strings.Builder
	for n, p := range c.Reads {
		if !p.Read {
			continue
		}
		fmt.Fprintf(&b, "%s%d", argRegs[n], p.Width)
		if p.Deref {
			fmt.Fprintf(&b, "*%#x", p.MaxOff)
		}
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "returns %d", c.Returns)
	if c.RetPair {
		b.WriteString(" pair")
	}
	if c.SRet {
		b.WriteString(" sret")
	}
	if c.Returns > 0 && !c.ReturnsSure && !c.SRet {
		b.WriteString(" unsure")
	}
	if c.NoReturn {
		b.WriteString(" noreturn")
	}
	return b.String()
}

func (c Call) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(", c.Callee)
	for n, p := range c.Prepared {
		switch {
		case p.Stale && n > 1: // everything is stale at a function's first call
		case p.Stale:
			fmt.Fprintf(&b, "%s:stale ", argRegs[n])
		case p.Set:
			fmt.Fprintf(&b, "%s:%s%d ", argRegs[n], p.Kind, p.Width)
		}
	}
	fmt.Fprintf(&b, ") reads %d", c.RetRead)
	if c.RetPair {
		b.WriteString(" pair")
	}
	if c.RetThird {
		b.WriteString(" third")
	}
	if c.SRet {
		b.WriteString(" sret")
	}
	return b.String()
}

// TestArity: on the stack, the second argument of word() is seen to be nobody's.
func TestArity(t *testing.T) {
	path := compile(t, abiBuilds[0], "testdata/abi.ll")
	watch(t, path, make([]string, 4), func(s *scene) {
		calls := s.a.Calls(s.st, 3)
		if len(calls) < 2 || calls[0].Callee != "die" || calls[1].Callee != "arity" {
			t.Fatalf("calls: %+v", calls)
		}
		word := Call{}
		fn := s.a.function(calls[0].Site)
		for i := range fn.nodes {
			if c := s.a.CallIn(s.st, fn.nodes[i].addr, 1); c.Callee == "word" {
				word = c
			}
		}
		if word.Prepared[1].Set || !word.Prepared[0].Set || !s.a.Callee(word.CalleeLo).Reads[1].Read {
			t.Errorf("word: prepared %+v", word.Prepared)
		}
	})
}

// TestCallSites looks at the call that each of the callers makes first, and at the origin of the bad pointer.
func TestCallSites(t *testing.T) {
	for _, b := range abiBuilds {
		t.Run(b.name, func(t *testing.T) {
			path := compile(t, b, "testdata/abi.ll")
			for n, c := range []struct{ caller, callee, want, origin string }{
				{"takes_tagged", "field", "field(rdi:stale rsi:stale ) reads 1 pair", ""},
				{"uses_tagged", "tagged", "tagged(rdi:const8 rsi:stale ) reads 1 pair", "constant  "},
				{"uses_three", "three", "three(rdi:stale rsi:stale ) reads 8 pair third|three(rdi:stale rsi:stale ) reads 8 third", "return three rcx"},
				{"uses_hidden", "hidden", "hidden(rdi:stack-address8 rsi:parameter8 ) reads 0 sret", "out hidden "},
				{"arity", "word", "word(rdi:const8 rsi:stale ) reads 8", "constant  "},
				{"uses_half", "half", "half(rdi:const8 rsi:stale ) reads 4", "constant  "},
			} {
				watch(t, path, make([]string, n), func(s *scene) {
					sym := s.a.code.(*symbols.Symbolizer)
					f, _, _ := sym.Find(c.caller)
					got := "no call"
					fn := s.a.function(f.Start)
					for i := range fn.nodes {
						if call := s.a.CallAt(fn.nodes[i].addr, 1); call.Callee == c.callee {
							got = call.summary()
						}
					}
					if !oneOf(got, c.want) {
						t.Errorf("%s: got %q, want %q", c.caller, got, c.want)
					}
					if c.origin == "" {
						return // whether it dies depends on what happens to be in rdx
					}
					ch := s.a.Slice(s.fault, s.st)
					last := ch.lastStep()
					reg := ""
					if last.Kind == StepReturn {
						reg = last.Reg
					}
					if got := fmt.Sprintf("%s %s %s", ch.Origin, last.Callee, reg); got != c.origin {
						t.Errorf("%s: origin %q, want %q\n%s", c.caller, got, c.origin, ch)
					}
				})
			}
		})
	}
}
