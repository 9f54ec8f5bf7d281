package symbols

import (
	"cmp"
	"slices"
)

// lineIndex finds the compilation unit of an address in one module's debug information and keeps the units that were
// looked into. A unit is only opened when an address in it is asked for.
type lineIndex struct {
	sec   *dwarfSections
	units map[uint64]*dwarfUnit

	arangesRead bool
	aranges     []unitRange
	scanned     bool
	scan        []unitRange
	offsets     []uint64 // of all units, rising; filled with scan
	tables      map[uint64]*lineTable
}

// unitRange is a range of code and the unit it belongs to.
type unitRange struct{ lo, hi, unit uint64 }

const (
	maxUnits      = 1 << 18
	maxUnitRanges = 1 << 22
)

// linesOf opens the debug information of m; nil when there is none. Callers stand inside a fence.
func (s *Symbolizer) linesOf(m *Module) *lineIndex {
	if m.lines == nil {
		m.lines = &lineIndex{units: make(map[uint64]*dwarfUnit), tables: make(map[uint64]*lineTable)}
		limit := uint64(maxPackedLibrary)
		if m.Main {
			limit = maxUnpacked
		}
		var ok bool
		if m.lines.sec, ok = openSections(m.file, limit); !ok {
			if m.lines.sec, ok = openSections(s.debugFile(m), limit); !ok {
				m.lines.sec = nil
			}
		}
	}
	if m.lines.sec == nil {
		return nil
	}
	return m.lines
}

// unitFor returns the unit whose code covers a link-time address: by .debug_aranges, which a file may have for some of
// its units only, else by the ranges of the units' own entries.
func (x *lineIndex) unitFor(pc uint64) *dwarfUnit {
	if !x.arangesRead {
		x.arangesRead = true
		x.aranges = x.sec.readAranges()
	}
	if u := x.pick(x.aranges, pc); u != nil {
		return u
	}
	x.scanUnits()
	return x.pick(x.scan, pc)
}

func (x *lineIndex) pick(ranges []unitRange, pc uint64) *dwarfUnit {
	i, _ := slices.BinarySearchFunc(ranges, pc, func(r unitRange, pc uint64) int {
		if r.lo <= pc {
			return -1
		}
		return 1
	})
	const tries = 16 // ranges may overlap where a linker kept stale ones
	for k := i - 1; k >= 0 && k >= i-tries; k-- {
		if pc < ranges[k].hi {
			if u := x.open(ranges[k].unit); u != nil {
				return u
			}
		}
	}
	return nil
}

// open returns the unit at an offset with its root entry and abbreviations read, nil when it is damaged.
func (x *lineIndex) open(off uint64) *dwarfUnit {
	if u, ok := x.units[off]; ok {
		return u
	}
	u, err := x.sec.unitAt(off)
	if err == nil {
		err = u.readRoot(true)
	}
	if err != nil {
		u = nil
	}
	x.units[off] = u
	return u
}

// scanUnits reads the root entry of every unit, and nothing else of it.
func (x *lineIndex) scanUnits() {
	if x.scanned {
		return
	}
	x.scanned = true
	for off := uint64(0); off < uint64(len(x.sec.info)) && len(x.offsets) < maxUnits; {
		u, err := x.sec.unitAt(off)
		if u == nil || u.end <= off {
			break
		}
		x.offsets = append(x.offsets, off)
		if err == nil && u.readRoot(false) == nil {
			u.eachRange(&u.root, func(lo, hi uint64) bool {
				x.scan = append(x.scan, unitRange{lo, hi, off})
				return len(x.scan) >= maxUnitRanges
			})
		}
		off = u.end
	}
	sortRanges(x.scan)
}

// unitAround returns the unit that holds a .debug_info offset: for references between units.
func (x *lineIndex) unitAround(off uint64) *dwarfUnit {
	x.scanUnits()
	i, found := slices.BinarySearch(x.offsets, off)
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	if u := x.open(x.offsets[i]); u != nil && off >= u.dies && off < u.end {
		return u
	}
	return nil
}

func sortRanges(r []unitRange) {
	slices.SortFunc(r, func(a, b unitRange) int { return cmp.Compare(a.lo, b.lo) })
}

// readAranges parses .debug_aranges (DWARF 5, section 6.1.2); sets it does not understand are skipped.
func (d *dwarfSections) readAranges() []unitRange {
	var out []unitRange
	for c := (cursor{buf: d.aranges}); c.left() > 4 && len(out) < maxUnitRanges; {
		start, wide := c.off, false
		n := uint64(c.u32())
		if n == 0xffffffff {
			n, wide = c.u64(), true
		}
		set := cursor{buf: c.bytes(n)}
		if c.err != nil {
			break
		}
		header := c.off - int(n) - start
		if set.u16() != 2 {
			continue
		}
		unit := uint64(0)
		if wide {
			unit = set.u64()
		} else {
			unit = uint64(set.u32())
		}
		if set.u8() != 8 || set.u8() != 0 {
			continue
		}
		// The pairs are aligned to their own size, counted from the set's first byte.
		set.off += (16 - (set.off+header)%16) % 16
		for set.left() >= 16 {
			lo, size := set.u64(), set.u64()
			if lo == 0 && size == 0 {
				break
			}
			if lo != 0 && size != 0 && lo+size > lo {
				out = append(out, unitRange{lo, lo + size, unit})
			}
		}
	}
	sortRanges(out)
	return out
}
