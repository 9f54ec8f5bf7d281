package postmortem

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"syscall"

	"meshdiag/crash"
)

// Note types of Linux cores (linux/include/uapi/linux/elf.h).
const (
	ntPrstatus = 1
	ntFpregset = 2
	ntPrpsinfo = 3
	ntAuxv     = 6
	ntXstate   = 0x202
	ntSiginfo  = 0x53494749
	ntFile     = 0x46494c45
)

const (
	maxNoteBytes = 256 << 20 // of one note segment: 100,000 threads take less
	maxNote      = 64 << 20  // of one note: NT_FILE of a process with very many mappings
)

// fileRange is one entry of NT_FILE.
type fileRange struct {
	crash.Range
	Offset uint64 // bytes; the note counts in pages
	Path   string
}

// notes is everything the notes of a core say.
type notes struct {
	threads  []crash.Thread // in the core's order; the kernel puts the thread that died first
	process  *prpsinfo
	parent   int // the parent's PID by the first NT_PRSTATUS; 0 unknown
	auxv     map[uint64]uint64
	files    []fileRange
	seen     *ownNote // nil when the core is not meshdiag's
	cut      bool     // the notes end too early
	lost     bool     // there were more notes than were read
	problems []string
}

// prpsinfo is struct elf_prpsinfo (linux/include/linux/elfcore-compat.h and elfcore.h), as far as it is of use.
type prpsinfo struct {
	State byte
	UID   uint32
	GID   uint32
	PID   int32
	PPID  int32
	Name  string // at most 15 bytes
	Args  string // at most 79 bytes
}

func (n *notes) problem(format string, args ...any) {
	n.problems = append(n.problems, fmt.Sprintf(format, args...))
}

// readNotes reads every note segment: gdb's gcore and other writers use more than one.
func readNotes(r io.ReaderAt, segments []segment) *notes {
	n := &notes{}
	for _, s := range segments {
		if s.Type == ptNote {
			n.readSegment(r, s)
		}
	}
	if len(n.threads) > 0 && len(n.files) == 0 {
		n.problem("the core does not tell which files were mapped (NT_FILE is missing or damaged): code has no names, and none can be read from files")
	}
	return n
}

func (n *notes) readSegment(r io.ReaderAt, s segment) {
	end := s.Offset + min(s.Filesz, maxNoteBytes)
	if s.Filesz > maxNoteBytes {
		n.problem("a note segment claims %d bytes; only the first %d are looked at", s.Filesz, maxNoteBytes)
	}
	for off := s.Offset; off+12 <= end; {
		var head [12]byte
		if _, err := readFull(r, head[:], off); err != nil {
			if !n.cut {
				n.problem("the notes are cut short at file offset %#x", off)
			}
			n.cut, n.lost = true, true
			return
		}
		le := binary.LittleEndian
		namesz, descsz, kind := uint64(le.Uint32(head[:])), uint64(le.Uint32(head[4:])), le.Uint32(head[8:])
		desc := off + 12 + align4(namesz)
		next := desc + align4(descsz)
		if namesz > 256 || descsz > maxNote || next > end+3 {
			n.problem("the notes are damaged at file offset %#x: a note claims %d bytes", off, descsz)
			n.lost = true
			return
		}
		n.readNote(r, kind, desc, descsz)
		off = next
	}
}

func align4(v uint64) uint64 { return (v + 3) &^ 3 }

func (n *notes) readNote(r io.ReaderAt, kind uint32, off, size uint64) {
	switch kind {
	case ntPrstatus, ntFpregset, ntPrpsinfo, ntAuxv, ntXstate, ntSiginfo, ntFile:
	case ntOwn:
		if size > maxOwn {
			n.problem("what meshdiag saw of the run cannot be read from the core: its note claims %d bytes", size)
			return
		}
	default:
		return
	}
	b := make([]byte, size)
	got, err := readFull(r, b, off)
	b = b[:got]
	if err != nil {
		n.problem("the notes are cut short at file offset %#x, in one of %d bytes", off+uint64(got), size)
		n.cut, n.lost = true, true
	}
	switch kind {
	case ntPrstatus:
		n.prstatus(b)
	case ntFpregset, ntXstate:
		if t := n.last(); t != nil && len(b) >= 512 && (t.FP == nil || kind == ntXstate) {
			t.FP = b
		}
	case ntPrpsinfo:
		n.prpsinfo(b)
	case ntAuxv:
		n.auxiliary(b)
	case ntSiginfo:
		n.siginfo(b)
	case ntFile:
		n.mappedFiles(b)
	case ntOwn:
		n.own(b)
	}
}

// last is the thread that the notes after its NT_PRSTATUS belong to.
func (n *notes) last() *crash.Thread {
	if len(n.threads) == 0 {
		return nil
	}
	return &n.threads[len(n.threads)-1]
}

// userMode are the bits of a segment selector that hold its privilege level: 3 in every user process.
const userMode = 3

