package probe

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on what is taken for SQL: constants may be anything.
const (
	minStatement  = 12
	maxStatement  = 8 << 10
	maxStatements = 128
	createsWithin = 64 // bytes between CREATE and the name of what is created
)

// verbs begin the statements that a server can analyse without running them.
var verbs = []string{"SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "WITH", "MERGE INTO"}

// Statements are the constants that read like whole SQL statements, in the order of their addresses. A constant counts
// only where its end is known: by the length that code or a table holds beside its address, or by a NUL on both sides.
func (c *Constants) Statements() []string {
	ends := map[uint64]int{} // length by address; 0: another constant begins here
	for addr, h := range c.held {
		if data := c.at(addr); data != nil {
			ends[addr] = 0
			if h.length <= min(maxStatement, uint64(len(data))) && isStatement(data[:h.length]) {
				ends[addr] = int(h.length)
			}
		}
	}
	for l := range c.loads() {
		data := c.at(l.addr)
		if data == nil || ends[l.addr] > 0 {
			continue
		}
		ends[l.addr] = 0
		if beginsLikeSQL(data) {
			for _, n := range l.numbers(l.addr) {
				if n <= len(data) && n <= maxStatement && isStatement(data[:n]) {
					ends[l.addr] = n
					break
				}
			}
		}
	}
	begins := make([]uint64, 0, len(ends))
	for addr := range ends {
		begins = append(begins, addr)
	}
	slices.Sort(begins)
	var all []string
	for _, addr := range begins {
		if n := ends[addr]; n > 0 {
			all = add(all, string(c.at(addr)[:n]))
		}
	}
	for _, p := range c.data {
		all = p.terminated(all, begins)
	}
	return all
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
	first := bytes.TrimLeft(text, " \t\r\n")
	return first[0] >= 'A' && first[0] <= 'Z' && first[1] >= 'A' && first[1] <= 'Z' || bytes.ContainsAny(text, "$=*(")
}

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
var makes = regexp.MustCompile(`(?i)(\bCREATE\s+(\w+\s+){1,4}|\bADD\s+(COLUMN\s+)?|\bINTO\s+TEMP(ORARY)?\s+(TABLE\s+)?)(IF\s+NOT\s+EXISTS\s+)?("?\w+"?\.)?"?$`)

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
			if (hi == len(p.data) || !wordByte(p.data[hi])) && makes.Match(p.data[max(0, lo-createsWithin):lo]) {
				return true
			}
			at = hi
		}
	}
	return false
}

func wordByte(c byte) bool { return nameByte(c) || c >= 'a' && c <= 'z' || c >= 0x80 }
