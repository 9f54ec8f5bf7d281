package symbols

import (
	"bytes"
	"debug/elf"
	"strings"

	"meshdiag/crash"
)

// maxLabelReach is how far behind a label without a size an address may lie to be named after it, when no unwind entry
// tells where the function ends.
const maxLabelReach = 4096

// Lookup names the function that a lies in. ok is false when no symbol covers it; the module is returned even then.
func (s *Symbolizer) Lookup(a crash.CodeAddress) (sym Symbol, m *Module, ok bool) {
	addr := a.Lookup()
	m, found := s.ModuleAt(addr)
	if !found {
		return Symbol{}, nil, false
	}
	_ = m.read(func() error {
		sym, ok = s.lookupIn(m, addr)
		return nil
	})
	return sym, m, ok
}

func (s *Symbolizer) lookupIn(m *Module, addr uint64) (Symbol, bool) {
	named := s.tabled(m, addr)
	if named.Size > 0 {
		return named, true
	}
	if name, start, size, ok := s.pltStub(m, addr); ok {
		return Symbol{Name: name + "@plt", Start: start, Size: size, Source: FromPLT}, true
	}
	return named, named.Name != ""
}

// tabled is the function that a symbol table names at addr; one with a size goes before a mere label.
func (s *Symbolizer) tabled(m *Module, addr uint64) (label Symbol) {
	for _, t := range s.tablesOf(m).tables {
		e, ok := covering(t.functions(), addr-m.Bias)
		switch {
		case ok && e.size > 0:
			return m.symbol(t, e, false)
		case ok && label.Name == "" && s.labelReaches(m, e, addr-m.Bias):
			label = m.symbol(t, e, false)
		}
	}
	return label
}

// labelReaches decides whether a label without a size (assembly, mostly) still names an address behind it: only inside
// its own section and its own unwind entry.
func (s *Symbolizer) labelReaches(m *Module, e symEntry, pc uint64) bool {
	if m.file != nil {
		if ef, err := m.file.elf(); err == nil {
			for _, sec := range ef.Sections {
				if sec.Flags&elf.SHF_ALLOC != 0 && pc >= sec.Addr && pc-sec.Addr < sec.Size && e.value < sec.Addr {
					return false
				}
			}
		}
	}
	if m.img != nil {
		if f, err := m.cfi.find(pc); err == nil {
			return e.value >= f.lo
		}
	}
	return pc-e.value < maxLabelReach
}

// symbol makes the public value of an index entry, at run-time addresses.
func (m *Module) symbol(t *symbolTable, e symEntry, data bool) Symbol {
	name := string(t.nameBytes(e.name))
	if i := strings.IndexByte(name, '@'); i > 0 && t.source != FromDynsym {
		name = name[:i] // the version of a defined symbol
	}
	return Symbol{
		Name: name, Start: e.value + m.Bias, Size: uint64(e.size),
		Global: e.binding() != elf.STB_LOCAL, Weak: e.binding() == elf.STB_WEAK, IsData: data, Source: t.source,
	}
}

// LookupData names the object that addr lies in.
func (s *Symbolizer) LookupData(addr uint64) (sym Symbol, m *Module, ok bool) {
	m, found := s.ModuleAt(addr)
	if !found {
		return Symbol{}, nil, false
	}
	_ = m.read(func() error {
		for _, t := range s.tablesOf(m).tables {
			e, hit := covering(t.objects(), addr-m.Bias)
			// A label without a size names its own address only: nothing tells how far it reaches.
			if hit && (e.size > 0 || e.value == addr-m.Bias) {
				sym, ok = m.symbol(t, e, true), true
				break
			}
		}
		return nil
	})
	return sym, m, ok
}

