package symbols

import (
	"errors"
	"os"
	"testing"

	"meshdiag/crash"
)

// The property of all targets: no panic, an end, and never a value together with an error.

// smallELF returns the smallest of the test programs, as a seed.
func smallELF(f *testing.F) []byte {
	exe := buildC(f, "registers.c", "-O1", "-g")
	b, err := os.ReadFile(exe)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// FuzzELF opens hostile files and asks every question about them that the package answers.
func FuzzELF(f *testing.F) {
	b := smallELF(f)
	f.Add(b, uint64(0x1139))
	f.Add(b[:len(b)/2], uint64(0x1139))
	f.Add([]byte("\x7fELF\x02\x01\x01"), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, addr uint64) {
		file, err := newELF("fuzzed", data)
		if err != nil {
			if file != nil {
				t.Error("a file and an error")
			}
			return
		}
		m := &Module{Path: "fuzzed", Verified: true, Main: true, BuildID: file.id, debugTried: true}
		m.setImage(crash.NoMemory{}, file.hdr)
		m.use(file)
		r := crash.Range{Start: 0, End: 1 << 40}
		m.Ranges = []crash.Range{r}
		c := &crash.Crash{Memory: crash.NoMemory{}, Mappings: []crash.Mapping{{Range: r, Path: "fuzzed"}}}
		s := &Symbolizer{crash: c, rows: make(map[uint64]*rowEntry), modules: []*Module{m}, spans: []moduleSpan{{r, m}}}
		a := crash.PC(addr)
		s.Lookup(a)
		s.LookupData(addr)
		s.Find("main")
		s.FuncRange(addr)
		s.PLTName(addr)
		s.GOTName(addr)
		s.UndefinedSymbols(m)
		s.EachSymbol(m, func(Symbol) bool { return true })
		s.Lines(a)
		if pads, err := s.LandingPads(addr); err != nil && len(pads) > maxCallSites {
			t.Error("more landing pads than allowed")
		}
		e := s.rowAt(addr)
		if e.row != nil && e.err != nil {
			t.Error("a row and an error")
		}
		th := &crash.Thread{RegsOK: true, Regs: crash.Regs{RIP: addr, RSP: 0x1000}}
		s.Unwind(th, nil, 10)
	})
}

// FuzzFrames parses hostile .eh_frame bytes and runs their rows.
func FuzzFrames(f *testing.F) {
	exe, err := newELF("seed", smallELF(f))
	if err != nil {
		f.Fatal(err)
	}
	_, frames, _ := exe.section(".eh_frame")
	f.Add(frames, uint64(0), uint64(0x1139))
	f.Add([]byte{0x14, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 0x10, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0}, uint64(0), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, at, pc uint64) {
		for _, isDebug := range []bool{false, true} {
			table := frameTable{debug: isDebug, read: func(addr, n uint64) ([]byte, error) {
				if addr > uint64(len(data)) || n > uint64(len(data))-addr {
					return nil, errShort
				}
				return data[addr : addr+n], nil
			}}
			if entry, _, _, err := table.fdeAt(at); entry != nil && err == nil {
				row, err := entry.rowAt(entry.lo + pc%max(entry.hi-entry.lo, 1))
				if row != nil && err != nil {
					t.Error("a row and an error")
				}
				if row != nil {
					_ = row.String()
					regs := contextRegisters(&crash.Regs{RSP: 0x7000})
					_, _ = row.step(&regs, &window{mem: wordStack{1, 2, 3}}, 0)
				}
			}
			cfi := cfiTable{}
			cfi.walk(&table, 0, uint64(len(data)))
		}
	})
}

// FuzzExpression evaluates hostile DWARF expressions.
func FuzzExpression(f *testing.F) {
	f.Add([]byte{opBreg0 + 7, 8, opBreg0 + 16, 0, opLit0 + 15, opAnd, opLit0 + 11, opGe, opLit0 + 3, opShl, opPlus})
	f.Add([]byte{opSkip, 0xfd, 0xff})
	f.Fuzz(func(t *testing.T, expr []byte) {
		v, err := evalExpr(expr, exprEnv{
			reg: func(n crash.RegNum) (uint64, error) { return uint64(n), nil },
			read: func(addr uint64, _ int) (uint64, error) {
				if addr%3 == 0 {
					return 0, errors.New("unreadable")
				}
				return addr, nil
			},
		})
		if v != 0 && err != nil {
			t.Error("a value and an error")
		}
	})
}

// FuzzLSDA parses hostile exception tables.
func FuzzLSDA(f *testing.F) {
	f.Add([]byte{0xff, 0x9b, 0x10, 0x01, 8, 0x10, 5, 0x40, 0, 0x20, 8, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if pads, _ := parseLSDA(data, 0x9000, 0x1000); len(pads) > maxCallSites {
			t.Error("more landing pads than allowed")
		}
	})
}

// FuzzDemangle checks that names of any form come back, and soon.
func FuzzDemangle(f *testing.F) {
	f.Add("_ZN7mesh_rt2gc9ActorHeap7collect17h0123456789abcdefE")
	f.Add("_RNvMs0_NtNtNtCsjrHSEGnQ3l9_3std3sys6thread4unixNtB7_6Thread3new")
	f.Add("_ZN4shop3dieEPi.cold@plt")
	f.Fuzz(func(t *testing.T, name string) {
		if out, lang := Demangle(name); lang == LangUnknown && out != name {
			t.Errorf("%q of no language became %q", name, out)
		}
		_ = sourceName(name)
	})
}
