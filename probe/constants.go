package probe

import (
	"bytes"
	"debug/elf"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Limits on what is read of an executable: it may be anything.
const (
	maxSections  = 4096
	maxConstants = 64 << 20 // bytes of read-only data searched
	maxCode      = 64 << 20 // bytes of code searched for a reference
	maxURL       = 2048
	maxURLs      = 16
)

var schemes = [][]byte{[]byte("postgres://"), []byte("postgresql://")}

// Constants are the parts of an executable in which constants and references to them stand.
type Constants struct {
	data []part // read-only data
	code []part
	held map[uint64]held // constants whose address stands in data, by that address
}

// part is a piece of an executable as it is mapped.
type part struct {
	addr uint64
	data []byte
}

// ReadConstants reads an executable's constants: none of a file that cannot be read, or is no ELF executable.
func ReadConstants(exe string) *Constants {
	f, err := os.Open(exe)
	if err != nil {
		return &Constants{}
	}
	defer f.Close()
	return readConstants(f)
}

// DatabaseURL finds the connection URL that a program uses: the value of an environment variable whose name the program
// contains (those in names first), else a constant of the executable. variable is "" for a constant; both are "" when there is
// none. env is the environment of the process, KEY=value.
func (c *Constants) DatabaseURL(env, names []string) (rawURL, variable string) {
	for _, name := range names {
		if v := lookup(env, name); isDatabaseURL(v) && c.contains([]byte(name)) {
			return v, name
		}
	}
	for _, e := range env {
		name, v, _ := strings.Cut(e, "=")
		if isDatabaseURL(v) && !slices.Contains(names, name) && c.mentions([]byte(name)) {
			return v, name
		}
	}
	if v := c.databaseURL(); v != "" {
		return v, ""
	}
	return "", ""
}

func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// isDatabaseURL reports whether s is a complete connection URL: a host or a user at least.
func isDatabaseURL(s string) bool {
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Hostname() != "" || u.User != nil || u.Query().Get("host") != "")
}

// readConstants reads the sections of an ELF file; of a hostile or foreign file it yields what could be read.
func readConstants(r io.ReaderAt) (c *Constants) {
	c = &Constants{}
	defer func() { _ = recover() }() // debug/elf on hostile bytes; what was read before is kept
	f, err := elf.NewFile(r)
	if err != nil || len(f.Sections) > maxSections {
		return c
	}
	data, code := uint64(0), uint64(0)
	for _, s := range f.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&(elf.SHF_ALLOC|elf.SHF_COMPRESSED) != elf.SHF_ALLOC {
			continue
		}
		to, size, most := &c.data, &data, uint64(maxConstants)
		switch {
		case s.Flags&elf.SHF_EXECINSTR != 0:
			to, size, most = &c.code, &code, maxCode
		case s.Flags&elf.SHF_WRITE != 0 || strings.HasPrefix(s.Name, ".eh_frame") || s.Name == ".gcc_except_table":
			continue
		}
		if *size += s.FileSize; *size > most {
			continue
		}
		if b, err := s.Data(); err == nil {
			*to = append(*to, part{s.Addr, b})
		}
	}
	c.held = readHeld(f)
	return c
}

func (c *Constants) contains(text []byte) bool {
	for _, p := range c.data {
		if bytes.Contains(p.data, text) {
			return true
		}
	}
	return false
}

// mentions reports whether a name stands in the constants by itself and not as a part of a longer one.
func (c *Constants) mentions(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	for _, p := range c.data {
		for at := 0; ; {
			i := bytes.Index(p.data[at:], name)
			if i < 0 {
				break
			}
			lo, hi := at+i, at+i+len(name)
			if (lo == 0 || !nameByte(p.data[lo-1])) && (hi == len(p.data) || !nameByte(p.data[hi])) {
				return true
			}
			at = lo + 1
		}
	}
	return false
}

func nameByte(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' }

// databaseURL is the first constant that is a connection URL. One that code loads together with its length comes before
// others: compilers put constants without an end mark one behind the other, so that only the code knows where one ends.
func (c *Constants) databaseURL() string {
	guess := ""
	for _, p := range c.data {
		for _, at := range schemeOffsets(p.data) {
			run := urlRun(p.data[at:])
			for _, n := range c.lengths(p.addr+uint64(at), len(run)) {
				if s := string(run[:n]); isDatabaseURL(s) {
					return s
				}
			}
			if s := string(run); guess == "" && isDatabaseURL(s) && (at+len(run) == len(p.data) || p.data[at+len(run)] == 0) {
				guess = s
			}
		}
	}
	return guess
}

func schemeOffsets(data []byte) []int {
	var all []int
	for _, scheme := range schemes {
		for at := 0; len(all) < maxURLs; {
			i := bytes.Index(data[at:], scheme)
			if i < 0 {
				break
			}
			all = append(all, at+i)
			at += i + len(scheme)
		}
	}
	slices.Sort(all)
	return all
}

// urlRun is the longest prefix whose bytes may stand in a URL (RFC 3986), percent signs and brackets of IPv6 included.
func urlRun(data []byte) []byte {
	n := 0
	for n < len(data) && n < maxURL && data[n] > ' ' && data[n] < 0x7f && !bytes.ContainsRune([]byte("\"<>\\^`{|}"), rune(data[n])) {
		n++
	}
	return data[:n]
}

// lengths are the numbers that x86-64 code loads next to where it takes the address of a constant, as far as they fit a
// constant of at most limit bytes.
func (c *Constants) lengths(addr uint64, limit int) []int {
	var found []int
	for l := range c.loads() {
		for _, n := range l.numbers(addr) {
			if n > len(schemes[0]) && n <= limit {
				found = append(found, n)
			}
		}
	}
	return found
}
