package symbols

import (
	"errors"
	"fmt"
)

// cie is a Common Information Entry: what several functions share (LSB Core, section 10.6.1).
type cie struct {
	codeAlign uint64
	dataAlign int64
	retReg    uint64
	ptrEnc    byte
	lsdaEnc   byte
	hasAug    bool // augmentation starts with 'z': FDEs have augmentation data
	signal    bool
	initial   []byte // instructions
	instrAddr uint64
}

// fde is a Frame Description Entry: the unwind table of one function or part of one. Addresses are link-time.
type fde struct {
	cie       *cie
	lo, hi    uint64
	lsda      uint64 // 0 none
	instrs    []byte
	instrAddr uint64
}

// maxFrameRecord bounds one CIE or FDE; the biggest real ones have some tens of kilobytes.
const maxFrameRecord = 4 << 20

// frameTable is a section of CIEs and FDEs: .eh_frame of the mapped image, or .debug_frame of a file.
type frameTable struct {
	read  func(addr, n uint64) ([]byte, error)
	debug bool // .debug_frame: absolute pointers, CIE pointers count from the section's start at address 0
	cies  map[uint64]*cie
}

// frameRecord is one length-prefixed entry.
type frameRecord struct {
	body     []byte // after the length
	addr     uint64 // of body
	next     uint64 // address of the record behind it
	wide     bool   // 64-bit DWARF
	endOfAll bool   // the zero terminator
}

func (t *frameTable) record(addr uint64) (frameRecord, error) {
	head, err := t.read(addr, 4)
	if err != nil {
		return frameRecord{}, err
	}
	c := cursor{buf: head}
	n := uint64(c.u32())
	start, wide := addr+4, false
	if n == 0xffffffff {
		if head, err = t.read(addr+4, 8); err != nil {
			return frameRecord{}, err
		}
		c = cursor{buf: head}
		n, start, wide = c.u64(), addr+12, true
	}
	if n == 0 {
		return frameRecord{endOfAll: true, next: start}, nil
	}
	if n < 4 || n > maxFrameRecord {
		return frameRecord{}, fmt.Errorf("unwind entry at %#x claims %d bytes", addr, n)
	}
	body, err := t.read(start, n)
	if err != nil {
		return frameRecord{}, err
	}
	return frameRecord{body: body, addr: start, next: start + n, wide: wide}, nil
}

// ciePointer reads the field that tells a CIE from an FDE and points an FDE to its CIE.
func (t *frameTable) ciePointer(c *cursor, r frameRecord) (at uint64, isCIE bool) {
	var id uint64
	if r.wide {
		id = c.u64()
	} else {
		id = uint64(c.u32())
	}
	if t.debug {
		if r.wide {
			return id, id == ^uint64(0)
		}
		return id, id == 0xffffffff
	}
	return r.addr - id, id == 0
}

// fdeAt parses the FDE whose record starts at addr. isCIE is true when a CIE stands there.
func (t *frameTable) fdeAt(addr uint64) (f *fde, next uint64, isCIE bool, err error) {
	r, err := t.record(addr)
	if err != nil || r.endOfAll {
		return nil, 0, false, err
	}
	c := cursor{buf: r.body}
	at, isCIE := t.ciePointer(&c, r)
	if isCIE || c.err != nil {
		return nil, r.next, isCIE, c.err
	}
	ci, err := t.cieAt(at)
	if err != nil {
		return nil, r.next, false, err
	}
	f = &fde{cie: ci}
	bases := ehBases{section: r.addr}
	lo, ok := c.ehPointer(ci.ptrEnc, bases)
	size, ok2 := c.ehPointer(ci.ptrEnc&0x0f, bases)
	if c.err != nil || !ok || !ok2 {
		return nil, r.next, false, errors.Join(errors.New("unwind entry without a range"), c.err)
	}
	f.lo, f.hi = lo, lo+size
	if ci.hasAug {
		n := c.uleb()
		aug := cursor{buf: c.bytes(n)}
		augAddr := r.addr + uint64(c.off) - n
		if v, ok := aug.ehPointer(ci.lsdaEnc, ehBases{section: augAddr, fn: lo}); ok {
			f.lsda = v
		}
	}
	f.instrs, f.instrAddr = c.buf[c.off:], r.addr+uint64(c.off)
	if f.hi < f.lo {
		return nil, r.next, false, fmt.Errorf("unwind entry with a range that wraps at %#x", f.lo)
	}
	return f, r.next, false, c.err
}

func (t *frameTable) cieAt(addr uint64) (*cie, error) {
	if ci, ok := t.cies[addr]; ok {
		return ci, nil
	}
	r, err := t.record(addr)
	if err != nil {
		return nil, err
	}
	ci, err := t.parseCIE(r)
	if err != nil {
		return nil, err
	}
	if t.cies == nil {
		t.cies = make(map[uint64]*cie)
	}
	t.cies[addr] = ci
	return ci, nil
}

func (t *frameTable) parseCIE(r frameRecord) (*cie, error) {
	c := cursor{buf: r.body}
	if _, isCIE := t.ciePointer(&c, r); !isCIE {
		return nil, errors.New("an unwind entry points to something that is not its shared part")
	}
	ci := &cie{lsdaEnc: ehPtrOmit}
	version := c.u8()
	if version != 1 && version != 3 && version != 4 {
		return nil, fmt.Errorf("unwind table of unknown version %d", version)
	}
	aug := c.cstr()
	if version == 4 {
		if addrSize, segSize := c.u8(), c.u8(); addrSize != 8 || segSize != 0 {
			return nil, errors.New("unwind table for another address size")
		}
	}
	if string(aug) == "eh" {
		c.u64() // an old gcc's exception table pointer
	}
	ci.codeAlign, ci.dataAlign = c.uleb(), c.sleb()
	if version == 1 {
		ci.retReg = uint64(c.u8())
	} else {
		ci.retReg = c.uleb()
	}
	if ci.retReg != 16 {
		return nil, errors.Join(fmt.Errorf("unwind table keeps the return address in register %d", ci.retReg), c.err)
	}
	if err := ci.augmentation(&c, aug, r.addr); err != nil {
		return nil, err
	}
	ci.initial, ci.instrAddr = c.buf[c.off:], r.addr+uint64(c.off)
	return ci, c.err
}

// augmentation reads the data that the letters of the augmentation string announce.
func (ci *cie) augmentation(c *cursor, letters []byte, addr uint64) error {
	if len(letters) == 0 || letters[0] != 'z' {
		for _, l := range letters {
			if l == 'S' {
				ci.signal = true
			}
		}
		return nil
	}
	ci.hasAug = true
	n := c.uleb()
	data := cursor{buf: c.bytes(n)}
	base := addr + uint64(c.off) - n
	for _, l := range letters[1:] {
		switch l {
		case 'L':
			ci.lsdaEnc = data.u8()
		case 'R':
			ci.ptrEnc = data.u8()
		case 'P':
			data.ehPointer(data.u8(), ehBases{section: base})
		case 'S':
			ci.signal = true
		case 'B', 'G': // pointer authentication and memory tagging of other machines
		default:
			// The length is known, so unknown letters can be skipped, but nothing after them is understood.
			return c.err
		}
	}
	return errors.Join(c.err, data.err)
}
