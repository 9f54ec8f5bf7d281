package crash

import (
	"strings"
	"testing"
)

// pages is a Memory of some text that begins at an address; the page after it is not mapped.
type pages struct {
	start uint64
	bytes string
	reads int
}

func (p *pages) ReadMemory(buf []byte, addr uint64) (int, error) {
	p.reads++
	if addr < p.start || addr >= p.start+uint64(len(p.bytes)) {
		return 0, &UnreadableError{Addr: addr}
	}
	n := copy(buf, p.bytes[addr-p.start:])
	if n < len(buf) {
		return n, &UnreadableError{Addr: addr + uint64(n)}
	}
	return n, nil
}

func TestReadCString(t *testing.T) {
	long := strings.Repeat("x", 10000)
	for _, c := range []struct {
		name, text string
		addr       uint64
		max        int
		want       string
		fails      bool
		reads      int
	}{
		{"in one page", "one\x00two\x00" + strings.Repeat("\x00", 8000), 0x1000, 64, "one", false, 1},
		{"over pages", strings.Repeat("-", 4090) + long + "\x00", 0x1000 + 4090, 1 << 16, long, false, 4},
		{"longer than allowed", long + "\x00", 0x1000, 5000, long[:5000], false, 2},
		{"memory ends first", "cut", 0x1000, 64, "cut", false, 1},
		{"not mapped", "x", 0x9000, 64, "", true, 1},
		{"empty", "\x00", 0x1000, 64, "", false, 1},
	} {
		m := &pages{start: 0x1000, bytes: c.text}
		got, err := ReadCString(m, c.addr, c.max)
		if got != c.want || (err != nil) != c.fails || m.reads != c.reads {
			t.Errorf("%s: %d bytes, %v, after %d reads", c.name, len(got), err, m.reads)
		}
	}
}
