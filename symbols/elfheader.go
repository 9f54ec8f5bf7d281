package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
)

// Bounds of what is believed of a header; real files stay far below them.
const (
	maxProgramHeaders = 1024
	maxNoteBytes      = 64 << 10
	pageSize          = 4096
)

// segment is a program header, in the fields that are used.
type segment struct {
	typ    elf.ProgType
	flags  elf.ProgFlag
	off    uint64
	vaddr  uint64
	filesz uint64
	memsz  uint64
}

// elfHeader is the ELF header and the program headers of an x86-64 file or mapped image.
type elfHeader struct {
	typ      elf.Type
	entry    uint64
	phoff    uint64
	segments []segment
	raw      []byte // header and program headers as read, to compare memory and file
}

// readFunc fills buf from a file offset, wholly or not at all.
type readFunc func(buf []byte, off uint64) error

// readELFHeader reads the header and program headers (ELF-64 object file format, 1998).
func readELFHeader(read readFunc) (*elfHeader, error) {
	head := make([]byte, 64)
	if err := read(head, 0); err != nil {
		return nil, err
	}
	if !bytes.Equal(head[:4], []byte(elf.ELFMAG)) {
		return nil, errNotELF
	}
	if elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS32 {
		return nil, errors.New("it is a 32-bit file; only x86-64 is read")
	}
	if elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, errors.New("it is not a 64-bit little-endian ELF file")
	}
	c := cursor{buf: head, off: 16}
	h := &elfHeader{typ: elf.Type(c.u16())}
	if machine := elf.Machine(c.u16()); machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("it is for another machine (%s)", machine)
	}
	c.u32() // version
	h.entry, h.phoff = c.u64(), c.u64()
	c.off = 54
	size, count := uint64(c.u16()), uint64(c.u16())
	if count > maxProgramHeaders || count > 0 && size < 56 {
		return nil, fmt.Errorf("its program headers are damaged (%d of %d bytes)", count, size)
	}
	table := make([]byte, count*size)
	if err := read(table, h.phoff); err != nil {
		return nil, fmt.Errorf("its program headers: %w", err)
	}
	for i := range count {
		h.segments = append(h.segments, readSegment(table[i*size:]))
	}
	h.raw = append(head, table...)
	return h, nil
}

func readSegment(b []byte) segment {
	c := cursor{buf: b}
	s := segment{typ: elf.ProgType(c.u32()), flags: elf.ProgFlag(c.u32()), off: c.u64(), vaddr: c.u64()}
	c.u64() // physical address
	s.filesz, s.memsz = c.u64(), c.u64()
	return s
}

// first returns the first segment of a type.
func (h *elfHeader) first(t elf.ProgType) (segment, bool) {
	for _, s := range h.segments {
		if s.typ == t {
			return s, true
		}
	}
	return segment{}, false
}

// fileOffset translates a link-time address range to its place in the file.
func (h *elfHeader) fileOffset(vaddr, n uint64) (uint64, bool) {
	for _, s := range h.segments {
		if s.typ == elf.PT_LOAD && vaddr >= s.vaddr && vaddr-s.vaddr < s.filesz && n <= s.filesz-(vaddr-s.vaddr) {
			return s.off + vaddr - s.vaddr, true
		}
	}
	return 0, false
}

// executable reports whether a link-time address lies in an executable segment.
func (h *elfHeader) executable(vaddr uint64) bool {
	for _, s := range h.segments {
		if s.typ == elf.PT_LOAD && s.flags&elf.PF_X != 0 && vaddr >= s.vaddr && vaddr-s.vaddr < s.memsz {
			return true
		}
	}
	return false
}

// buildID reads NT_GNU_BUILD_ID from the PT_NOTE segments; note reads a whole segment.
func (h *elfHeader) buildID(note func(segment) ([]byte, error)) string {
	for _, s := range h.segments {
		if s.typ != elf.PT_NOTE || s.filesz > maxNoteBytes {
			continue
		}
		b, err := note(s)
		if err != nil {
			continue
		}
		if id := buildIDFromNotes(b); id != "" {
			return id
		}
	}
	return ""
}

func buildIDFromNotes(b []byte) string {
	c := cursor{buf: b}
	for c.left() >= 12 {
		nameSize, descSize, typ := uint64(c.u32()), uint64(c.u32()), c.u32()
		name := c.bytes((nameSize + 3) &^ 3)
		desc := c.bytes((descSize + 3) &^ 3)
		if c.err != nil {
			return ""
		}
		if typ == 3 && nameSize == 4 && string(name[:4]) == "GNU\x00" {
			return hex.EncodeToString(desc[:descSize])
		}
	}
	return ""
}
