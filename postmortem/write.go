package postmortem

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const pageSize = 4096

// Save writes an ELF core of the observed process to path: to a temporary name first, renamed when it is whole, so that
// no half core stays behind. The file is readable by its owner only.
func Save(path string, c *crash.Crash, filter Filter) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".meshdiag-core-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = write(f, c, filter); err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("no core was saved to %s: %w", path, diskFull(err))
	}
	return nil
}

// write puts headers and notes first: a core that is cut short later still tells everything but memory.
func write(f *os.File, c *crash.Crash, filter Filter) error {
	notes := writtenNotes(c)
	segments := plan(c, filter)
	count := uint64(len(segments) + 1)
	phoff := uint64(ehdrSize)
	if count >= pnXNum {
		phoff += shdrSize
	}
	notesAt := phoff + count*phdrSize
	dataAt := (notesAt + uint64(len(notes)) + pageSize - 1) &^ (pageSize - 1)
	w := bufio.NewWriterSize(f, 1<<20)
	writeHeader(w, count, phoff)
	writeSegment(w, segment{Type: ptNote, Offset: notesAt, Filesz: uint64(len(notes))}, 1)
	off := dataAt
	for i := range segments {
		segments[i].Offset = off
		off += segments[i].Filesz
		writeSegment(w, segments[i], pageSize)
	}
	w.Write(notes)
	if err := w.Flush(); err != nil {
		return err
	}
	for i, s := range segments {
		if unwritten(&c.Mappings[i]) {
			continue // it stays a hole
		}
		if err := copyMapping(f, c.Memory, &c.Mappings[i], s); err != nil {
			return err
		}
	}
	return f.Truncate(int64(off))
}

func writeHeader(w io.Writer, count, phoff uint64) {
	le := binary.LittleEndian
	var eh [ehdrSize]byte
	copy(eh[:], "\x7fELF\x02\x01\x01")
	le.PutUint16(eh[16:], etCore)
	le.PutUint16(eh[18:], emX86_64)
	le.PutUint32(eh[20:], 1)
	le.PutUint64(eh[32:], phoff)
	le.PutUint16(eh[52:], ehdrSize)
	le.PutUint16(eh[54:], phdrSize)
	le.PutUint16(eh[56:], uint16(min(count, pnXNum)))
	if count < pnXNum {
		w.Write(eh[:])
		return
	}
	// PN_XNUM: the number stands in sh_info of section header 0 (linux/fs/binfmt_elf.c, fill_extnum_info).
	le.PutUint64(eh[40:], ehdrSize)
	le.PutUint16(eh[58:], shdrSize)
	le.PutUint16(eh[60:], 1)
	var sh [shdrSize]byte
	le.PutUint32(sh[44:], uint32(count))
	w.Write(eh[:])
	w.Write(sh[:])
}

func writeSegment(w io.Writer, s segment, align uint64) {
	le := binary.LittleEndian
	var ph [phdrSize]byte
	le.PutUint32(ph[0:], s.Type)
	le.PutUint32(ph[4:], s.Flags)
	le.PutUint64(ph[8:], s.Offset)
	le.PutUint64(ph[16:], s.Vaddr)
	le.PutUint64(ph[32:], s.Filesz)
	le.PutUint64(ph[40:], s.Memsz)
	le.PutUint64(ph[48:], align)
	w.Write(ph[:])
}

// plan decides for each mapping how much of it is written.
func plan(c *crash.Crash, filter Filter) []segment {
	var out []segment
	for i := range c.Mappings {
		m := &c.Mappings[i]
		s := segment{Type: ptLoad, Flags: flags(m.Perms), Vaddr: m.Start, Memsz: m.Size()}
		s.Filesz = min(filter.size(c.Memory, m), inFile(m))
		out = append(out, s)
	}
	return out
}

// inFile is how many bytes of a mapping its file has pages for. Behind them nothing can be read, which a hole of zeros would
// hide.
func inFile(m *crash.Mapping) uint64 {
	if !strings.HasPrefix(m.Path, "/") || m.Deleted || m.FileSize < 0 {
		return m.Size()
	}
	left := uint64(max(0, m.FileSize-int64(m.Offset)))
	return (left + pageSize - 1) &^ (pageSize - 1)
}

func flags(p crash.Perms) (f uint32) {
	if p&crash.Read != 0 {
		f |= pfR
	}
	if p&crash.Write != 0 {
		f |= pfW
	}
	if p&crash.Exec != 0 {
		f |= pfX
	}
	return f
}

// copyMapping copies what the core holds of a mapping. Of memory that the process has for itself only what was touched is
// looked at: programs reserve many times what they use, and this one stands still meanwhile.
func copyMapping(f *os.File, mem crash.Memory, m *crash.Mapping, s segment) error {
	sparse, ok := mem.(crash.Sparse)
	private := m.Perms&crash.Shared == 0 && !strings.HasPrefix(m.Path, "/") && m.Path != "[vdso]"
	if !ok || !private {
		return copyMemory(f, mem, s)
	}
	for from, to := range sparse.Touched(s.Vaddr, s.Vaddr+s.Filesz) {
		part := segment{Vaddr: from, Offset: s.Offset + (from - s.Vaddr), Filesz: to - from}
		if err := copyMemory(f, mem, part); err != nil {
			return err
		}
	}
	return nil
}

// copyMemory copies one range of pages, leaving holes for pages of zeros and for pages that cannot be read.
func copyMemory(f *os.File, mem crash.Memory, s segment) error {
	buf := make([]byte, min(1<<20, s.Filesz))
	for done := uint64(0); done < s.Filesz; {
		want := min(uint64(len(buf)), s.Filesz-done)
		n, err := mem.ReadMemory(buf[:want], s.Vaddr+done)
		if n == 0 && err != nil {
			done += pageSize
			continue
		}
		if err := writePages(f, buf[:n], int64(s.Offset+done)); err != nil {
			return err
		}
		done += uint64(n)
	}
	return nil
}

var zeroPage [pageSize]byte

// writePages writes runs of pages that are not all zeros, each run in one piece.
func writePages(f *os.File, data []byte, off int64) error {
	start := 0
	flush := func(end int) error {
		if end == start {
			return nil
		}
		_, err := f.WriteAt(data[start:end], off+int64(start))
		return err
	}
	for p := 0; p < len(data); p += pageSize {
		end := min(p+pageSize, len(data))
		if bytes.Equal(data[p:end], zeroPage[:end-p]) {
			if err := flush(p); err != nil {
				return err
			}
			start = end
		}
	}
	return flush(len(data))
}

func diskFull(err error) error {
	for _, full := range []syscall.Errno{unix.ENOSPC, unix.EDQUOT} {
		if errors.Is(err, full) {
			return fmt.Errorf("the disk is full, nothing was kept: %w", full) // without the temporary name, which nobody knows
		}
	}
	return err
}
