package postmortem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Layout constants of the ELF specification (System V gABI, chapters 4 and 5) for 64-bit little-endian files.
const (
	ehdrSize = 64
	phdrSize = 56
	shdrSize = 64

	etCore   = 4
	emX86_64 = 62
	em386    = 3
	ptLoad   = 1
	ptNote   = 4
	pnXNum   = 0xffff
)

// maxHeaders bounds the program headers that are read: vm.max_map_count is a 31-bit number, but a header table beyond
// this many entries is damage, not a process.
const maxHeaders = 4 << 20

// segment is one program header of a core.
type segment struct {
	Type   uint32
	Flags  uint32
	Offset uint64
	Vaddr  uint64
	Filesz uint64
	Memsz  uint64
}

// headers is what the ELF and program headers of a core say.
type headers struct {
	segments []segment
	expected uint64 // the size the file should have, as the segments say
	problems []string
}

// NotACoreError says that a file is something else, and what.
type NotACoreError struct{ What string }

func (e *NotACoreError) Error() string { return e.What }

// readHeaders parses the ELF header and the program headers of a core, keeping what is readable of a damaged one. It is
// tolerant where Go's debug/elf is not: section headers are looked at only for PN_XNUM, and a table that is cut short
// gives the entries that are there.
func readHeaders(r io.ReaderAt) (*headers, error) {
	var eh [ehdrSize]byte
	n, err := r.ReadAt(eh[:], 0)
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, &NotACoreError{"the file is empty"}
		}
		return nil, err
	}
	if err := checkIdent(eh[:n]); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	phoff, shoff := le.Uint64(eh[32:]), le.Uint64(eh[40:])
	phentsize, count := le.Uint16(eh[54:]), uint64(le.Uint16(eh[56:]))
	h := &headers{}
	if count == pnXNum {
		if count, err = extendedCount(r, shoff); err != nil {
			h.problem("the core has more than 65,534 segments and the header that tells their number is missing: %v", err)
			count = pnXNum
		}
	}
	if phentsize != phdrSize {
		return nil, &NotACoreError{fmt.Sprintf("the core's program headers have %d bytes each instead of %d: its header is damaged", phentsize, phdrSize)}
	}
	if count > maxHeaders {
		h.problem("the header claims %d segments; only the first %d are looked at", count, maxHeaders)
		count = maxHeaders
	}
	h.readSegments(r, phoff, count)
	if len(h.segments) == 0 {
		return nil, &NotACoreError{"the core has no readable program headers: nothing of the process can be found in it"}
	}
	return h, nil
}

func (h *headers) problem(format string, args ...any) {
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// checkIdent says in one sentence what a file is that cannot be a core of an x86-64 Linux process.
func checkIdent(eh []byte) error {
	if len(eh) < 4 || string(eh[:4]) != "\x7fELF" {
		return &NotACoreError{"the file is not an ELF file, so it is no core dump"}
	}
	if len(eh) < ehdrSize {
		return &NotACoreError{fmt.Sprintf("the file ends inside its ELF header (%d bytes): it is cut short", len(eh))}
	}
	le := binary.LittleEndian
	kind, machine := le.Uint16(eh[16:]), le.Uint16(eh[18:])
	switch {
	case eh[5] != 1:
		return &NotACoreError{"the file is a big-endian ELF file; only cores of x86-64 Linux processes can be read"}
	case machine == em386 || eh[4] == 1:
		return &NotACoreError{"the core is of a 32-bit process; only cores of x86-64 Linux processes can be read"}
	case kind != etCore:
		return &NotACoreError{fmt.Sprintf("the file is %s, not a core dump", elfKind(kind))}
	case machine != emX86_64:
		return &NotACoreError{fmt.Sprintf("the core is of another architecture (ELF machine %d); only x86-64 can be read", machine)}
	}
	return nil
}

func elfKind(t uint16) string {
	switch t {
	case 1:
		return "an object file"
	case 2, 3:
		return "an executable or shared library"
	}
	return fmt.Sprintf("an ELF file of type %d", t)
}

// extendedCount reads the number of program headers from section header 0 (sh_info), where it stands when it does not
// fit e_phnum (PN_XNUM).
func extendedCount(r io.ReaderAt, shoff uint64) (uint64, error) {
	var sh [shdrSize]byte
	if shoff == 0 {
		return 0, errors.New("there is no section header")
	}
	if _, err := readFull(r, sh[:], shoff); err != nil {
		return 0, err
	}
	return uint64(binary.LittleEndian.Uint32(sh[44:])), nil
}

// readSegments reads the table in blocks, so that a claim of millions of entries costs no more than the file holds.
func (h *headers) readSegments(r io.ReaderAt, phoff, count uint64) {
	const block = 512
	var buf [block * phdrSize]byte
	for done := uint64(0); done < count; {
		want := min(block, count-done)
		n, err := readFull(r, buf[:want*phdrSize], phoff+done*phdrSize)
		for i := 0; i+phdrSize <= n; i += phdrSize {
			h.add(parseSegment(buf[i:]))
		}
		if err != nil {
			h.problem("the table of segments is cut short: %d of %d are there", done+uint64(n/phdrSize), count)
			return
		}
		done += want
	}
}

func (h *headers) add(s segment) {
	if s.Type != ptLoad && s.Type != ptNote {
		return
	}
	h.segments = append(h.segments, s)
	if end := s.Offset + s.Filesz; s.Filesz > 0 && end > s.Offset {
		h.expected = max(h.expected, end)
	}
}

func parseSegment(b []byte) segment {
	le := binary.LittleEndian
	return segment{Type: le.Uint32(b), Flags: le.Uint32(b[4:]), Offset: le.Uint64(b[8:]), Vaddr: le.Uint64(b[16:]),
		Filesz: le.Uint64(b[32:]), Memsz: le.Uint64(b[40:])}
}

// readFull reads as many bytes as there are; unlike io.ReaderAt alone it refuses offsets that do not fit.
func readFull(r io.ReaderAt, buf []byte, off uint64) (int, error) {
	if off > 1<<62 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := r.ReadAt(buf, int64(off))
	if n == len(buf) {
		return n, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
