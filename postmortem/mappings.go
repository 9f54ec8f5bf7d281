package postmortem

import (
	"os"
	"sort"
	"strings"
	"time"

	"meshdiag/crash"
)

// Auxiliary vector keys (linux/include/uapi/linux/auxvec.h).
const (
	atPhdr        = 3
	atExecFn      = 31
	atSysinfoEhdr = 33
)

// ELF segment flags (gABI chapter 5).
const (
	pfX = 1
	pfW = 2
	pfR = 4
)

// mappings joins the load segments (ranges and permissions) with NT_FILE (paths and offsets). gcore leaves out mappings
// that cannot be read; a file range that no segment covers is kept with its permissions unknown.
func mappings(c *crash.Crash, segments []segment, n *notes, written time.Time) {
	files := append([]fileRange(nil), n.files...)
	sort.SliceStable(files, func(i, j int) bool { return files[i].Start < files[j].Start })
	sizes := fileSizes{written: written, known: map[string]int64{}}
	for _, s := range segments {
		if s.Type != ptLoad || s.Memsz == 0 || s.Vaddr+s.Memsz < s.Vaddr {
			continue
		}
		m := crash.Mapping{Range: crash.Range{Start: s.Vaddr, End: s.Vaddr + s.Memsz}, Perms: perms(s.Flags), PermsOK: true, FileSize: -1}
		if f, ok := fileAt(files, s.Vaddr); ok {
			m.Offset = f.Offset + (s.Vaddr - f.Start)
			sizes.name(&m, f.Path)
		}
		c.Mappings = append(c.Mappings, m)
	}
	sort.SliceStable(c.Mappings, func(i, j int) bool { return c.Mappings[i].Start < c.Mappings[j].Start })
	covered := c.Mappings
	for _, f := range files {
		if !overlaps(covered, f.Range) && f.End > f.Start {
			m := crash.Mapping{Range: f.Range, Offset: f.Offset, FileSize: -1}
			sizes.name(&m, f.Path)
			c.Mappings = append(c.Mappings, m)
		}
	}
	sort.SliceStable(c.Mappings, func(i, j int) bool { return c.Mappings[i].Start < c.Mappings[j].Start })
	nameSpecial(c)
}

func perms(flags uint32) (p crash.Perms) {
	if flags&pfR != 0 {
		p |= crash.Read
	}
	if flags&pfW != 0 {
		p |= crash.Write
	}
	if flags&pfX != 0 {
		p |= crash.Exec
	}
	return p
}

func fileAt(files []fileRange, addr uint64) (fileRange, bool) {
	i := sort.Search(len(files), func(i int) bool { return files[i].End > addr })
	if i < len(files) && files[i].Contains(addr) {
		return files[i], true
	}
	return fileRange{}, false
}

// overlaps reports whether any of the sorted mappings shares an address with r.
func overlaps(sorted []crash.Mapping, r crash.Range) bool {
	i := sort.Search(len(sorted), func(i int) bool { return sorted[i].End > r.Start })
	return i < len(sorted) && sorted[i].Start < r.End
}

// fileSizes remembers the sizes of mapped files. A file that changed after the core was written says nothing of the
// size it had.
type fileSizes struct {
	written time.Time
	known   map[string]int64
}

const deletedSuffix = " (deleted)"

func (s *fileSizes) name(m *crash.Mapping, path string) {
	m.Path = path
	if p, cut := strings.CutSuffix(path, deletedSuffix); cut {
		m.Path, m.Deleted = p, true
		return
	}
	size, ok := s.known[path]
	if !ok {
		size = -1
		if strings.HasPrefix(path, "/") { // else it is a file without a place, and none in the current folder
			size = s.stat(path)
		}
		s.known[path] = size
	}
	m.FileSize = size
}

func (s *fileSizes) stat(path string) int64 {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.ModTime().After(s.written) {
		return -1
	}
	return info.Size()
}

// nameSpecial names the mappings that /proc/PID/maps names: the main stack, which holds the program's name, the vDSO, and
// the heap.
func nameSpecial(c *crash.Crash) {
	nameHeap(c)
	for key, name := range map[uint64]string{atExecFn: "[stack]", atSysinfoEhdr: "[vdso]"} {
		if addr, ok := c.Auxv[key]; ok {
			if m, ok := c.MappingAt(addr); ok && m.Path == "" {
				m.Path = name
			}
		}
	}
}

// maxBrkGap bounds how far above the program's last page the kernel starts the heap (linux/arch/x86/kernel/process.c,
// arch_randomize_brk), in bytes.
const maxBrkGap = 1 << 30

// nameHeap names the memory that brk gave: the first mapping above the program's own, if it has no file and can be
// written. It lies apart from them, unless the kernel was told not to randomise; then it cannot be told from the
// program's zeroed data and stays without a name.
func nameHeap(c *crash.Crash) {
	program, ok := c.MappingAt(c.Auxv[atPhdr])
	if !ok || program.Path == "" {
		return
	}
	path, end := program.Path, program.End
	for i := range c.Mappings {
		m := &c.Mappings[i]
		switch {
		case m.Start < program.Start:
		case m.Path == path, m.Start == end && m.Path == "":
			end = m.End // the second: data without a file, behind the file's
		default:
			if m.Path == "" && m.PermsOK && m.Perms == crash.Read|crash.Write && m.Start-end < maxBrkGap {
				m.Path = "[heap]"
			}
			return
		}
	}
}
