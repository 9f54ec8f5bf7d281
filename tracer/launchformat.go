package tracer

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"meshdiag/crash"
)

// explainContent says what is wrong with a file's content; nil when nothing is seen to be.
func explainContent(path string) *launchError {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var head [64]byte
	n, _ := io.ReadFull(f, head[:])
	switch {
	case n == 0:
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is empty.", path), "build it again: a build that was interrupted, or a full disk, leaves such files")
	case string(head[:min(n, 2)]) == "#!":
		return explainScript(f, path)
	case n < 20 || string(head[:4]) != elf.ELFMAG:
		return notELF(path, head[:n])
	}
	return explainELF(f, path, head[:n])
}

// formats are files that are no programs of this system, by how they begin.
var formats = []struct{ magic, what, next string }{
	{"MZ", "a program for Windows", "wine FILE, or build it for Linux"},
	{"\xcf\xfa\xed\xfe", "a program for macOS", "build it for Linux"},
	{"\xca\xfe\xba\xbe", "a program for macOS or a Java class", "build it for Linux; a Java class is run by java"},
	{"\x00asm", "a WebAssembly module", "wasmtime FILE"},
	{"PK\x03\x04", "an archive (zip or jar)", "java -jar FILE, or unpack it"},
	{"\x1f\x8b", "compressed (gzip)", "gunzip FILE, or tar xzf FILE"},
	{"(\xb5/\xfd", "compressed (zstd)", "unzstd FILE"},
	{"!<arch>\n", "a static archive of object files", "link it into a program"},
	{"BC\xc0\xde", "LLVM bitcode", "clang FILE -o PROGRAM"},
	{"; ModuleID", "LLVM IR in text form", "clang -x ir FILE -o PROGRAM"},
	{"version https://git-lfs", "a placeholder of git-lfs: the file itself was never fetched", "git lfs pull"},
	{"<!DOCTYPE", "an HTML page, perhaps what a server sent in its place", "download it again, and look at the answer's status"},
	{"<html", "an HTML page, perhaps what a server sent in its place", "download it again, and look at the answer's status"},
}

func notELF(path string, head []byte) *launchError {
	for _, f := range formats {
		if strings.HasPrefix(string(head), f.magic) {
			return refused(crash.LaunchFormat, fmt.Sprintf("%s is not a program of this system but %s.", path, f.what), strings.ReplaceAll(f.next, "FILE", word(path)))
		}
	}
	next := "file " + word(path)
	if text := strings.IndexFunc(string(head), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0xfffd }) < 0; text {
		next = "if it is a shell script: meshdiag run -- sh " + word(path) + ", or write #!/bin/sh as its first line"
	}
	e := refused(crash.LaunchFormat, fmt.Sprintf("%s is not a program: it is neither an ELF file nor a script that starts with #!.", path), next)
	e.vague = true
	return e
}

func explainScript(f *os.File, path string) *launchError {
	line, _ := bufio.NewReader(io.NewSectionReader(f, 2, 512)).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	fields := strings.Fields(strings.TrimSuffix(line, "\r"))
	if len(fields) == 0 {
		return refused(crash.LaunchInterpreter, fmt.Sprintf("The script %s names no interpreter after #!.", path), "write its interpreter there, such as #!/bin/sh")
	}
	interpreter := fields[0]
	if strings.HasSuffix(line, "\r") && len(fields) == 1 {
		return refused(crash.LaunchInterpreter, fmt.Sprintf("The script %s has Windows line ends: its interpreter is read as %q.", path, interpreter+"\r"), `sed -i 's/\r$//' `+word(path))
	}
	why := interpreterTrouble(interpreter)
	if why == "" {
		return nil
	}
	name := filepath.Base(interpreter)
	next := "install " + name + ", or name another interpreter in the first line"
	if installed := inPath(name); installed != "" {
		next = name + " is " + installed + " here: write #!" + installed + " as the first line, or #!/usr/bin/env " + name
	}
	return refused(crash.LaunchInterpreter, fmt.Sprintf("The script %s needs the interpreter %s, %s.", path, interpreter, why), next)
}

