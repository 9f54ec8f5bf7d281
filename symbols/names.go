package symbols

import (
	"debug/elf"
	"encoding/binary"
	"errors"
)

// moduleNames are the symbol tables of one module, best first: .symtab of the file, else of its separate debug file,
// then the dynamic symbols. They are opened at the first request.
type moduleNames struct {
	opened  bool
	tables  []*symbolTable
	dynamic *symbolTable // also in tables; nil when there is none
}

// full reports whether there is a table of all symbols, not only of the dynamic ones.
func (n *moduleNames) full() bool { return len(n.tables) > 0 && n.tables[0] != n.dynamic }

// tablesOf opens the symbol tables of m. Callers stand inside a fence.
func (s *Symbolizer) tablesOf(m *Module) *moduleNames {
	n := &m.names
	if n.opened {
		return n
	}
	n.opened = true
	if t := sectionTable(m.file, ".symtab", FromSymtab); t != nil {
		n.tables = append(n.tables, t)
	} else if t := sectionTable(s.debugFile(m), ".symtab", FromDebug); t != nil {
		n.tables = append(n.tables, t)
	}
	n.dynamic = sectionTable(m.file, ".dynsym", FromDynsym)
	if n.dynamic == nil && m.img != nil {
		n.dynamic = m.img.dynamicSymbols()
	}
	if n.dynamic != nil {
		n.tables = append(n.tables, n.dynamic)
	}
	return n
}

// sectionTable opens a symbol table section of a file; nil when there is none or it is damaged.
func sectionTable(f *elfFile, name string, source SymbolSource) *symbolTable {
	if f == nil {
		return nil
	}
	sec, raw, err := f.section(name)
	if err != nil || len(raw) < symSize {
		return nil
	}
	ef, err := f.elf()
	if err != nil || int(sec.Link) >= len(ef.Sections) {
		return nil
	}
	strings, err := f.sectionBytes(ef.Sections[sec.Link])
	if err != nil {
		return nil
	}
	return &symbolTable{
		raw: raw, strings: strings, source: source,
		isCode: func(i uint16) bool {
			return int(i) < len(ef.Sections) && ef.Sections[i].Flags&elf.SHF_EXECINSTR != 0
		},
	}
}

// maxDynamicSymbols bounds a symbol table whose length memory only tells indirectly.
const maxDynamicSymbols = 1 << 20

// dynamicSymbols reads the dynamic symbol table of a mapped image, without the help of a file.
func (im *image) dynamicSymbols() *symbolTable {
	tags := im.dynamic()
	symtab, strtab, size := im.linkAddr(tags[elf.DT_SYMTAB]), im.linkAddr(tags[elf.DT_STRTAB]), tags[elf.DT_STRSZ]
	if symtab == 0 || strtab == 0 {
		return nil
	}
	n, err := im.dynamicCount(tags, symtab, strtab)
	if err != nil || n == 0 || n > maxDynamicSymbols {
		return nil
	}
	raw, err := im.constant(symtab, n*symSize)
	if err != nil {
		return nil
	}
	strings, err := im.constant(strtab, size)
	if err != nil {
		return nil
	}
	return &symbolTable{raw: raw, strings: strings, source: FromDynsym, inCode: im.hdr.executable}
}

// dynamicCount finds how many dynamic symbols there are: the ELF format only tells it through the hash tables.
func (im *image) dynamicCount(tags map[elf.DynTag]uint64, symtab, strtab uint64) (uint64, error) {
	if at, ok := tags[elf.DT_HASH]; ok {
		b, err := im.constant(im.linkAddr(at), 8)
		if err != nil {
			return 0, err
		}
		return uint64(binary.LittleEndian.Uint32(b[4:])), nil
	}
	if at, ok := tags[elf.DT_GNU_HASH]; ok {
		return im.gnuHashCount(im.linkAddr(at))
	}
	if strtab > symtab {
		return (strtab - symtab) / symSize, nil // linkers put the strings right behind the symbols
	}
	return 0, errors.New("the dynamic table does not tell how many symbols there are")
}

// gnuHashCount walks the chain of the highest bucket to its end
// (https://sourceware.org/gnu-gabi/program-loading-and-dynamic-linking.txt).
func (im *image) gnuHashCount(at uint64) (uint64, error) {
	b, err := im.constant(at, 16)
	if err != nil {
		return 0, err
	}
	c := cursor{buf: b}
	buckets, first, bloom := uint64(c.u32()), uint64(c.u32()), uint64(c.u32())
	if buckets > maxDynamicSymbols || bloom > maxDynamicSymbols {
		return 0, errors.New("the hash table is damaged")
	}
	table := at + 16 + bloom*8
	if b, err = im.constant(table, buckets*4); err != nil {
		return 0, err
	}
	last := uint64(0)
	for c = (cursor{buf: b}); c.left() >= 4; {
		last = max(last, uint64(c.u32()))
	}
	if last < first {
		return first, nil
	}
	chain := table + buckets*4
	for last < maxDynamicSymbols {
		if b, err = im.constant(chain+(last-first)*4, 4); err != nil {
			return 0, err
		}
		last++
		if b[0]&1 != 0 {
			break
		}
	}
	return last, nil
}
