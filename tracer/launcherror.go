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

	"golang.org/x/sys/unix"
)

// explainLaunch turns the errno of a failed exec into one sentence about the file.
func explainLaunch(path, dir string, cause error) error {
	full := path
	if dir != "" && !filepath.IsAbs(path) {
		full = filepath.Join(dir, path)
	}
	if dir != "" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return &launchError{fmt.Sprintf("The working directory %s does not exist.", dir)}
		}
	}
	return &launchError{launchSentence(full, cause)}
}

func launchSentence(path string, cause error) string {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("%s does not exist.", path)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Sprintf("%s cannot exist: a part of the path before the last is not a directory.", path)
	case errors.Is(err, unix.ELOOP):
		return fmt.Sprintf("%s is a symbolic link that leads back to itself.", path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Sprintf("%s cannot be reached: no permission to enter one of its directories.", path)
	case err != nil:
		return fmt.Sprintf("%s cannot be launched: %v.", path, err)
	case st.IsDir():
		return fmt.Sprintf("%s is a directory, not a program.", path)
	case !st.Mode().IsRegular():
		return fmt.Sprintf("%s is not a regular file.", path)
	case st.Mode()&0o111 == 0:
		return fmt.Sprintf("%s is not executable: no execute permission is set (chmod +x %s).", path, path)
	}
	switch {
	case errors.Is(cause, unix.EACCES):
		return fmt.Sprintf("%s may not be executed: its permissions exclude this user, or its file system is mounted noexec.", path)
	case errors.Is(cause, unix.ETXTBSY):
		return fmt.Sprintf("%s is being written by another process.", path)
	case errors.Is(cause, unix.E2BIG):
		return fmt.Sprintf("%s cannot be launched: the arguments and the environment together are too long.", path)
	}
	if s := contentSentence(path); s != "" {
		return s
	}
	return fmt.Sprintf("%s cannot be launched: %v.", path, cause)
}

// contentSentence says what is wrong with the file's content; "" when nothing is seen to be.
func contentSentence(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var head [64]byte
	n, _ := io.ReadFull(f, head[:])
	switch {
	case n == 0:
		return fmt.Sprintf("%s is empty.", path)
	case string(head[:min(n, 2)]) == "#!":
		return scriptSentence(f, path)
	case n < 20 || string(head[:4]) != elf.ELFMAG:
		return fmt.Sprintf("%s is not a program: it is neither an ELF file nor a script that starts with #!.", path)
	}
	return elfSentence(f, path, head[:n])
}

func scriptSentence(f *os.File, path string) string {
	line, _ := bufio.NewReader(io.NewSectionReader(f, 2, 512)).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	fields := strings.Fields(strings.TrimSuffix(line, "\r"))
	if len(fields) == 0 {
		return fmt.Sprintf("The script %s names no interpreter after #!.", path)
	}
	interpreter := fields[0]
	if strings.HasSuffix(line, "\r") && len(fields) == 1 {
		return fmt.Sprintf("The script %s has Windows line ends: its interpreter is read as %q.", path, interpreter+"\r")
	}
	if s := interpreterSentence(interpreter); s != "" {
		return fmt.Sprintf("The script %s needs the interpreter %s, %s.", path, interpreter, s)
	}
	return ""
}

// interpreterSentence ends a sentence about a missing interpreter; "" when it looks usable.
func interpreterSentence(interpreter string) string {
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

// elfSentence looks at the ELF header: class, byte order, type, machine, then at the dynamic loader it asks for.
func elfSentence(f *os.File, path string, head []byte) string {
	class, order := elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA])
	var u16 binary.ByteOrder = binary.LittleEndian
	if order == elf.ELFDATA2MSB {
		u16 = binary.BigEndian
	}
	machine := elf.Machine(u16.Uint16(head[18:]))
	kind := elf.Type(u16.Uint16(head[16:]))
	switch {
	case machine != elf.EM_X86_64:
		return fmt.Sprintf("%s is built for another architecture: %s (%s), and this machine is x86-64.", path, machineName(machine), class)
	case class != elf.ELFCLASS64 || order != elf.ELFDATA2LSB:
		return fmt.Sprintf("%s is not a 64-bit little-endian program (%s, %s).", path, class, order)
	case kind != elf.ET_EXEC && kind != elf.ET_DYN:
		return fmt.Sprintf("%s is not a program but %s.", path, typeName(kind))
	}
	interpreter, err := loaderOf(f)
	if err != nil {
		return fmt.Sprintf("%s is damaged: %v.", path, err)
	}
	if interpreter == "" {
		return ""
	}
	if s := interpreterSentence(interpreter); s != "" {
		return fmt.Sprintf("%s needs the dynamic loader %s, %s.", path, interpreter, s)
	}
	return ""
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
