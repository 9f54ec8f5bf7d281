package symbols

import (
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"

	"meshdiag/crash"
)

// Auxiliary vector tags (linux/include/uapi/linux/auxvec.h).
const (
	atPHDR  = 3
	atEntry = 9
)

// maxVDSO bounds the vDSO image that is copied from the process; the real one has two to four pages.
const maxVDSO = 64 << 10

// maxModules bounds the modules of one process.
const maxModules = 4096

// findModules groups the mappings by file and load bias.
func (s *Symbolizer) findModules() []*Module {
	var all []*Module
	open := make(map[string]*Module) // the latest module of a path
	for i := range s.crash.Mappings {
		mp := &s.crash.Mappings[i]
		if mp.Path == "[vdso]" {
			all = append(all, s.vdso(mp))
			continue
		}
		if mp.Path == "" || mp.Path[0] != '/' || mp.Size() == 0 {
			continue
		}
		m := open[mp.Path]
		if m == nil || !m.explains(mp) {
			if m = s.startModule(mp, m != nil); m == nil || len(all) >= maxModules {
				continue
			}
			open[mp.Path] = m
			all = append(all, m)
		}
		m.Ranges = append(m.Ranges, mp.Range)
	}
	s.markMain(all)
	return slices.DeleteFunc(all, func(m *Module) bool {
		s.extend(m)
		return !s.attachFile(m)
	})
}

// startModule makes a module of the first mapping of a file; nil when the file is no program (a font, a database).
func (s *Symbolizer) startModule(mp *crash.Mapping, again bool) *Module {
	m := &Module{Path: mp.Path}
	hdr := s.memoryHeader(mp)
	if hdr == nil && mp.Offset == 0 && s.readable(mp.Start) {
		return nil // its first bytes are there and are no ELF header
	}
	if hdr != nil {
		m.Bias = mp.Start - lowestPage(hdr)
		m.setImage(s.crash.Memory, hdr)
		m.BuildID = hdr.buildID(func(seg segment) ([]byte, error) { return m.img.memory(seg.vaddr, seg.filesz) })
		return m
	}
	if again || !s.hasCode(mp.Path) {
		return nil
	}
	// No header in memory: a core without file pages. The file on disk, if it fits, gives the header later.
	m.BiasAssumed = true
	m.Bias = mp.Start - mp.Offset
	return m
}

func (m *Module) setImage(mem crash.Memory, hdr *elfHeader) {
	m.img = &image{mem: mem, bias: m.Bias, hdr: hdr}
	m.cfi = cfiTable{img: m.img}
}

func (s *Symbolizer) memoryHeader(mp *crash.Mapping) *elfHeader {
	if mp.Offset != 0 {
		return nil
	}
	hdr, err := readELFHeader(func(buf []byte, off uint64) error {
		_, err := s.crash.Memory.ReadMemory(buf, mp.Start+off)
		return err
	})
	if err != nil {
		return nil
	}
	if _, ok := hdr.first(elf.PT_LOAD); !ok {
		return nil
	}
	return hdr
}

func (s *Symbolizer) readable(addr uint64) bool {
	var b [4]byte
	_, err := s.crash.Memory.ReadMemory(b[:], addr)
	return err == nil
}

func (s *Symbolizer) hasCode(path string) bool {
	for i := range s.crash.Mappings {
		if mp := &s.crash.Mappings[i]; mp.Path == path && (mp.Perms&crash.Exec != 0 || !mp.PermsOK) {
			return true
		}
	}
	return false
}

// lowestPage is the link-time address of the page that file offset 0 is mapped to.
func lowestPage(h *elfHeader) uint64 {
	first, _ := h.first(elf.PT_LOAD)
	return (first.vaddr - first.off) &^ (pageSize - 1)
}

