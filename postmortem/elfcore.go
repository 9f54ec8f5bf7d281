package postmortem

import (
	"bytes"
	"debug/elf"
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
	segments          []segment
	expected          uint64 // the size the file should have, as the segments say
	cut               bool   // the table of segments is cut short: expected is a lower bound
	first             uint64 // the lowest offset of a segment's bytes behind the table; 0 none seen
	senseless, wanted uint64 // entries of the table that make no sense; entries that it should have
	problems          []string
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
	if phentsize != phdrSize {
		return nil, &NotACoreError{fmt.Sprintf("the core's program headers have %d bytes each instead of %d: its header is damaged", phentsize, phdrSize)}
	}
	h := &headers{}
	if count == pnXNum {
		if count, err = extendedCount(r, shoff); err != nil {
			count = maxHeaders // the table itself may tell, see full
		}
	}
	if count > maxHeaders {
		h.problem("the header claims %d segments; only the first %d are looked at", count, maxHeaders)
		count = maxHeaders
	}
	h.readSegments(r, phoff, count, err == nil)
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
		if bytes.HasPrefix(eh, []byte("BZh")) {
			return &NotACoreError{"the file is compressed with bzip2; unpack it first"}
		}
		return &NotACoreError{"the file is not an ELF file, so it is no core dump"}
	}
	if len(eh) < ehdrSize {
		return &NotACoreError{fmt.Sprintf("the file ends inside its ELF header (%d bytes): it is cut short", len(eh))}
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(eh[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	kind, machine := order.Uint16(eh[16:]), elf.Machine(order.Uint16(eh[18:]))
	other := ""
	switch {
	case kind != etCore:
		return &NotACoreError{fmt.Sprintf("the file is %s, not a core dump", elfKind(kind))}
	case machine == elf.EM_386, machine == elf.EM_X86_64 && elf.Class(eh[elf.EI_CLASS]) == elf.ELFCLASS32:
		other = "a 32-bit process"
	case machine != elf.EM_X86_64:
		other = "a process of another architecture (" + fmt.Sprintf("ELF machine %d", machine) + ")"
		if name := machines[machine]; name != "" {
			other = name + " process"
		}
	case order != binary.LittleEndian || elf.Class(eh[elf.EI_CLASS]) != elf.ELFCLASS64:
		return &NotACoreError{"the core's ELF header is damaged: it is not that of a 64-bit little-endian file"}
	default:
		return nil
	}
	return &NotACoreError{"the core is of " + other + "; only cores of x86-64 Linux processes can be read"}
}

// machines are the architectures that Linux runs on, as people call them, with their article.
var machines = map[elf.Machine]string{
	elf.EM_AARCH64: "an AArch64", elf.EM_ARM: "a 32-bit ARM", elf.EM_RISCV: "a RISC-V", elf.EM_PPC64: "a PowerPC", elf.EM_PPC: "a PowerPC",
	elf.EM_S390: "an s390", elf.EM_MIPS: "a MIPS", elf.EM_LOONGARCH: "a LoongArch", elf.EM_SPARCV9: "a SPARC",
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

// readSegments reads the table in blocks, so that a claim of millions of entries costs no more than the file holds. known
// is false when count is only the largest there may be.
func (h *headers) readSegments(r io.ReaderAt, phoff, count uint64, known bool) {
	const block = 512
	var buf [block * phdrSize]byte
	h.wanted = count
	for done := uint64(0); done < h.wanted; {
		want := min(block, h.wanted-done)
		n, err := readFull(r, buf[:want*phdrSize], phoff+done*phdrSize)
		for i := 0; i+phdrSize <= n && done < h.wanted; i += phdrSize {
			h.add(parseSegment(buf[i:]), phoff)
			done++
			if h.full(phoff, done, known) {
				break
			}
		}
		if err != nil && done < h.wanted {
			h.cut = true
			if known {
				h.problem("the table of segments is cut short: %d of %d are there", done, h.wanted)
			} else {
				h.problem("the core has more than 65,534 segments, and the header that tells their number is missing: %d are there", done)
			}
			break
		}
	}
	if h.senseless > 0 {
		h.problem("the table of segments is damaged: %d of its %d entries make no sense and are not used", h.senseless, h.wanted)
	}
}

// full reports whether the table ends after done entries, whatever its header claims: the bytes of the segments begin there.
// That also tells the number of entries where the header that should do so is lost.
func (h *headers) full(phoff, done uint64, known bool) bool {
	if h.first == 0 {
		return false
	}
	room := (h.first - phoff) / phdrSize
	if room > done || room == h.wanted {
		return false
	}
	if known || done < pnXNum {
		h.problem("the table of segments is damaged: its header claims more entries than the %d that there is room for", done)
	}
	h.wanted = done
	return true
}

func (h *headers) add(s segment, phoff uint64) {
	if s.Type != ptLoad && s.Type != ptNote {
		return
	}
	if !s.plausible() {
		h.senseless++
		return
	}
	h.segments = append(h.segments, s)
	if s.Filesz > 0 {
		h.expected = max(h.expected, s.Offset+s.Filesz)
		if s.Offset > phoff && (h.first == 0 || s.Offset < h.first) {
			h.first = s.Offset
		}
	}
}

// reach is more than any address space or core has: user addresses have 56 bits with five levels of page tables.
const reach = 1 << 57

// plausible reports whether a process can have had the segment: the kernel and gdb write whole pages, and no more bytes than
// there was memory.
func (s *segment) plausible() bool {
	if s.Offset > reach || s.Filesz > reach {
		return false
	}
	return s.Type != ptLoad || s.Vaddr%pageSize == 0 && s.Memsz <= reach && s.Filesz <= s.Memsz && s.Vaddr+s.Memsz >= s.Vaddr
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
