package symbols

import (
	"cmp"
	"slices"
)

// funcRange is one range of code of a function's entry.
type funcRange struct{ lo, hi, die uint64 }

const (
	maxUnitWalk  = 64 << 20 // a unit with more entries than this (whole-program LTO) is not searched for inlined calls
	maxDIEDepth  = 256
	maxNameHops  = 16
	maxInlineHop = 128
)

// inlinedCall is one inlined function around an address: whose code it is, and where it was called.
type inlinedCall struct {
	name     string // raw name, "" unknown
	callFile uint64
	callLine uint64
}

// functionAt finds the function entry that covers a link-time address and the inlined calls there, outermost first.
func (x *lineIndex) functionAt(u *dwarfUnit, pc uint64) (name string, calls []inlinedCall, ok bool) {
	u.readFunctions()
	i, _ := slices.BinarySearchFunc(u.funcs, pc, func(f funcRange, pc uint64) int {
		if f.lo <= pc {
			return -1
		}
		return 1
	})
	const tries = 16
	for k := i - 1; k >= 0 && k >= i-tries; k-- {
		if pc >= u.funcs[k].hi {
			continue
		}
		c := u.cursor(u.funcs[k].die)
		e, err := u.entry(&c)
		if err != nil || e.abbrev == nil {
			return "", nil, false
		}
		if e.abbrev.children {
			x.collect(u, &c, pc, 0, &calls)
		}
		return x.nameOf(u, &e), calls, true
	}
	return "", nil, false
}

// readFunctions makes the unit's index of functions: one pass over all its entries.
func (u *dwarfUnit) readFunctions() {
	if u.funcsRead {
		return
	}
	u.funcsRead = true
	if u.end-u.dies > maxUnitWalk {
		return
	}
	c := u.cursor(u.dies)
	for depth := 0; c.left() > 0; {
		start := c.off
		code := c.uleb()
		if code == 0 {
			if depth--; depth <= 0 {
				break
			}
			continue
		}
		a := u.abbrevs.get(code)
		if a == nil || c.err != nil {
			break
		}
		if a.tag == tagSubprogram {
			c.off = start
			e, err := u.entry(&c)
			if err != nil {
				break
			}
			u.eachRange(&e, func(lo, hi uint64) bool {
				u.funcs = append(u.funcs, funcRange{lo, hi, e.off})
				return false
			})
		} else {
			u.skipEntry(&c, a)
		}
		if a.children {
			depth++
		}
	}
	slices.SortFunc(u.funcs, func(a, b funcRange) int { return cmp.Compare(a.lo, b.lo) })
}

// collect walks the children at the cursor and descends into inlined calls and blocks that cover pc. It leaves the
// cursor behind the list's end.
func (x *lineIndex) collect(u *dwarfUnit, c *cursor, pc uint64, depth int, calls *[]inlinedCall) {
	if depth > maxDIEDepth {
		c.fail(errShort)
		return
	}
	for c.left() > 0 {
		e, err := u.entry(c)
		if err != nil {
			c.fail(err)
			return
		}
		if e.abbrev == nil {
			return
		}
		tag := e.abbrev.tag
		inside := false
		if tag == tagInlinedSubroutine || tag == tagLexicalBlock {
			inside = u.eachRange(&e, func(lo, hi uint64) bool { return pc >= lo && pc < hi })
		}
		if inside && tag == tagInlinedSubroutine && len(*calls) < maxInlineHop {
			*calls = append(*calls, inlinedCall{name: x.nameOf(u, &e), callFile: e.callFile, callLine: e.callLine})
		}
		switch {
		case !e.abbrev.children:
		case inside:
			x.collect(u, c, pc, depth+1, calls)
		default:
			u.skipChildren(c, &e)
		}
	}
}

// skipChildren moves the cursor behind the children of e.
func (u *dwarfUnit) skipChildren(c *cursor, e *dwarfEntry) {
	if off, ok := u.reference(e.sibling); ok && off > uint64(c.off) && off < u.end {
		c.off = int(off)
		return
	}
	for depth := 1; depth > 0 && c.left() > 0; {
		code := c.uleb()
		if code == 0 {
			depth--
			continue
		}
		a := u.abbrevs.get(code)
		if a == nil {
			c.fail(errShort)
			return
		}
		u.skipEntry(c, a)
		if a.children {
			depth++
		}
	}
}

// nameOf returns the raw name of an entry: its linkage name if there is one, found through the abstract origin or the
// declaration, else its plain name.
func (x *lineIndex) nameOf(u *dwarfUnit, e *dwarfEntry) string {
	plain := ""
	cur := *e
	for range maxNameHops {
		if name := u.text(cur.linkage); name != "" {
			return name
		}
		if plain == "" {
			plain = u.text(cur.name)
		}
		off, ok := u.reference(cur.origin)
		if !ok {
			break
		}
		if off < u.dies || off >= u.end {
			if u = x.unitAround(off); u == nil {
				break
			}
		}
		c := u.cursor(off)
		next, err := u.entry(&c)
		if err != nil || next.abbrev == nil {
			break
		}
		cur = next
	}
	return plain
}
