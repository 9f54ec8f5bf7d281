package probe

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"meshdiag/lazyregexp"
)

// Limits on what is taken for SQL: constants may be anything.
const (
	minStatement  = 12
	maxStatement  = 8 << 10
	maxStatements = 128
	createsWithin = 64 // bytes between CREATE and the name of what is created
	namesWithin   = 512
)

// verbs begin the statements that a server can analyse without running them.
var verbs = []string{"SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "WITH", "MERGE INTO"}

// Statements are the constants that read like whole SQL statements, in the order of their addresses. A constant counts
// only where its end is known: by the length that code or a table holds beside its address, if another constant or nothing
// begins there, or by a NUL on both sides. A program that has SQL for SQLite has none here: whose a statement is cannot be
// told.
func (c *Constants) Statements() []string {
	if c.contains([]byte("sqlite_master")) {
		return nil
	}
	lengths := map[uint64][]int{} // by address: what may be its length
	for addr, h := range c.held {
		if c.at(addr) != nil {
			lengths[addr] = append(lengths[addr], int(min(h.length, maxStatement+1)))
		}
	}
	for l := range c.loads() {
		data := c.at(l.addr)
		if data == nil {
			continue
		}
		lengths[l.addr] = append(lengths[l.addr], 0)
		if beginsLikeSQL(data) {
			lengths[l.addr] = append(lengths[l.addr], l.numbers(l.addr)...)
		}
	}
	begins := slices.Sorted(maps.Keys(lengths))
	var all []string
	for _, addr := range begins {
		data := c.at(addr)
		for _, n := range lengths[addr] {
			if n > 0 && n <= len(data) && isStatement(data[:n]) && ends(data, n, lengths, addr) {
				all = add(all, string(data[:n]))
				break
			}
		}
	}
	for _, p := range c.data {
		all = p.terminated(all, begins)
	}
	return all
}

// ends reports whether a constant can end after n bytes: its section, or at a NUL, or where another one begins.
func ends(data []byte, n int, begins map[uint64][]int, addr uint64) bool {
	if n == len(data) || data[n] == 0 {
		return true
	}
	_, another := begins[addr+uint64(n)]
	return another
}

func add(all []string, s string) []string {
	s = strings.TrimSpace(s)
	if len(all) < maxStatements && !slices.Contains(all, s) {
		all = append(all, s)
	}
	return all
}

// terminated adds the statements that stand between two NULs and into which nothing points.
func (p *part) terminated(all []string, begins []uint64) []string {
	for at := 0; at < len(p.data); {
		n := bytes.IndexByte(p.data[at:], 0)
		if n < 0 {
			break // without an end
		}
		if text := p.data[at : at+n]; isStatement(text) {
			addr := p.addr + uint64(at)
			i, _ := slices.BinarySearch(begins, addr+1)
			if i == len(begins) || begins[i] >= addr+uint64(n) {
				all = add(all, string(text))
			}
		}
		at += n + 1
	}
	return all
}

// at is the read-only data from an address on; nil when there is none.
func (c *Constants) at(addr uint64) []byte {
	for _, p := range c.data {
		if addr >= p.addr && addr-p.addr < uint64(len(p.data)) {
			return p.data[addr-p.addr:]
		}
	}
	return nil
}

// isStatement reports whether text reads like SQL and not like English: "Select a file from the list" has a verb, too.
func isStatement(text []byte) bool {
	if len(text) < minStatement || len(text) > maxStatement || !beginsLikeSQL(text) || !utf8.Valid(text) {
		return false
	}
	if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f }) {
		return false
	}
	if template().Match(text) {
		return false
	}
	first := bytes.TrimLeft(text, " \t\r\n")
	return first[0] >= 'A' && first[0] <= 'Z' && first[1] >= 'A' && first[1] <= 'Z' || bytes.ContainsAny(text, "$=*(")
}

// template is text that is no SQL yet: printf's conversions, format's braces, and the placeholders of other databases.
var template = lazyregexp.New(`%[-+ #0]?[0-9.]*(?:l{0,2}[diuxs]|[cfgqQwz])|\{\w*\}|\?(?:\d|\s*(?:[,);]|$|AND\b|OR\b|and\b|or\b))`)

func beginsLikeSQL(data []byte) bool {
	data = bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n")
	for _, verb := range verbs {
		if len(data) > len(verb) && strings.EqualFold(string(data[:len(verb)]), verb) && strings.ContainsRune(" \t\r\n*", rune(data[len(verb)])) {
			return true
		}
	}
	return false
}

// makes is how SQL that makes a table, view or column begins, up to its name.
var makes = lazyregexp.New(`(?i)(\bCREATE\s+(\w+\s+){1,4}|\bADD\s+(COLUMN\s+)?|\bINTO\s+TEMP(ORARY)?\s+(TABLE\s+)?)(IF\s+NOT\s+EXISTS\s+)?("?\w+"?\.)?"?$`)

// names is what follows the name of a common table expression.
var names = lazyregexp.New(`^"?\s*(\([\w\s,"]*\)\s*)?(?i:AS)\s+(?i:(NOT\s+)?MATERIALIZED\s+)?\(`)

// creates reports whether the program holds SQL that makes a table or column of that name by itself: where it is missing,
// the program may just not have come that far.
func (c *Constants) creates(name string) bool {
	for _, p := range c.data {
		for at := 0; ; {
			i := bytes.Index(p.data[at:], []byte(name))
			if i < 0 || name == "" {
				break
			}
			lo, hi := at+i, at+i+len(name)
			if (hi == len(p.data) || !wordByte(p.data[hi])) &&
				(makes().Match(p.data[max(0, lo-createsWithin):lo]) || names().Match(p.data[hi:min(len(p.data), hi+namesWithin)])) {
				return true
			}
			at = hi
		}
	}
	return false
}

func wordByte(c byte) bool { return nameByte(c) || c >= 'a' && c <= 'z' || c >= 0x80 }
