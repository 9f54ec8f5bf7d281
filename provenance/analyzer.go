package provenance

import (
	"fmt"
	"path/filepath"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// Code is what provenance needs to know of code: package symbols' Symbolizer.
type Code interface {
	// Lookup names the function that holds an address.
	Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool)
	// LookupData names the object that holds an address.
	LookupData(addr uint64) (symbols.Symbol, *symbols.Module, bool)
	// FuncRange returns the bounds of the function at addr and how they are known.
	FuncRange(addr uint64) (lo, hi uint64, how string, ok bool)
	// Code reads n bytes of code from the process, or from its file where the process's memory was not kept.
	Code(addr uint64, n int) (code []byte, from string, err error)
	// CompareCode reports whether code in memory differs from the file it was mapped from.
	CompareCode(addr uint64, n int) (differs, known bool)
	// CFA is the unwind rule at pc: the canonical frame address is reg + off.
	CFA(pc uint64) (reg crash.RegNum, off int64, ok bool)
	// LandingPads is the exception table of the function at addr; nil when it has none.
	LandingPads(addr uint64) ([]symbols.LandingPad, error)
	// PLTName is the symbol that a PLT stub jumps to.
	PLTName(addr uint64) (string, bool)
	// GOTName is the symbol that a GOT slot holds the address of.
	GOTName(slot uint64) (string, bool)
}

// Analyzer answers questions about one crash. It caches what it decodes and is not safe for concurrent use.
type Analyzer struct {
	crash *crash.Crash
	code  Code

	funcs    map[uint64]*function // by entry address; nil for a function whose code cannot be had
	params   map[uint64]Callee    // without what they return
	results  map[uint64]Callee    // only what they return
	nested   int                  // callees being recovered inside one another
	noReturn map[uint64]bool
	bits     int // width of a canonical user address: 47, or 56 with five-level page tables
}

// New returns an analyzer for c. It reads nothing yet.
func New(c *crash.Crash, s Code) *Analyzer {
	a := &Analyzer{crash: c, code: s, funcs: map[uint64]*function{}, params: map[uint64]Callee{}, results: map[uint64]Callee{}, noReturn: map[uint64]bool{}, bits: 47}
	for i := range c.Mappings {
		m := &c.Mappings[i]
		if m.Start < 1<<56 && m.End > 1<<47 { // vsyscall lies above
			a.bits = 56
		}
	}
	return a
}

// canonical reports whether addr could be a pointer at all on this machine. Machines with five-level page tables accept
// 57 bits, but a process is given such addresses only when it asks; seeing one mapped is the evidence used.
func (a *Analyzer) canonical(addr uint64) bool {
	top := int64(addr) >> a.bits
	return top == 0 || top == -1
}

func (a *Analyzer) mapping(addr uint64) *crash.Mapping {
	m, ok := a.crash.MappingAt(addr)
	if !ok {
		return nil
	}
	return m
}

// executable reports whether code can run at addr. Unknown permissions count as executable.
func (a *Analyzer) executable(addr uint64) bool {
	m := a.mapping(addr)
	return m != nil && (!m.PermsOK || m.Perms&crash.Exec != 0)
}

// decode decodes the instruction at addr from the process's memory.
func (a *Analyzer) decode(addr uint64) (insn.Insn, error) {
	code, _, err := a.code.Code(addr, insn.MaxLen)
	if len(code) == 0 {
		return insn.Insn{}, err
	}
	return insn.Decode(code, addr)
}

// callBefore finds the call instruction that pushed the return address ret. Instructions have no marks at their end, so
// the function is decoded from its start when that is known, and only otherwise backwards by length.
func (a *Analyzer) callBefore(ret uint64) (insn.Insn, bool) {
	if f := a.function(ret - 1); f != nil {
		if i, ok := f.index(ret - 1); ok {
			in := f.insn(i)
			if in.Flow == insn.FlowCall && in.Addr+uint64(in.Len) == ret {
				return in, true
			}
		}
	}
	for _, n := range []uint64{5, 2, 3, 6, 7, 4, 8} {
		in, err := a.decode(ret - n)
		if err == nil && in.Flow == insn.FlowCall && in.Addr+uint64(in.Len) == ret {
			return in, true
		}
	}
	return insn.Insn{}, false
}

// nameAt names a code address: "symbol+0x12", or module+offset, or the bare address.
func (a *Analyzer) nameAt(addr uint64) string {
	sym, mod, ok := a.code.Lookup(crash.PC(addr))
	if ok && sym.Name != "" {
		return plusOffset(sym.Name, addr-sym.Start)
	}
	if mod != nil {
		return plusOffset(filepath.Base(mod.Path), addr-mod.Bias)
	}
	return fmt.Sprintf("%#x", addr)
}

func plusOffset(name string, off uint64) string {
	if off == 0 {
		return name
	}
	return fmt.Sprintf("%s+%#x", name, off)
}

// symbolAt is the raw name of the function at addr, "" when it has none.
func (a *Analyzer) symbolAt(addr uint64) string {
	if sym, _, ok := a.code.Lookup(crash.PC(addr)); ok && sym.Name != "" {
		return sym.Name
	}
	return ""
}

// calleeName is the name of a call's target: the function itself, or the one behind a PLT stub.
func (a *Analyzer) calleeName(target uint64) string {
	if name, ok := a.code.PLTName(target); ok {
		return name
	}
	return a.symbolAt(target)
}
