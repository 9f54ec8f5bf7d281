package tracer

import (
	"encoding/binary"
	"iter"
	"os"
	"strconv"

	"meshdiag/crash"
)

// Bits of an entry of /proc/PID/pagemap (linux/Documentation/admin-guide/mm/pagemap.rst).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
)

// pagemapBatch is how many entries are read at a time: 32 MiB of memory.
const pagemapBatch = 8192

var _ crash.Sparse = (*liveMemory)(nil)

// Touched implements crash.Sparse for memory of the process alone: a page of shared memory may be filled by others and not
// stand in this process's page tables. Where the table cannot be read, all counts as touched.
func (m *liveMemory) Touched(from, to uint64) iter.Seq2[uint64, uint64] {
	return func(yield func(uint64, uint64) bool) {
		f, err := os.Open("/proc/" + strconv.Itoa(m.tid) + "/pagemap")
		if m.gone || err != nil {
			yield(from, to)
			return
		}
		defer f.Close()
		buf := make([]byte, 8*pagemapBatch)
		start, open := from, false
		at := from
		for at < to {
			want := min(uint64(pagemapBatch), (to-at+pageSize-1)/pageSize)
			n, _ := f.ReadAt(buf[:8*want], int64(at/pageSize*8))
			if n < 8 {
				break
			}
			for i := 0; i+8 <= n; i += 8 {
				touched := binary.LittleEndian.Uint64(buf[i:])&(pagePresent|pageSwapped) != 0
				if touched && !open {
					start = at
				} else if !touched && open && !yield(start, at) {
					return
				}
				open = touched
				at = min(at&^(pageSize-1)+pageSize, to)
			}
		}
		if at < to && !open {
			start, open = at, true // not known from here on
		}
		if open {
			yield(start, to)
		}
	}
}
