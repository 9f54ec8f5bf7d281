package crash

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
)

// Memory reads the memory of the observed process. Implementations are safe for use by one goroutine at a time.
type Memory interface {
	// ReadMemory fills buf from addr. It returns how many bytes were read from the start; when that is less than
	// len(buf), err is an *UnreadableError naming the first address that failed. It never fills in zeros.
	ReadMemory(buf []byte, addr uint64) (n int, err error)
}

// Sparse is a Memory that knows where nobody wrote.
type Sparse interface {
	Memory
	// Touched yields the runs of pages within [from, to) that may hold anything but zeros, by rising address. It is for private
	// memory that is of no file.
	Touched(from, to uint64) iter.Seq2[uint64, uint64]
}

// UnreadableError says that memory at Addr could not be read, and why: not mapped, or not in the core.
type UnreadableError struct {
	Addr   uint64
	Reason string
}

func (e *UnreadableError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("cannot read memory at %#x", e.Addr)
	}
	return fmt.Sprintf("cannot read memory at %#x: %s", e.Addr, e.Reason)
}

// ReadUint64 reads a little-endian word.
func ReadUint64(m Memory, addr uint64) (uint64, error) {
	var b [8]byte
	if _, err := m.ReadMemory(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// ReadUint reads a little-endian unsigned integer of size 1, 2, 4 or 8 bytes.
func ReadUint(m Memory, addr uint64, size int) (uint64, error) {
	var b [8]byte
	if _, err := m.ReadMemory(b[:size], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// ReadCString reads bytes up to a NUL, at most max, and no page behind it. A string that memory ends before its NUL is
// returned as far as it goes.
func ReadCString(m Memory, addr uint64, max int) (string, error) {
	const pageSize = 4096
	var text []byte
	var page [pageSize]byte
	for len(text) < max {
		at := addr + uint64(len(text))
		want := min(max-len(text), pageSize-int(at%pageSize))
		n, err := m.ReadMemory(page[:want], at)
		if i := bytes.IndexByte(page[:n], 0); i >= 0 {
			return string(append(text, page[:i]...)), nil
		}
		text = append(text, page[:n]...)
		if len(text) == 0 && err != nil {
			return "", err
		}
		if n < want {
			break
		}
	}
	return string(text), nil
}

// NoMemory is a Memory in which nothing is readable.
type NoMemory struct{}

// ReadMemory always fails.
func (NoMemory) ReadMemory(_ []byte, addr uint64) (int, error) {
	return 0, &UnreadableError{Addr: addr, Reason: "no memory was saved"}
}

// Layers reads from the first layer that has the address, page by page, so that a saved page wins over a later state.
type Layers []Memory

// ReadMemory implements Memory.
func (l Layers) ReadMemory(buf []byte, addr uint64) (int, error) {
	done := 0
	for done < len(buf) {
		var last error = &UnreadableError{Addr: addr + uint64(done)}
		got := 0
		// Never read past a page end from one layer: the next page may have been saved by an earlier layer.
		want := min(len(buf)-done, int(4096-(addr+uint64(done))&4095))
		for _, m := range l {
			n, err := m.ReadMemory(buf[done:done+want], addr+uint64(done))
			if n > 0 {
				got = n
				break
			}
			last = err
		}
		if got == 0 {
			return done, last
		}
		done += got
	}
	return done, nil
}

// Pages is a Memory made of saved 4 KiB pages, keyed by page address.
type Pages map[uint64][]byte

// ReadMemory implements Memory.
func (p Pages) ReadMemory(buf []byte, addr uint64) (int, error) {
	done := 0
	for done < len(buf) {
		a := addr + uint64(done)
		page, ok := p[a&^4095]
		off := int(a & 4095)
		if !ok || off >= len(page) {
			return done, &UnreadableError{Addr: a, Reason: "the page was not saved"}
		}
		done += copy(buf[done:], page[off:])
	}
	return done, nil
}
