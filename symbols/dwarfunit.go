package symbols

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// dwarfSections are the debug sections of one file; those it does not have are nil.
type dwarfSections struct {
	info, abbrev, line, str, lineStr, ranges, rnglists, addr, strOffsets, aranges []byte
}

// maxPackedLibrary bounds the compressed debug sections (as stored) that are unpacked for a library. Unpacking a C
// library's costs 80 ms and more, to name lines that nobody reads; its function names come from the symbol table anyway.
const maxPackedLibrary = 256 << 10

// openSections finds the debug sections of f. ok is false when it has none, or none that may be unpacked.
func openSections(f *elfFile, maxPacked uint64) (d *dwarfSections, ok bool) {
	if f == nil {
		return nil, false
	}
	d = &dwarfSections{}
	wanted := []struct {
		name string
		to   *[]byte
	}{
		{".debug_info", &d.info}, {".debug_abbrev", &d.abbrev}, {".debug_line", &d.line}, {".debug_str", &d.str},
		{".debug_line_str", &d.lineStr}, {".debug_ranges", &d.ranges}, {".debug_rnglists", &d.rnglists},
		{".debug_addr", &d.addr}, {".debug_str_offsets", &d.strOffsets}, {".debug_aranges", &d.aranges},
	}
	ef, err := f.elf()
	if err != nil {
		return nil, false
	}
	packed := uint64(0)
	for _, w := range wanted {
		if s := ef.Section(w.name); s != nil && s.Flags&elf.SHF_COMPRESSED != 0 {
			packed += s.FileSize
		}
	}
	if packed > maxPacked {
		return nil, false
	}
	for _, w := range wanted {
		// A section that cannot be read is as good as missing: what rests on it stays unknown.
		_, *w.to, _ = f.section(w.name)
	}
	return d, len(d.info) > 0
}

// dwarfUnit is one compilation unit of .debug_info.
type dwarfUnit struct {
	sec     *dwarfSections
	off     uint64 // of the header
	end     uint64
	dies    uint64 // where its entries start
	version uint16
	wide    bool // 64-bit DWARF
	partial bool // a type unit: it has no code

	abbrevOff uint64
	abbrevs   *abbrevTable

	rootRead                           bool
	low                                uint64 // base of .debug_ranges entries
	addrBase, strOffsetsBase, rangesAt uint64
	root                               dwarfEntry

	funcs     []funcRange
	funcsRead bool
}

// unitAt reads the header of the unit at off (DWARF 5, section 7.5.1).
func (d *dwarfSections) unitAt(off uint64) (*dwarfUnit, error) {
	if off >= uint64(len(d.info)) {
		return nil, errShort
	}
	c := cursor{buf: d.info, off: int(off)}
	u := &dwarfUnit{sec: d, off: off}
	n := uint64(c.u32())
	if n == 0xffffffff {
		n, u.wide = c.u64(), true
	}
	if c.err != nil || n > uint64(c.left()) {
		return nil, fmt.Errorf("the unit at %#x ends behind its section", off)
	}
	u.end = uint64(c.off) + n
	c.buf = c.buf[:u.end]
	u.version = c.u16()
	if u.version < 2 || u.version > 5 {
		return u, fmt.Errorf("DWARF version %d is not known", u.version)
	}
	kind, addrSize := uint8(1), uint8(0)
	if u.version >= 5 {
		kind, addrSize = c.u8(), c.u8()
		u.abbrevOff = u.offset(&c)
	} else {
		u.abbrevOff = u.offset(&c)
		addrSize = c.u8()
	}
	switch kind {
	case 1, 3: // compile, partial
	case 4, 5: // skeleton, split: an id follows
		c.u64()
	default: // type units
		u.partial = true
	}
	u.dies = uint64(c.off)
	if c.err == nil && addrSize != 8 {
		return u, fmt.Errorf("addresses of %d bytes", addrSize)
	}
	return u, c.err
}

// abbrev is the shape of one kind of entry.
type abbrev struct {
	tag      uint16
	children bool
	attrs    []attrSpec
	fixed    int // size of all values when they always have the same, else -1
}

type attrSpec struct {
	name, form uint16
	implicit   int64
}

// abbrevTable holds abbrevs by code; codes are dense in practice.
type abbrevTable struct{ byCode []*abbrev }

const maxAbbrevs = 1 << 16

func (t *abbrevTable) get(code uint64) *abbrev {
	if code == 0 || code >= uint64(len(t.byCode)) {
		return nil
	}
	return t.byCode[code]
}

// readAbbrevs parses the unit's abbreviation table; with only != 0 just until that code was found.
func (u *dwarfUnit) readAbbrevs(only uint64) (*abbrevTable, error) {
	if u.abbrevOff > uint64(len(u.sec.abbrev)) {
		return nil, errShort
	}
	c := cursor{buf: u.sec.abbrev, off: int(u.abbrevOff)}
	t := &abbrevTable{}
	for {
		code := c.uleb()
		if code == 0 || c.err != nil {
			return t, c.err
		}
		if code > maxAbbrevs {
			return nil, fmt.Errorf("abbreviation code %d", code)
		}
		a := u.readAbbrev(&c)
		for uint64(len(t.byCode)) <= code {
			t.byCode = append(t.byCode, nil)
		}
		t.byCode[code] = a
		if code == only {
			return t, c.err
		}
	}
}

