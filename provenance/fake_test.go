package provenance

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// Addresses of the synthetic process that table tests run on.
const (
	textBase  = 0x400000
	dataBase  = 0x500000
	heapBase  = 0x600000
	stackLow  = 0x7ffff0000000
	stackHigh = 0x7ffff0010000
	actorLow  = 0x7f0000011000 // guard page below
	actorHigh = 0x7f0000091000
	fileBase  = 0x7f1000000000
)

// fakeCode is a Code of hand-placed functions.
type fakeCode struct {
	c     *crash.Crash
	funcs []symbols.Symbol
	plt   map[uint64]string
	got   map[uint64]string
	patch map[uint64]bool
	pads  []symbols.LandingPad
}

func (f *fakeCode) Lookup(at crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool) {
	for _, s := range f.funcs {
		if !s.IsData && at.Lookup() >= s.Start && at.Lookup() < s.Start+s.Size {
			return s, nil, true
		}
	}
	return symbols.Symbol{}, nil, false
}

func (f *fakeCode) LookupData(addr uint64) (symbols.Symbol, *symbols.Module, bool) {
	for _, s := range f.funcs {
		if s.IsData && addr >= s.Start && addr < s.Start+s.Size {
			return s, nil, true
		}
	}
	return symbols.Symbol{}, nil, false
}

func (f *fakeCode) FuncRange(addr uint64) (lo, hi uint64, how string, ok bool) {
	s, _, ok := f.Lookup(crash.PC(addr))
	return s.Start, s.Start + s.Size, "symbol", ok
}

func (f *fakeCode) Code(addr uint64, n int) ([]byte, string, error) {
	buf := make([]byte, n)
	n, err := f.c.Memory.ReadMemory(buf, addr)
	return buf[:n], "memory", err
}

func (f *fakeCode) CompareCode(addr uint64, n int) (differs, known bool) { return f.patch[addr], true }

func (f *fakeCode) CFA(uint64) (crash.RegNum, int64, bool) { return 0, 0, false }

func (f *fakeCode) LandingPads(uint64) ([]symbols.LandingPad, error) { return f.pads, nil }

func (f *fakeCode) PLTName(addr uint64) (string, bool) { n, ok := f.plt[addr]; return n, ok }

func (f *fakeCode) GOTName(slot uint64) (string, bool) { n, ok := f.got[slot]; return n, ok }

// process is a synthetic process under construction.
type process struct {
	c    *crash.Crash
	code *fakeCode
	mem  crash.Pages
}

// newProcess maps code, data, heap, the main stack, one actor stack with its guard, and a file.
func newProcess() *process {
	p := &process{mem: crash.Pages{}}
	rw := crash.Read | crash.Write
	file := crash.Mapping{Range: crash.Range{Start: fileBase, End: fileBase + 0x3000}, Perms: crash.Read | crash.Shared,
		PermsOK: true, Path: "/tmp/data.bin", FileSize: 0x800}
	m := func(start, end uint64, perms crash.Perms, path string) crash.Mapping {
		return crash.Mapping{Range: crash.Range{Start: start, End: end}, Perms: perms, PermsOK: true, Path: path, FileSize: -1}
	}
	p.c = &crash.Crash{Memory: p.mem, Target: crash.Target{PID: 1}, Mappings: []crash.Mapping{
		m(textBase, textBase+0x10000, crash.Read|crash.Exec, "/bin/victim"),
		m(dataBase, dataBase+0x2000, rw, "/bin/victim"),
		m(heapBase, heapBase+0x21000, rw, "[heap]"),
		m(actorLow-0x1000, actorLow, 0, ""),
		m(actorLow, actorHigh, rw, ""),
		file,
		m(stackLow, stackHigh, rw, "[stack]"),
	}}
	p.code = &fakeCode{c: p.c, plt: map[uint64]string{}, got: map[uint64]string{}, patch: map[uint64]bool{}}
	for _, r := range []crash.Range{{Start: stackLow, End: stackHigh}, {Start: actorLow, End: actorHigh}, {Start: heapBase, End: heapBase + 0x2000},
		{Start: dataBase, End: dataBase + 0x2000}} {
		for a := r.Start; a < r.End; a += 4096 {
			p.mem[a] = make([]byte, 4096)
		}
	}
	return p
}

// write stores bytes, making pages as needed.
func (p *process) write(addr uint64, b []byte) {
	for i, c := range b {
		a := addr + uint64(i)
		page := p.mem[a&^4095]
		if page == nil {
			page = make([]byte, 4096)
			p.mem[a&^4095] = page
		}
		page[a&4095] = c
	}
}

func (p *process) word(addr, v uint64) {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	p.write(addr, b)
}

// function places machine code, written as hex with blanks and # comments, under a name.
func (p *process) function(t testing.TB, name string, addr uint64, code string) {
	t.Helper()
	clean := ""
	for _, line := range strings.Split(code, "\n") {
		line, _, _ = strings.Cut(line, "#")
		clean += strings.Join(strings.Fields(line), "")
	}
	b, err := hex.DecodeString(clean)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p.write(addr, b)
	p.code.funcs = append(p.code.funcs, symbols.Symbol{Name: name, Start: addr, Size: uint64(len(b))})
}

// fault adds a thread that stands at rip with a signal and sets it as the focus.
func (p *process) fault(sig, code int, addr uint64, set func(r *crash.Regs)) *crash.Thread {
	t := crash.Thread{TID: 1, RegsOK: true, Signal: &crash.Signal{Number: sig, Code: code, Address: addr}}
	t.Regs.RIP, t.Regs.RSP = textBase, stackHigh-0x1000
	if set != nil {
		set(&t.Regs)
	}
	p.c.Threads = []crash.Thread{t}
	return &p.c.Threads[0]
}

func (p *process) analyzer() *Analyzer { return New(p.c, p.code) }

func (f *Fault) summary() string {
	s := fmt.Sprintf("%s %s reg=%s", f.Access, f.Class, f.Register)
	if f.ValueOK {
		s += fmt.Sprintf(" value=%#x", f.Value)
	}
	if f.AddressOK {
		s += fmt.Sprintf(" addr=%#x", f.Address)
	}
	if f.Offset != 0 {
		s += fmt.Sprintf(" off=%#x", f.Offset)
	}
	return s
}
