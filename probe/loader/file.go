// Package loader knows how glibc's dynamic loader looks for libraries, symbols and versions (ld.so(8)), and repeats that
// search on the files alone: nothing is ever executed. It serves to explain why the loader gave up, and which file of
// this machine has what it did not find. Files may be anything: they are read behind a fence.
package loader

import (
	"debug/elf"
	"fmt"
	"os"
	"strings"
)

// File is what an ELF file tells the dynamic loader.
type File struct {
	Path     string
	Needed   []string // DT_NEEDED
	RPath    []string // DT_RPATH, as written; nil when there is a DT_RUNPATH, which makes the loader ignore it
	RunPath  []string
	NoDefLib bool // DF_1_NODEFLIB: neither the cache nor the default places are searched
	Dynamic  bool // has a dynamic section
	// Interpreter is the dynamic loader that a program asks for; "" for a library or a static program.
	Interpreter string
}

// Unfit says why the loader cannot use a file as a library; "" when its header is fit for this machine.
func Unfit(path string) string {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return reason(err)
	case st.IsDir():
		return "it is a directory"
	case !st.Mode().IsRegular(): // opening a pipe would wait for its other end
		return "it is not a regular file"
	}
	f, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	defer f.Close()
	var head [64]byte
	n, _ := f.ReadAt(head[:], 0)
	switch {
	case n == 0:
		return "it is empty"
	case n < 20 || string(head[:4]) != elf.ELFMAG:
		return notELF(head[:n])
	}
	class, order := elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA])
	machine := elf.Machine(uint16(head[18]) | uint16(head[19])<<8)
	if order == elf.ELFDATA2MSB {
		machine = elf.Machine(uint16(head[19]) | uint16(head[18])<<8)
	}
	kind := elf.Type(uint16(head[16]) | uint16(head[17])<<8)
	switch {
	case class == elf.ELFCLASS32:
		return "it is a 32-bit library (" + machineName(machine) + ")"
	case machine != elf.EM_X86_64:
		return "it is for another architecture: " + machineName(machine)
	case kind != elf.ET_DYN:
		return "it is not a shared library (" + kind.String() + ")"
	}
	return ""
}

// reason is the cause of a failed open in a few words.
func reason(err error) string {
	switch {
	case os.IsNotExist(err):
		return "it does not exist"
	case os.IsPermission(err):
		return "its permissions exclude this user"
	}
	return err.Error()
}

// notELF says what a file that is no ELF file seems to be.
func notELF(head []byte) string {
	text := string(head)
	switch {
	case strings.HasPrefix(text, "!<arch>"):
		return "it is a static archive, not a shared library"
	case strings.HasPrefix(text, "/* GNU ld script"), strings.HasPrefix(text, "INPUT"), strings.HasPrefix(text, "GROUP"):
		return "it is a script for the linker (of a -dev package), not a shared library"
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "it is a placeholder of git-lfs: the file itself was never fetched (git lfs pull)"
	case strings.HasPrefix(text, "BC\xc0\xde"):
		return "it is LLVM bitcode, not a shared library"
	}
	return "it is not an ELF file"
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_AARCH64:
		return "AArch64 (arm64)"
	case elf.EM_386:
		return "32-bit x86"
	case elf.EM_X86_64:
		return "x86-64, x32"
	case elf.EM_ARM:
		return "32-bit ARM"
	case elf.EM_RISCV:
		return "RISC-V"
	}
	return m.String()
}

// fenced runs a reader of an ELF file, whose parser may panic on bytes that make no sense.
func fenced(path string, read func(*elf.File) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the ELF headers of %s make no sense: %v", path, p)
		}
	}()
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() { // a pipe would be waited for
		return fmt.Errorf("%s is not a regular file", path)
	}
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

// Open reads the dynamic section of a program or library.
func Open(path string) (*File, error) {
	out := &File{Path: path}
	err := fenced(path, func(f *elf.File) error {
		out.Needed, _ = f.DynString(elf.DT_NEEDED)
		out.RPath = pathList(f, elf.DT_RPATH)
		out.RunPath = pathList(f, elf.DT_RUNPATH)
		if len(out.RunPath) > 0 {
			out.RPath = nil
		}
		if flags, _ := f.DynValue(elf.DT_FLAGS_1); len(flags) > 0 {
			out.NoDefLib = elf.DynFlag1(flags[0])&elf.DF_1_NODEFLIB != 0
		}
		for _, p := range f.Progs {
			switch p.Type {
			case elf.PT_DYNAMIC:
				out.Dynamic = true
			case elf.PT_INTERP:
				name := make([]byte, min(p.Filesz, 4096))
				if _, err := p.ReadAt(name, 0); err == nil {
					out.Interpreter = strings.TrimRight(string(name), "\x00")
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func pathList(f *elf.File, tag elf.DynTag) []string {
	values, _ := f.DynString(tag)
	var out []string
	for _, v := range values {
		out = append(out, strings.Split(v, ":")...)
	}
	return out
}
