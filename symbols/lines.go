package symbols

import (
	"debug/dwarf"
	"path/filepath"

	"meshdiag/crash"
)

// Lines returns the source-level functions at a, innermost first; the last one is the function that has the frame. nil
// when there is no line information. Line 0 means code that the compiler assigns to no line.
func (s *Symbolizer) Lines(a crash.CodeAddress) []InlinedCall {
	calls, _ := s.source(a)
	return calls
}

// source returns the source-level functions at a and the language of their compilation unit.
func (s *Symbolizer) source(a crash.CodeAddress) (out []InlinedCall, lang Language) {
	addr := a.Lookup()
	m, ok := s.ModuleAt(addr)
	if !ok {
		return nil, LangUnknown
	}
	err := m.read(func() error {
		x := s.linesOf(m)
		if x == nil {
			return nil
		}
		if u := x.unitFor(addr - m.Bias); u != nil {
			out, lang = x.describe(u, addr-m.Bias), u.language()
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, lang
	}
	if sym, _, ok := s.Lookup(a); ok {
		out[len(out)-1].Function = sourceName(sym.Name)
	}
	return out, lang
}

// language is the source language that the unit claims (DWARF 5, table 7.17, and Rust's code from before it).
func (u *dwarfUnit) language() Language {
	switch u.root.language {
	case 0x01, 0x02, 0x0c, 0x1d, 0x2c:
		return LangC
	case 0x04, 0x19, 0x1a, 0x21, 0x2b, 0x2e:
		return LangCPP
	case 0x1c, 0x9000:
		return LangRust
	}
	return LangUnknown
}

// describe joins the line table with the inlined calls at pc: the table has the innermost place, and each inlined call
// tells where in the next outer function it stands.
func (x *lineIndex) describe(u *dwarfUnit, pc uint64) []InlinedCall {
	table := x.tableOf(u)
	file, line, found := table.at(pc)
	name, calls, inFunc := x.functionAt(u, pc)
	if !found && !inFunc {
		return nil
	}
	var out []InlinedCall
	for i := len(calls) - 1; i >= 0; i-- {
		fn, _ := Demangle(calls[i].name)
		out = append(out, InlinedCall{Function: fn, File: file, Line: line, Inlined: true})
		file, line = table.file(calls[i].callFile), int(calls[i].callLine)
	}
	fn, _ := Demangle(name)
	return append(out, InlinedCall{Function: fn, File: file, Line: line})
}

// lineTable is the line program of one unit. It is run as far as an address is looked for, and where its sequences begin is
// remembered: rows of a whole unit would take more memory than its program.
type lineTable struct {
	reader    *dwarf.LineReader
	files     []*dwarf.LineFile
	sequences []lineSequence      // those that were run through, in the program's order
	next      dwarf.LineReaderPos // where the first one begins that was not
	rows      int                 // that were run for sequences
}

// lineSequence is a run of rows with rising addresses [lo, hi), as a rule one function (DWARF 5, section 6.2.5).
type lineSequence struct {
	lo, hi uint64
	at     dwarf.LineReaderPos
}

// tableOf opens a unit's line table with debug/dwarf, which is given this unit only: opening all of them would parse
// every unit's abbreviations.
func (x *lineIndex) tableOf(u *dwarfUnit) *lineTable {
	if t, ok := x.tables[u.off]; ok {
		return t
	}
	t := &lineTable{}
	x.tables[u.off] = t
	sec := u.sec
	d, err := dwarf.New(sec.abbrev, nil, nil, sec.info[u.off:u.end], sec.line, nil, sec.ranges, sec.str)
	if err != nil {
		return t
	}
	for name, b := range map[string][]byte{
		".debug_line_str": sec.lineStr, ".debug_addr": sec.addr, ".debug_str_offsets": sec.strOffsets,
		".debug_rnglists": sec.rnglists,
	} {
		if err := d.AddSection(name, b); err != nil {
			return t
		}
	}
	root, err := d.Reader().Next()
	if err != nil || root == nil {
		return t
	}
	lr, err := d.LineReader(root)
	if err != nil || lr == nil {
		return t
	}
	t.reader, t.files, t.next = lr, lr.Files(), lr.Tell()
	return t
}

// maxLineRows bounds one run of a line program.
const maxLineRows = 16 << 20

// at returns file and line of a link-time address.
func (t *lineTable) at(pc uint64) (file string, line int, ok bool) {
	if t.reader == nil {
		return "", 0, false
	}
	for i := 0; ; i++ {
		if i == len(t.sequences) && !t.advance() {
			return "", 0, false
		}
		if s := &t.sequences[i]; pc >= s.lo && pc < s.hi {
			return t.within(s, pc)
		}
	}
}

// advance runs through the next sequence; false at the program's end. Sequences at zero belong to functions that the linker
// threw away.
func (t *lineTable) advance() bool {
	t.reader.Seek(t.next)
	var row dwarf.LineEntry
	s, begun := lineSequence{at: t.next}, false
	for ; t.rows < maxLineRows; t.rows++ {
		if err := t.reader.Next(&row); err != nil {
			t.rows = maxLineRows
			return false
		}
		if !begun {
			s.lo, begun = row.Address, true
		}
		if !row.EndSequence {
			continue
		}
		s.hi = row.Address
		t.next, t.files = t.reader.Tell(), t.reader.Files()
		if s.lo != 0 && s.hi > s.lo {
			t.sequences = append(t.sequences, s)
			return true
		}
		s, begun = lineSequence{at: t.next}, false
	}
	return false
}

// within finds the row of a sequence that covers an address.
func (t *lineTable) within(s *lineSequence, pc uint64) (file string, line int, ok bool) {
	t.reader.Seek(s.at)
	var prev, row dwarf.LineEntry
	for i := 0; t.reader.Next(&row) == nil; i++ {
		if i > 0 && pc >= prev.Address && pc < row.Address {
			return fileName(prev.File), prev.Line, true
		}
		if row.EndSequence {
			break
		}
		prev = row
	}
	return "", 0, false
}

// file returns the name for an index of the unit's file table.
func (t *lineTable) file(i uint64) string {
	if i >= uint64(len(t.files)) {
		return ""
	}
	return fileName(t.files[i])
}

// fileName is the file's path; debug/dwarf has joined it with the folder of the compilation, which may be relative.
func fileName(f *dwarf.LineFile) string {
	if f == nil || f.Name == "" {
		return ""
	}
	return filepath.Clean(f.Name)
}