func (u *dwarfUnit) readAbbrev(c *cursor) *abbrev {
	a := &abbrev{tag: uint16(c.uleb()), children: c.u8() != 0}
	for c.err == nil {
		s := attrSpec{name: uint16(c.uleb()), form: uint16(c.uleb())}
		if s.form == formImplicitConst {
			s.implicit = c.sleb()
		}
		if s.name == 0 && s.form == 0 {
			break
		}
		a.attrs = append(a.attrs, s)
		if n, ok := u.fixedSize(s.form); ok && a.fixed >= 0 {
			a.fixed += n
		} else {
			a.fixed = -1
		}
	}
	return a
}

// dwarfEntry is the part of a debugging information entry that is used.
type dwarfEntry struct {
	off      uint64 // in .debug_info
	abbrev   *abbrev
	low      attrValue
	high     attrValue
	ranges   attrValue
	name     attrValue
	linkage  attrValue
	origin   attrValue // abstract origin, else specification
	sibling  attrValue
	callFile uint64
	callLine uint64
	language uint64
}

// entry reads the entry at the cursor. A nil abbrev marks the end of a list of children.
func (u *dwarfUnit) entry(c *cursor) (e dwarfEntry, err error) {
	e.off = uint64(c.off)
	code := c.uleb()
	if code == 0 || c.err != nil {
		return e, c.err
	}
	if e.abbrev = u.abbrevs.get(code); e.abbrev == nil {
		return e, fmt.Errorf("entry with unknown abbreviation %d", code)
	}
	for _, s := range e.abbrev.attrs {
		v := u.read(c, s.form, s.implicit)
		u.assign(&e, s.name, v)
	}
	return e, c.err
}

// skipEntry steps over the values of an entry that is of no interest.
func (u *dwarfUnit) skipEntry(c *cursor, a *abbrev) {
	if a.fixed >= 0 {
		c.bytes(uint64(a.fixed))
		return
	}
	for _, s := range a.attrs {
		u.read(c, s.form, s.implicit)
	}
}

func (u *dwarfUnit) assign(e *dwarfEntry, name uint16, v attrValue) {
	switch name {
	case attrLowPC:
		e.low = v
	case attrHighPC:
		e.high = v
	case attrRanges:
		e.ranges = v
	case attrName:
		e.name = v
	case attrLinkageName, attrMIPSLinkage:
		e.linkage = v
	case attrAbstract:
		e.origin = v
	case attrSpecification:
		if e.origin.form == 0 {
			e.origin = v
		}
	case attrSibling:
		e.sibling = v
	case attrCallFile:
		e.callFile = v.num
	case attrCallLine:
		e.callLine = v.num
	case attrLanguage:
		e.language = v.num
	case attrAddrBase:
		u.addrBase = v.num
	case attrStrOffsets:
		u.strOffsetsBase = v.num
	case attrRnglistsBase:
		u.rangesAt = v.num
	}
}

// readRoot reads the unit's own entry, with the bases that all others need. full asks for the whole abbreviation table,
// which only a walk through the unit needs.
func (u *dwarfUnit) readRoot(full bool) error {
	if u.partial {
		return errors.New("a unit without code")
	}
	c := u.cursor(u.dies)
	if !u.rootRead || full && u.abbrevs == nil {
		code := (&cursor{buf: c.buf, off: c.off}).uleb()
		if full {
			code = 0
		}
		t, err := u.readAbbrevs(code)
		if err != nil {
			return err
		}
		u.abbrevs = t
	}
	if u.rootRead {
		return nil
	}
	// Without a base attribute the tables start behind their header.
	u.strOffsetsBase, u.addrBase = 8, 8
	e, err := u.entry(&c)
	if err != nil {
		return err
	}
	if e.abbrev == nil {
		return errors.New("an empty unit")
	}
	u.root, u.rootRead = e, true
	u.low, _ = u.address(e.low)
	if !full {
		u.abbrevs = nil
	}
	return nil
}

func (u *dwarfUnit) cursor(off uint64) cursor { return cursor{buf: u.sec.info[:u.end], off: int(off)} }

// address resolves an attribute of class address.
func (u *dwarfUnit) address(v attrValue) (uint64, bool) {
	switch v.form {
	case formAddr:
		return v.num, true
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4:
		return u.indexed(u.sec.addr, u.addrBase, v.num, 8)
	}
	return 0, false
}

// indexed reads entry i of a table of fixed-size values.
func (u *dwarfUnit) indexed(table []byte, base, i uint64, size uint64) (uint64, bool) {
	n := uint64(len(table))
	if base > n || i >= (n-base)/size {
		return 0, false
	}
	b := table[base+i*size:]
	if size == 8 {
		return binary.LittleEndian.Uint64(b), true
	}
	return uint64(binary.LittleEndian.Uint32(b)), true
}

// text resolves an attribute of class string.
func (u *dwarfUnit) text(v attrValue) string {
	switch v.form {
	case formString:
		return string(v.text)
	case formStrp:
		return stringAt(u.sec.str, v.num)
	case formLineStrp:
		return stringAt(u.sec.lineStr, v.num)
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4:
		size := uint64(4)
		if u.wide {
			size = 8
		}
		if off, ok := u.indexed(u.sec.strOffsets, u.strOffsetsBase, v.num, size); ok {
			return stringAt(u.sec.str, off)
		}
	}
	return ""
}

func stringAt(table []byte, off uint64) string {
	if off >= uint64(len(table)) {
		return ""
	}
	c := cursor{buf: table[off:min(uint64(len(table)), off+maxSymbolName)]}
	return string(c.cstr())
}

// reference resolves an attribute of class reference to an offset in .debug_info.
func (u *dwarfUnit) reference(v attrValue) (uint64, bool) {
	switch v.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUData:
		return u.off + v.num, true
	case formRefAddr:
		return v.num, true
	}
	return 0, false
}
