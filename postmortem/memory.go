package postmortem

import (
	"fmt"
	"io"
	"sort"

	"meshdiag/crash"
)

// coreMemory reads the process's memory out of the core's PT_LOAD segments, a read at a time.
type coreMemory struct {
	r        io.ReaderAt
	size     uint64 // of the core as it is; 0 when it is not known (compressed)
	segments []segment
}

// newMemory keeps the load segments by rising address; overlapping ones are damage, the first wins.
func newMemory(r io.ReaderAt, size uint64, all []segment) *coreMemory {
	m := &coreMemory{r: r, size: size}
	for _, s := range all {
		if s.Type == ptLoad && s.Memsz > 0 && s.Vaddr+s.Memsz > s.Vaddr {
			m.segments = append(m.segments, s)
		}
	}
	sort.SliceStable(m.segments, func(i, j int) bool { return m.segments[i].Vaddr < m.segments[j].Vaddr })
	return m
}

// ReadMemory implements crash.Memory. Bytes that the core does not hold are an error, never zeros.
func (m *coreMemory) ReadMemory(buf []byte, addr uint64) (int, error) {
	done := 0
	for done < len(buf) {
		a := addr + uint64(done)
		s, ok := m.at(a)
		if !ok {
			return done, &crash.UnreadableError{Addr: a, Reason: "not mapped"}
		}
		rel := a - s.Vaddr
		if rel >= s.Filesz {
			return done, &crash.UnreadableError{Addr: a, Reason: "the core does not hold this page"}
		}
		want := min(uint64(len(buf)-done), s.Filesz-rel)
		n, err := readFull(m.r, buf[done:done+int(want)], s.Offset+rel)
		done += n
		if err != nil {
			return done, &crash.UnreadableError{Addr: a + uint64(n), Reason: m.why(s.Offset+rel+uint64(n), err)}
		}
	}
	return done, nil
}

func (m *coreMemory) why(off uint64, err error) string {
	if m.size > 0 && off >= m.size {
		return fmt.Sprintf("the core is cut short at %d bytes", m.size)
	}
	return fmt.Sprintf("the core cannot be read there: %v", err)
}

func (m *coreMemory) at(addr uint64) (*segment, bool) {
	i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].Vaddr > addr }) - 1
	if i < 0 || addr-m.segments[i].Vaddr >= m.segments[i].Memsz {
		return nil, false
	}
	return &m.segments[i], true
}
