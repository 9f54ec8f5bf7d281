package symbols

// Entries of .debug_rnglists (DWARF 5, section 7.25).
const (
	rleEnd          = 0x00
	rleBaseAddrx    = 0x01
	rleStartxEndx   = 0x02
	rleStartxLength = 0x03
	rleOffsetPair   = 0x04
	rleBaseAddress  = 0x05
	rleStartEnd     = 0x06
	rleStartLength  = 0x07
)

// maxRanges bounds the ranges of one entry; a unit has one for each function.
const maxRanges = 1 << 20

// eachRange calls fn for each link-time range of code of an entry until fn returns true, and reports whether it did.
// Ranges of functions that the linker threw away are left out: it leaves them at address zero or at a tombstone.
func (u *dwarfUnit) eachRange(e *dwarfEntry, fn func(lo, hi uint64) bool) bool {
	live := func(lo, hi uint64) bool { return lo != 0 && lo < hi && hi < ^uint64(1) && fn(lo, hi) }
	if e.ranges.form != 0 {
		if u.version >= 5 {
			return u.rangeList(e.ranges, live)
		}
		return u.oldRanges(e.ranges.num, live)
	}
	lo, ok := u.address(e.low)
	if !ok {
		return false
	}
	hi, isAddress := u.address(e.high)
	if !isAddress {
		hi = lo + e.high.num // a length since DWARF 4
	}
	return live(lo, hi)
}

// oldRanges reads .debug_ranges (DWARF 4, section 2.17.3).
func (u *dwarfUnit) oldRanges(off uint64, fn func(lo, hi uint64) bool) bool {
	if off > uint64(len(u.sec.ranges)) {
		return false
	}
	c := cursor{buf: u.sec.ranges, off: int(off)}
	base := u.low
	for range maxRanges {
		lo, hi := c.u64(), c.u64()
		switch {
		case c.err != nil || lo == 0 && hi == 0:
			return false
		case lo == ^uint64(0):
			base = hi
		case base == 0 && lo == 0:
			// a function that is gone
		case fn(base+lo, base+hi):
			return true
		}
	}
	return false
}

// rangeList reads .debug_rnglists.
func (u *dwarfUnit) rangeList(v attrValue, fn func(lo, hi uint64) bool) bool {
	off := v.num
	if v.form == formRnglistx {
		size := uint64(4)
		if u.wide {
			size = 8
		}
		rel, ok := u.indexed(u.sec.rnglists, u.rangesAt, v.num, size)
		if !ok {
			return false
		}
		off = u.rangesAt + rel
	}
	if off > uint64(len(u.sec.rnglists)) {
		return false
	}
	c := cursor{buf: u.sec.rnglists, off: int(off)}
	base, baseOK := u.low, true
	index := func() (uint64, bool) { return u.indexed(u.sec.addr, u.addrBase, c.uleb(), 8) }
	for range maxRanges {
		var lo, hi uint64
		ok := true
		switch c.u8() {
		case rleEnd:
			return false
		case rleBaseAddrx:
			base, baseOK = index()
			continue
		case rleBaseAddress:
			base, baseOK = c.u64(), true
			continue
		case rleStartxEndx:
			var ok2 bool
			lo, ok = index()
			hi, ok2 = index()
			ok = ok && ok2
		case rleStartxLength:
			lo, ok = index()
			hi = lo + c.uleb()
		case rleOffsetPair:
			lo, hi, ok = base+c.uleb(), base+c.uleb(), baseOK && base != 0
		case rleStartEnd:
			lo, hi = c.u64(), c.u64()
		case rleStartLength:
			lo = c.u64()
			hi = lo + c.uleb()
		default:
			return false
		}
		if c.err != nil {
			return false
		}
		if ok && fn(lo, hi) {
			return true
		}
	}
	return false
}
