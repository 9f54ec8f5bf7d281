package probe

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Limits for what is read of an archive, which may be anything.
const (
	maxArchiveIndex = 64 << 20
	maxMember       = 256 << 20
	maxFunctions    = 4096
)

// function is one function's machine code, with a mask of the bytes that a linker leaves alone.
type function struct {
	code []byte
	mask []bool // nil: all
}

// codeOf reads the functions of an executable whose names begin with a prefix.
func codeOf(exe, prefix string) (map[string]function, error) {
	out := map[string]function{}
	err := readELF(exe, func(f *elf.File) error {
		syms, err := f.Symbols()
		if err != nil {
			return err
		}
		for _, s := range syms {
			if elf.ST_TYPE(s.Info) != elf.STT_FUNC || elf.ST_BIND(s.Info) != elf.STB_GLOBAL || !strings.HasPrefix(s.Name, prefix) || s.Size == 0 ||
				int(s.Section) >= len(f.Sections) || len(out) >= maxFunctions {
				continue
			}
			if code, ok := sectionBytes(f.Sections[s.Section], s.Value-f.Sections[s.Section].Addr, s.Size); ok {
				out[s.Name] = function{code: code}
			}
		}
		return nil
	})
	return out, err
}

// readELF opens an ELF file behind a fence: its parser may panic on bytes that make no sense.
func readELF(path string, read func(*elf.File) error) (err error) {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return fence(func() error { return read(f) })
}

func fence(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("these bytes make no sense: %v", p)
		}
	}()
	return f()
}

// sectionBytes reads a part of a section that has contents in the file.
func sectionBytes(s *elf.Section, off, size uint64) ([]byte, bool) {
	if s.Type != elf.SHT_PROGBITS || off > s.Size || size > s.Size-off {
		return nil, false
	}
	b := make([]byte, size)
	_, err := s.ReadAt(b, int64(off))
	return b, err == nil
}

// archive is a static library in the format of System V and GNU (ar(5)).
type archive struct {
	f     io.ReaderAt
	size  int64
	index map[string]int64 // offset of the header of the member that defines a symbol
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// openArchive reads the index of the symbols that are wanted.
func openArchive(f io.ReaderAt, size int64, wanted func(string) bool) (*archive, error) {
	a := &archive{f: f, size: size, index: map[string]int64{}}
	var magic [len(arMagic)]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != arMagic {
		return nil, errors.New("not an archive")
	}
	name, body, err := a.member(int64(len(arMagic)))
	if err != nil {
		return nil, err
	}
	word := map[string]int{"/": 4, "/SYM64/": 8}[name]
	if word == 0 || body.Size() > maxArchiveIndex {
		return nil, errors.New("the archive has no index of its symbols")
	}
	data := make([]byte, body.Size())
	if _, err := body.ReadAt(data, 0); err != nil {
		return nil, err
	}
	number := func(b []byte) uint64 {
		if word == 8 {
			return binary.BigEndian.Uint64(b)
		}
		return uint64(binary.BigEndian.Uint32(b))
	}
	if len(data) < word {
		return nil, io.ErrUnexpectedEOF
	}
	n := number(data)
	if n > uint64(len(data)/word-1) {
		return nil, io.ErrUnexpectedEOF
	}
	offsets, names := data[word:], data[word*(1+int(n)):]
	for i := range int(n) {
		end := bytes.IndexByte(names, 0)
		if end < 0 {
			break
		}
		if s := string(names[:end]); wanted(s) {
			a.index[s] = int64(number(offsets[word*i:]))
		}
		names = names[end+1:]
	}
	return a, nil
}

// member is the name field and the content of the member whose header stands at an offset.
func (a *archive) member(at int64) (name string, body *io.SectionReader, err error) {
	var h [arHeader]byte
	if at < 0 || at > a.size-arHeader {
		return "", nil, io.ErrUnexpectedEOF
	}
	if _, err := a.f.ReadAt(h[:], at); err != nil {
		return "", nil, err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 64)
	if err != nil || size < 0 || size > maxMember || size > a.size-at-arHeader {
		return "", nil, io.ErrUnexpectedEOF
	}
	return strings.TrimSpace(string(h[:16])), io.NewSectionReader(a.f, at+arHeader, size), nil
}

// functions reads the code of the symbols of one member.
func (a *archive) functions(at int64, names map[string]bool) (map[string]function, error) {
	_, body, err := a.member(at)
	if err != nil {
		return nil, err
	}
	data := make([]byte, body.Size()) // one read instead of one for each of thousands of sections
	if _, err := body.ReadAt(data, 0); err != nil {
		return nil, err
	}
	out := map[string]function{}
	err = fence(func() error {
		f, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			return err
		}
		syms, err := f.Symbols()
		if err != nil {
			return err
		}
		var sections map[elf.SectionIndex]*elf.Section
		for _, s := range syms {
			if !names[s.Name] || elf.ST_TYPE(s.Info) != elf.STT_FUNC || int(s.Section) >= len(f.Sections) || s.Section == elf.SHN_UNDEF {
				continue
			}
			if sections == nil {
				sections = relocations(f)
			}
			code, ok := sectionBytes(f.Sections[s.Section], s.Value, s.Size)
			if ok {
				out[s.Name] = function{code, unlinked(sections[s.Section], s.Value, s.Size)}
			}
		}
		return nil
	})
	return out, err
}