// explains reports whether a mapping is one of m's segments at m's bias. The loader may map less than a segment
// (a part whose protection changed), so it is enough that offset and address agree.
func (m *Module) explains(mp *crash.Mapping) bool {
	if m.img == nil {
		return mp.Offset != 0
	}
	for _, seg := range m.img.hdr.segments {
		if seg.typ != elf.PT_LOAD || seg.memsz == 0 {
			continue
		}
		start := (seg.vaddr + m.Bias) &^ (pageSize - 1)
		end := (seg.vaddr + m.Bias + seg.memsz + pageSize - 1) &^ (pageSize - 1)
		off := seg.off &^ (pageSize - 1)
		if mp.Start >= start && mp.Start < end && mp.Offset == off+(mp.Start-start) {
			return true
		}
	}
	return false
}

// extend adds the zero-initialised data: memory behind the file's pages that a segment claims and that is mapped.
func (s *Symbolizer) extend(m *Module) {
	if m.img == nil || m.Path == "[vdso]" {
		return
	}
	for _, seg := range m.img.hdr.segments {
		if seg.typ != elf.PT_LOAD || seg.memsz <= seg.filesz || seg.vaddr+seg.memsz < seg.vaddr {
			continue
		}
		from := (seg.vaddr + m.Bias + seg.filesz + pageSize - 1) &^ (pageSize - 1)
		to := (seg.vaddr + m.Bias + seg.memsz + pageSize - 1) &^ (pageSize - 1)
		if to <= from {
			continue
		}
		if mp, ok := s.crash.MappingAt(from); ok && (mp.Path == "" || mp.Path == "[heap]") {
			m.Ranges = append(m.Ranges, crash.Range{Start: from, End: min(to, mp.End)})
		}
	}
}

// markMain finds the executable: the module that holds the entry point the kernel noted, else by path. The kernel's
// note of where the program headers are also settles the bias.
func (s *Symbolizer) markMain(all []*Module) {
	entry, phdr := s.crash.Auxv[atEntry], s.crash.Auxv[atPHDR]
	best := (*Module)(nil)
	for _, m := range all {
		if entry != 0 && m.contains(entry) {
			best = m
			break
		}
		if best == nil && (m.Path == s.crash.Target.ExePath || m.Path == s.crash.Target.Path) {
			best = m
		}
	}
	if best == nil {
		return
	}
	best.Main = true
	if best.img == nil || phdr == 0 {
		return
	}
	h := best.img.hdr
	at, ok := h.first(elf.PT_PHDR)
	vaddr := at.vaddr
	if !ok {
		vaddr = lowestPage(h) + h.phoff
	}
	if bias := phdr - vaddr; bias != best.Bias && h.entry+bias == entry {
		best.Bias, best.img.bias = bias, bias
	}
}

func (m *Module) contains(addr uint64) bool {
	for _, r := range m.Ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// vdso is the module that the kernel maps without a file; its image is copied from memory and then is its file.
func (s *Symbolizer) vdso(mp *crash.Mapping) *Module {
	m := &Module{Path: mp.Path, Ranges: []crash.Range{mp.Range}}
	data := make([]byte, min(mp.Size(), maxVDSO))
	if n, _ := s.crash.Memory.ReadMemory(data, mp.Start); uint64(n) < uint64(len(data)) {
		m.Problem = "the kernel's code page could not be read"
		return m
	}
	f, err := newELF(mp.Path, data)
	if err != nil {
		m.Problem = "the kernel's code page: " + err.Error()
		return m
	}
	m.Bias = mp.Start - lowestPage(f.hdr)
	m.setImage(s.crash.Memory, f.hdr)
	m.BuildID, m.Verified = f.id, true
	m.use(f)
	return m
}

// use makes f the file of m.
func (m *Module) use(f *elfFile) {
	m.file = f
	m.img.file, m.img.verified = f, m.Verified
}

// Name is the file's name without folders, for people.
func (m *Module) Name() string {
	if strings.HasPrefix(m.Path, "[") {
		return m.Path
	}
	return filepath.Base(m.Path)
}
