package symbols

import (
	"bytes"
	"fmt"

	"meshdiag/crash"
)

// Where Code took its bytes from.
const (
	CodeFromMemory = "memory"
	CodeFromFile   = "file"
)

// maxCodeRead bounds one request for code; the biggest functions have some hundred kilobytes.
const maxCodeRead = 16 << 20

// Code returns up to n bytes of instructions from addr: what the process has in memory, else (a core without its text)
// what the matching file holds. Fewer than n bytes come back when the mapping ends earlier; err is set when there are
// none at all.
func (s *Symbolizer) Code(addr uint64, n int) (b []byte, source string, err error) {
	if n <= 0 || n > maxCodeRead {
		return nil, "", fmt.Errorf("%d bytes of code were asked for", n)
	}
	buf := make([]byte, n)
	got, err := s.crash.Memory.ReadMemory(buf, addr)
	if got > 0 {
		return buf[:got], CodeFromMemory, nil
	}
	if b := s.fileCode(addr, n); len(b) > 0 {
		return b, CodeFromFile, nil
	}
	if err == nil {
		err = &crash.UnreadableError{Addr: addr}
	}
	return nil, "", err
}

// fileCode copies up to n bytes that the usable file holds for a run-time address.
func (s *Symbolizer) fileCode(addr uint64, n int) []byte {
	m, ok := s.ModuleAt(addr)
	if !ok || m.file == nil {
		return nil
	}
	var out []byte
	_ = m.read(func() error {
		vaddr := addr - m.Bias
		for _, seg := range m.file.hdr.segments {
			if vaddr >= seg.vaddr && vaddr-seg.vaddr < seg.filesz {
				n = int(min(uint64(n), seg.filesz-(vaddr-seg.vaddr)))
				b, err := m.file.at(vaddr, uint64(n))
				out = bytes.Clone(b)
				return err
			}
		}
		return nil
	})
	return out
}

// CompareCode tells whether n bytes of code in memory differ from the file: patched, or written over. known is false
// when one of the two cannot be read.
func (s *Symbolizer) CompareCode(addr uint64, n int) (differs, known bool) {
	if n <= 0 || n > maxCodeRead {
		return false, false
	}
	memory := make([]byte, n)
	if _, err := s.crash.Memory.ReadMemory(memory, addr); err != nil {
		return false, false
	}
	file := s.fileCode(addr, n)
	if len(file) < n {
		return false, false
	}
	return !bytes.Equal(memory, file), true
}