// relocations finds the section that relocates each section.
func relocations(f *elf.File) map[elf.SectionIndex]*elf.Section {
	out := map[elf.SectionIndex]*elf.Section{}
	for _, s := range f.Sections {
		if s.Type == elf.SHT_RELA {
			out[elf.SectionIndex(s.Info)] = s
		}
	}
	return out
}

// unlinked marks the bytes of a function that a linker does not touch. Of a field that it may relax (psABI, "Linker
// Optimization") the instruction before it counts to the field.
func unlinked(rela *elf.Section, start, size uint64) []bool {
	mask := make([]bool, size)
	for i := range mask {
		mask[i] = true
	}
	if rela == nil {
		return mask
	}
	data, err := rela.Data()
	if err != nil {
		return make([]bool, size)
	}
	const relaSize = 24
	for ; len(data) >= relaSize; data = data[relaSize:] {
		at, kind := binary.LittleEndian.Uint64(data), elf.R_X86_64(binary.LittleEndian.Uint32(data[8:]))
		from, to := at, at+4
		switch kind {
		case elf.R_X86_64_64:
			to = at + 8
		case elf.R_X86_64_GOTPCRELX, elf.R_X86_64_REX_GOTPCRELX, elf.R_X86_64_GOTPCREL, elf.R_X86_64_GOTTPOFF:
			from = at - 3
		case elf.R_X86_64_TLSGD, elf.R_X86_64_TLSLD:
			from, to = at-4, at+12
		}
		for b := from; b < to; b++ {
			if b >= start && b-start < size {
				mask[b-start] = false
			}
		}
	}
	return mask
}

// same reports whether linked code can have been made of a function of an archive.
func (f function) same(linked function) bool {
	if len(f.code) != len(linked.code) {
		return false
	}
	for i := range f.code {
		if f.mask[i] && f.code[i] != linked.code[i] {
			return false
		}
	}
	return true
}

// origin is how a program's functions compare with those of an archive.
type origin struct {
	path    string
	same    int
	differ  []string // other code there, or none under that name; in order
	missing int      // of these, those that are not there
}

// made reports whether the program was made of this archive, as far as its code tells.
func (o *origin) made() bool { return o.same >= fewFunctions && len(o.differ) == 0 }

// fewFunctions is the least number of functions that say something.
const fewFunctions = 3

// compare holds the functions of a program against an archive.
func compare(linked map[string]function, path string) (*origin, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a, err := openArchive(f, st.Size(), func(name string) bool { _, ok := linked[name]; return ok })
	if err != nil {
		return nil, err
	}
	members := map[int64]map[string]bool{}
	for name, at := range a.index {
		if members[at] == nil {
			members[at] = map[string]bool{}
		}
		members[at][name] = true
	}
	o := &origin{path: path}
	for at, names := range members {
		functions, err := a.functions(at, names)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err) // such as bitcode: nothing to compare with
		}
		for name, f := range functions {
			if f.same(linked[name]) {
				o.same++
			} else {
				o.differ = append(o.differ, name)
			}
		}
	}
	for name := range linked {
		if _, ok := a.index[name]; !ok {
			o.missing++
			o.differ = append(o.differ, name)
		}
	}
	slices.Sort(o.differ)
	return o, nil
}