// prstatus reads struct elf_prstatus: cursig at 12, pid at 32, ppid at 36, registers at 112 (x86-64). The siginfo at its head has no code
// but 0 (linux/fs/binfmt_elf.c, fill_prstatus): why the signal was raised stands in NT_SIGINFO alone.
func (n *notes) prstatus(b []byte) {
	const regsAt, regsSize = 112, 27 * 8
	if len(b) < 36 {
		return
	}
	le := binary.LittleEndian
	t := crash.Thread{TID: int(int32(le.Uint32(b[32:])))}
	if sig := int(int16(le.Uint16(b[12:]))); sig > 0 && sig < 65 {
		t.Signal = &crash.Signal{Number: sig, CodeUnknown: true}
	}
	if n.parent == 0 && len(b) >= 40 {
		n.parent = max(int(int32(le.Uint32(b[36:]))), 0)
	}
	if len(b) >= regsAt+regsSize {
		t.RegsOK = true
		// The 27 words stand in the order of crash.Regs, which is the kernel's user_regs_struct.
		_ = binary.Read(bytes.NewReader(b[regsAt:]), le, &t.Regs)
		if t.Regs.CS&userMode != userMode {
			t.RegsOK, t.Regs = false, crash.Regs{}
			n.problem("the registers of thread %d are damaged: they are not those of a process", t.TID)
		}
	} else {
		n.problem("the registers of thread %d are missing: its note is cut short", t.TID)
	}
	n.threads = append(n.threads, t)
}

// prpsinfo reads struct elf_prpsinfo: uid at 16, pid at 24, fname at 40, psargs at 56.
func (n *notes) prpsinfo(b []byte) {
	if len(b) < 56 {
		return
	}
	le := binary.LittleEndian
	n.process = &prpsinfo{State: b[1], UID: le.Uint32(b[16:]), GID: le.Uint32(b[20:]), PID: int32(le.Uint32(b[24:])),
		PPID: int32(le.Uint32(b[28:])), Name: cstring(b[40:56]), Args: strings.TrimRight(cstring(b[56:]), " ")}
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func (n *notes) siginfo(b []byte) {
	if t := n.last(); t != nil {
		if s := parseSiginfo(b); s != nil {
			t.Signal = s
		}
	}
}

// parseSiginfo reads siginfo_t: si_signo, si_errno, si_code, then at 16 the address of a fault or the sender.
func parseSiginfo(b []byte) *crash.Signal {
	if len(b) < 24 {
		return nil
	}
	le := binary.LittleEndian
	s := &crash.Signal{Number: int(int32(le.Uint32(b))), Code: int(int32(le.Uint32(b[8:])))}
	if s.Number <= 0 || s.Number > 64 {
		return nil
	}
	if s.Sent() {
		s.PID, s.UID = int(int32(le.Uint32(b[16:]))), int(int32(le.Uint32(b[20:])))
	} else if s.IsFault() {
		s.Address = le.Uint64(b[16:])
	}
	return s
}

func (n *notes) auxiliary(b []byte) {
	le := binary.LittleEndian
	n.auxv = map[uint64]uint64{}
	for ; len(b) >= 16; b = b[16:] {
		key := le.Uint64(b)
		if key == 0 {
			return
		}
		n.auxv[key] = le.Uint64(b[8:])
	}
}

// mappedFiles reads NT_FILE: count, page size, count times (start, end, offset in pages), then the names
// (linux/fs/binfmt_elf.c, fill_files_note).
func (n *notes) mappedFiles(b []byte) {
	if len(b) < 16 {
		return
	}
	le := binary.LittleEndian
	count, page := le.Uint64(b), le.Uint64(b[8:])
	if page == 0 || page > 1<<20 {
		page = uint64(syscall.Getpagesize())
	}
	if count > uint64(len(b)-16)/24 {
		n.problem("the list of mapped files is damaged: it claims %d entries", count)
		count = uint64(len(b)-16) / 24
	}
	names, lost := b[16+24*count:], 0
	for i := uint64(0); i < count; i++ {
		e := b[16+24*i:]
		f := fileRange{Range: crash.Range{Start: le.Uint64(e), End: le.Uint64(e[8:])}, Offset: le.Uint64(e[16:]) * page}
		if j := bytes.IndexByte(names, 0); j >= 0 {
			f.Path, names = string(names[:j]), names[j+1:]
		} else {
			names = nil
		}
		if !kernelPath(f.Path) {
			f.Path = ""
			lost++
		}
		n.files = append(n.files, f)
	}
	if lost > 0 {
		n.problem("the list of mapped files is damaged: %d of %d names are missing", lost, count)
	}
}

// kernelPath reports whether a name can be one that the kernel gives a mapped file: an absolute path, or that of a file
// without a place, such as anon_inode:[perf_event].
func kernelPath(s string) bool { return strings.HasPrefix(s, "/") || strings.Contains(s, ":[") }