// interpreterTrouble ends a sentence about a missing interpreter; "" when it looks usable.
func interpreterTrouble(interpreter string) string {
	st, err := os.Stat(interpreter)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "which does not exist"
	case err != nil:
		return "which cannot be reached (" + err.Error() + ")"
	case st.IsDir() || st.Mode()&0o111 == 0:
		return "which is not executable"
	}
	return ""
}

// explainELF looks at the ELF header: class, byte order, type, machine, then at the dynamic loader it asks for.
func explainELF(f *os.File, path string, head []byte) *launchError {
	class, order := elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA])
	var u16 binary.ByteOrder = binary.LittleEndian
	if order == elf.ELFDATA2MSB {
		u16 = binary.BigEndian
	}
	machine := elf.Machine(u16.Uint16(head[18:]))
	kind := elf.Type(u16.Uint16(head[16:]))
	switch {
	case kind == elf.ET_CORE:
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is not a program but %s.", path, typeName(kind)), "meshdiag core "+word(path))
	case machine != elf.EM_X86_64:
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is built for another architecture: %s (%s), and this machine is x86-64.", path, machineName(machine), class),
			"build it for x86-64: cargo build --target x86_64-unknown-linux-gnu, GOARCH=amd64, gcc -m64")
	case class != elf.ELFCLASS64 || order != elf.ELFDATA2LSB:
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is not a 64-bit little-endian program (%s, %s).", path, class, order), "file "+word(path))
	case kind != elf.ET_EXEC && kind != elf.ET_DYN:
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is not a program but %s.", path, typeName(kind)), "link it: cc "+word(path)+" -o PROGRAM")
	}
	interpreter, err := loaderOf(f)
	if err != nil {
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is damaged: %v.", path, err), "build or copy it again; readelf -hl "+word(path))
	}
	if interpreter == "" {
		return nil
	}
	if why := interpreterTrouble(interpreter); why != "" {
		return refused(crash.LaunchInterpreter, fmt.Sprintf("%s needs the dynamic loader %s, %s.", path, interpreter, why), loaderAdvice(path, interpreter))
	}
	return nil
}

// loaderAdvice is what to do about a dynamic loader that is not there.
func loaderAdvice(path, interpreter string) string {
	switch {
	case strings.Contains(interpreter, "musl"):
		return "it was built for musl (Alpine): apt install musl, or build it for glibc, or statically"
	case strings.HasPrefix(interpreter, "/nix/"):
		return "it was built by Nix: nix-ld, or patchelf --set-interpreter /lib64/ld-linux-x86-64.so.2 " + word(path)
	case interpreter == "/lib64/ld-linux-x86-64.so.2":
		return "glibc is missing here (an Alpine or scratch image?): use an image with glibc, or build it statically"
	}
	return "patchelf --set-interpreter /lib64/ld-linux-x86-64.so.2 " + word(path) + ", if glibc's will do"
}

// loaderOf reads PT_INTERP; the ELF parser is fenced because the file may be anything.
func loaderOf(f *os.File) (name string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its ELF headers make no sense: %v", p)
		}
	}()
	file, err := elf.NewFile(f)
	if err != nil {
		return "", err
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			name := make([]byte, p.Filesz)
			if _, err := p.ReadAt(name, 0); err != nil {
				return "", err
			}
			return strings.TrimRight(string(name), "\x00"), nil
		}
	}
	return "", nil
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_AARCH64:
		return "AArch64 (arm64)"
	case elf.EM_386:
		return "32-bit x86"
	case elf.EM_ARM:
		return "32-bit ARM"
	case elf.EM_RISCV:
		return "RISC-V"
	}
	return m.String()
}

func typeName(t elf.Type) string {
	switch t {
	case elf.ET_REL:
		return "an object file that was not linked"
	case elf.ET_CORE:
		return "a core dump"
	}
	return "an ELF file of type " + t.String()
}