// Find returns the defined symbol with exactly this raw name: in the executable if it has one, else in the first module
// that does. A name that is nowhere costs a table of all names in all modules; FindIn asks one module only.
func (s *Symbolizer) Find(name string) (sym Symbol, m *Module, ok bool) {
	if main, found := s.Main(); found {
		if sym, ok = s.FindIn(main, name); ok {
			return sym, main, true
		}
	}
	for _, m := range s.modules {
		if m.Main {
			continue
		}
		if sym, ok = s.FindIn(m, name); ok {
			return sym, m, true
		}
	}
	return Symbol{}, nil, false
}

// FindIn returns the symbol with exactly this raw name that m defines.
func (s *Symbolizer) FindIn(m *Module, name string) (sym Symbol, ok bool) {
	_ = m.read(func() error {
		for _, t := range s.tablesOf(m).tables {
			if e, isFunc, hit := t.find(name); hit {
				sym, ok = m.symbol(t, e, !isFunc), true
				break
			}
		}
		return nil
	})
	return sym, ok
}

// MentionsSymbol reports whether part occurs in any symbol name that m defines or refers to. It searches the string
// tables as they are, which is much cheaper than EachSymbol.
func (s *Symbolizer) MentionsSymbol(m *Module, part string) (found bool) {
	_ = m.read(func() error {
		for _, t := range s.tablesOf(m).tables {
			found = found || bytes.Contains(t.strings, []byte(part))
		}
		return nil
	})
	return found
}

// EachSymbol calls fn for each defined symbol of m, functions and data, in the table's order, until fn returns false.
func (s *Symbolizer) EachSymbol(m *Module, fn func(Symbol) bool) {
	_ = m.read(func() error {
		names := s.tablesOf(m)
		if len(names.tables) == 0 {
			return nil
		}
		t := names.tables[0] // .symtab holds the dynamic ones too
		for i := range t.count() {
			e, shndx := t.at(i)
			if !defined(e, shndx) {
				continue
			}
			sym := m.symbol(t, e, !t.isFunc(e, shndx))
			if sym.Name != "" && !fn(sym) {
				return nil
			}
		}
		return nil
	})
}

// UndefinedSymbols returns the symbols that m uses and does not define: those the dynamic linker must find, and, of a
// statically linked module, the weak ones that the linker left at address zero (where it kept their names: GNU ld drops
// them from fully static programs). Their Start is 0.
func (s *Symbolizer) UndefinedSymbols(m *Module) []Symbol {
	var out []Symbol
	_ = m.read(func() error {
		names := s.tablesOf(m)
		seen := make(map[string]bool)
		for _, t := range names.tables {
			for i := range t.count() {
				e, shndx := t.at(i)
				if shndx != uint16(elf.SHN_UNDEF) || e.name == 0 {
					continue
				}
				sym := m.symbol(t, e, e.kind() == elf.STT_OBJECT)
				sym.Start = 0
				if sym.Name, _, _ = strings.Cut(sym.Name, "@"); sym.Name == "" || seen[sym.Name] {
					continue
				}
				seen[sym.Name] = true
				out = append(out, sym)
			}
		}
		return nil
	})
	return out
}

// FuncRange returns the bounds of the function at addr and what told them: "plt" for a linker stub, "fde" for the range
// of an unwind entry (exact; a function's cold part is a range of its own), "symbol" for the size in a symbol table.
func (s *Symbolizer) FuncRange(addr uint64) (lo, hi uint64, how string, ok bool) {
	m, found := s.ModuleAt(addr)
	if !found {
		return 0, 0, "", false
	}
	_ = m.read(func() error {
		if _, start, size, stub := s.pltStub(m, addr); stub {
			lo, hi, how, ok = start, start+size, "plt", true
			return nil
		}
		if m.img != nil {
			if f, err := m.cfi.find(addr - m.Bias); err == nil {
				lo, hi, how, ok = f.lo+m.Bias, f.hi+m.Bias, "fde", true
				return nil
			}
		}
		if sym, hit := s.lookupIn(m, addr); hit && sym.Size > 0 {
			lo, hi, how, ok = sym.Start, sym.Start+sym.Size, "symbol", true
		}
		return nil
	})
	return lo, hi, how, ok
}
