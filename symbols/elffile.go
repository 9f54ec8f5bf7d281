package symbols

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// elfFile is the opened, lazily parsed ELF file behind a Module. Its bytes are mapped, so that only what is looked at
// costs anything; whoever touches them must stand inside fence, because the file may be cut short at any time.
type elfFile struct {
	path   string
	data   []byte
	mapped bool // data came from mmap and wants to be unmapped
	hdr    *elfHeader
	id     string // build ID

	sections    *elf.File // section headers; read at the first request
	sectionsErr error
}

// damagedError says that reading a file or a table went wrong in a way that its parser had not foreseen.
type damagedError struct {
	what  string
	cause any
}

func (e *damagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.what, e.cause) }

// fence runs fn and turns a panic of a parser, or a fault on a mapped file that was cut short meanwhile, into a
// damagedError that names what was being read.
func fence(what string, fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = &damagedError{what, p}
		}
	}()
	return fn()
}

// read is fence for the tables of m. What turns out to be damaged is noted in m.Problem: the answers from then on are
// poorer, and the reader of a report should know why.
func (m *Module) read(fn func() error) error {
	err := fence(m.Path, fn)
	var damaged *damagedError
	if errors.As(err, &damaged) && m.Problem == "" {
		m.Problem = err.Error()
	}
	return err
}

var errNotELF = errors.New("it is not an ELF file")

// openELF maps the file at path and reads its headers.
func openELF(path string) (*elfFile, error) {
	// The path may come from a core: whatever lies there now must neither block nor act on being opened.
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if st.Size() < 64 {
		return nil, errNotELF
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	f, err := newELF(path, data)
	if err != nil {
		_ = unix.Munmap(data)
		return nil, err
	}
	f.mapped = true
	return f, nil
}

// newELF reads the headers of an ELF file held in memory.
func newELF(path string, data []byte) (*elfFile, error) {
	f := &elfFile{path: path, data: data}
	err := fence(path, func() (err error) {
		if f.hdr, err = readELFHeader(f.readAt); err != nil {
			return err
		}
		f.id = f.hdr.buildID(func(s segment) ([]byte, error) { return f.slice(s.off, s.filesz) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// slice returns file bytes without copying them.
func (f *elfFile) slice(off, n uint64) ([]byte, error) {
	if off > uint64(len(f.data)) || n > uint64(len(f.data))-off {
		return nil, fmt.Errorf("the file ends before %#x+%#x", off, n)
	}
	return f.data[off : off+n : off+n], nil
}

func (f *elfFile) readAt(buf []byte, off uint64) error {
	b, err := f.slice(off, uint64(len(buf)))
	if err != nil {
		return err
	}
	copy(buf, b)
	return nil
}

// at returns the file's bytes for a link-time address range.
func (f *elfFile) at(vaddr, n uint64) ([]byte, error) {
	off, ok := f.hdr.fileOffset(vaddr, n)
	if !ok {
		return nil, fmt.Errorf("the file has no bytes for address %#x", vaddr)
	}
	return f.slice(off, n)
}

// elf returns the section view of the file. Must be called inside a fence.
func (f *elfFile) elf() (*elf.File, error) {
	if f.sections == nil && f.sectionsErr == nil {
		f.sections, f.sectionsErr = elf.NewFile(bytes.NewReader(f.data))
	}
	return f.sections, f.sectionsErr
}

// section returns a section's header and its bytes: from the mapped file when they are stored plainly, else unpacked.
// A missing section yields nil bytes and no error. Must be called inside a fence.
func (f *elfFile) section(name string) (*elf.Section, []byte, error) {
	ef, err := f.elf()
	if err != nil {
		return nil, nil, err
	}
	s := ef.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil, nil
	}
	b, err := f.sectionBytes(s)
	return s, b, err
}

// maxUnpacked bounds what a compressed section may claim to unpack to.
const maxUnpacked = 512 << 20

func (f *elfFile) sectionBytes(s *elf.Section) ([]byte, error) {
	if s.Flags&elf.SHF_COMPRESSED == 0 {
		return f.slice(s.Offset, s.FileSize)
	}
	if s.Size > maxUnpacked {
		return nil, fmt.Errorf("section %s unpacks to %d bytes: too much", s.Name, s.Size)
	}
	return s.Data()
}

// close unmaps the file; f must not be used afterwards.
func (f *elfFile) close() {
	if f != nil && f.mapped {
		_ = unix.Munmap(f.data)
		f.mapped, f.data = false, nil
	}
}
