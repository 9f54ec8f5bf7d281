package symbols

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// errNoRow says that no unwind entry covers an address.
var errNoRow = errors.New("no unwind entry covers it")

// cfiTable finds the unwind entry of an address in one module: by binary search in .eh_frame_hdr when there is one,
// else in an index of .eh_frame or .debug_frame made by walking it once.
type cfiTable struct {
	img *image

	opened bool
	err    error // why there is no table at all
	eh     frameTable
	hdr    ehHeader

	indexed bool
	index   []fdeSpan
	debug   *frameTable // .debug_frame, nil until the index needed it
}

// ehHeader is a .eh_frame_hdr whose table can be searched (LSB Core, section 10.6.2): sorted pairs of 4-byte offsets
// from its own start.
type ehHeader struct {
	addr  uint64 // link-time address of the section
	table uint64 // of the first pair
	count uint64 // 0: no usable table
	frame uint64 // where .eh_frame starts; 0 unknown
}

// fdeSpan is one entry of the index that stands in for a missing header.
type fdeSpan struct {
	lo, hi uint64
	at     uint64
	debug  bool
}

// find returns the FDE covering the link-time address pc.
func (t *cfiTable) find(pc uint64) (*fde, error) {
	if !t.opened {
		t.opened = true
		t.eh.read = t.img.constant
		t.err = t.openHeader()
	}
	if t.hdr.count > 0 {
		f, err := t.search(pc)
		if err == nil && pc >= f.lo && pc < f.hi {
			return f, nil
		}
		if err != nil {
			return nil, err
		}
		return t.findDebugFrame(pc)
	}
	return t.findIndexed(pc)
}

// openHeader reads .eh_frame_hdr. A header without a usable table still tells where .eh_frame is.
func (t *cfiTable) openHeader() error {
	seg, ok := t.img.hdr.first(elf.PT_GNU_EH_FRAME)
	if !ok {
		return nil
	}
	n := min(seg.memsz, 32)
	b, err := t.img.constant(seg.vaddr, n)
	if err != nil {
		return err
	}
	c := cursor{buf: b}
	version, frameEnc, countEnc, tableEnc := c.u8(), c.u8(), c.u8(), c.u8()
	if version != 1 {
		return fmt.Errorf(".eh_frame_hdr has unknown version %d", version)
	}
	bases := ehBases{section: seg.vaddr, data: seg.vaddr}
	t.hdr.addr = seg.vaddr
	if v, ok := c.ehPointer(frameEnc, bases); ok {
		t.hdr.frame = v
	}
	count, ok := c.ehPointer(countEnc, bases)
	if !ok || c.err != nil || tableEnc != ehPtrDataRel|ehPtrSData4 {
		return nil
	}
	t.hdr.table = seg.vaddr + uint64(c.off)
	t.hdr.count = min(count, (seg.memsz-uint64(c.off))/8)
	return nil
}

// search finds the last pair at or before pc.
func (t *cfiTable) search(pc uint64) (*fde, error) {
	var failed error
	pair := func(i uint64) (start, fdeAddr uint64) {
		b, err := t.img.constant(t.hdr.table+8*i, 8)
		if err != nil {
			failed = err
			return 0, 0
		}
		rel := func(b []byte) uint64 { return t.hdr.addr + uint64(int64(int32(binary.LittleEndian.Uint32(b)))) }
		return rel(b), rel(b[4:])
	}
	lo, hi := uint64(0), t.hdr.count // the first pair behind pc lies in [lo, hi]
	for lo < hi && failed == nil {
		mid := lo + (hi-lo)/2
		if start, _ := pair(mid); start <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if failed != nil {
		return nil, failed
	}
	if lo == 0 {
		return nil, errNoRow
	}
	_, at := pair(lo - 1)
	if failed != nil {
		return nil, failed
	}
	f, _, isCIE, err := t.eh.fdeAt(at)
	if err != nil {
		return nil, err
	}
	if isCIE || f == nil {
		return nil, errors.New(".eh_frame_hdr points to something that is not an unwind entry")
	}
	return f, nil
}

// findDebugFrame looks into .debug_frame only.
func (t *cfiTable) findDebugFrame(pc uint64) (*fde, error) {
	if !t.indexed {
		t.indexed = true
		t.indexDebugFrame()
	}
	return t.lookup(pc)
}

// findIndexed looks into an index of all entries, made at the first request.
func (t *cfiTable) findIndexed(pc uint64) (*fde, error) {
	if !t.indexed {
		t.indexed = true
		t.indexEHFrame()
		t.indexDebugFrame()
	}
	f, err := t.lookup(pc)
	if err != nil && t.err != nil {
		err = t.err
	}
	return f, err
}

func (t *cfiTable) lookup(pc uint64) (*fde, error) {
	i, _ := slices.BinarySearchFunc(t.index, pc, func(s fdeSpan, pc uint64) int {
		if s.lo <= pc {
			return -1
		}
		return 1
	})
	if i == 0 || pc >= t.index[i-1].hi {
		return nil, errNoRow
	}
	table := &t.eh
	if t.index[i-1].debug {
		table = t.debug
	}
	f, _, _, err := table.fdeAt(t.index[i-1].at)
	if err == nil && f == nil {
		err = errNoRow
	}
	return f, err
}

// indexEHFrame walks .eh_frame, found through the header or through the file's section table.
func (t *cfiTable) indexEHFrame() {
	start, end := t.hdr.frame, uint64(0)
	if t.img.file != nil {
		if ef, err := t.img.file.elf(); err == nil {
			if s := ef.Section(".eh_frame"); s != nil {
				start, end = s.Addr, s.Addr+s.Size
			}
		}
	}
	if start == 0 {
		return
	}
	if end == 0 {
		end = t.segmentEnd(start)
	}
	t.walk(&t.eh, start, end)
}

func (t *cfiTable) segmentEnd(vaddr uint64) uint64 {
	for _, s := range t.img.hdr.segments {
		if s.typ == elf.PT_LOAD && vaddr >= s.vaddr && vaddr-s.vaddr < s.filesz {
			return s.vaddr + s.filesz
		}
	}
	return 0
}

// indexDebugFrame walks the file's .debug_frame, which programs without exception tables may have.
func (t *cfiTable) indexDebugFrame() {
	if t.img.file == nil {
		return
	}
	_, b, err := t.img.file.section(".debug_frame")
	if err != nil || b == nil {
		return
	}
	t.debug = &frameTable{debug: true, read: func(addr, n uint64) ([]byte, error) {
		if addr > uint64(len(b)) || n > uint64(len(b))-addr {
			return nil, errShort
		}
		return b[addr : addr+n], nil
	}}
	t.walk(t.debug, 0, uint64(len(b)))
}

// walk adds the entries of a table to the index. Damaged entries are skipped when their length is known.
func (t *cfiTable) walk(table *frameTable, at, end uint64) {
	for at < end {
		f, next, _, err := table.fdeAt(at)
		if next <= at {
			break // the terminator, or an entry whose length cannot be believed
		}
		if err == nil && f != nil && f.hi > f.lo && f.lo != 0 {
			t.index = append(t.index, fdeSpan{lo: f.lo, hi: f.hi, at: at, debug: table.debug})
		}
		at = next
	}
	slices.SortFunc(t.index, func(a, b fdeSpan) int { return cmp.Compare(a.lo, b.lo) })
}
