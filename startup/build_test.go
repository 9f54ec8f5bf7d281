package startup

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// compile builds a C program with the given compiler and flags.
func compile(t *testing.T, source, compiler string, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath(compiler)
	if err != nil {
		t.Skipf("%s is not installed", compiler)
	}
	dir := t.TempDir()
	src, exe := filepath.Join(dir, "prog.c"), filepath.Join(dir, "prog")
	if err := os.WriteFile(src, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-w", "-o", exe, src}, flags...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cc, err, out)
	}
	return exe
}

const bias = 0x555555554000

// segments is the memory of a program that was mapped and has not run: its file.
type segments struct {
	data []byte
	load []elf.ProgHeader
	bias uint64
}

func (s *segments) ReadMemory(buf []byte, addr uint64) (int, error) {
	for _, p := range s.load {
		lo := p.Vaddr + s.bias
		if addr >= lo && addr < lo+p.Filesz {
			off := p.Off + addr - lo
			return copy(buf[:min(uint64(len(buf)), lo+p.Filesz-addr)], s.data[off:]), nil
		}
	}
	return 0, &crash.UnreadableError{Addr: addr}
}

// mapped observes an executable file as the kernel would have mapped it.
func mapped(t *testing.T, exe string) (*crash.Crash, *symbols.Symbolizer) {
	t.Helper()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mem := &segments{data: data}
	if f.Type == elf.ET_DYN {
		mem.bias = bias
	}
	c := &crash.Crash{Memory: mem, Focus: -1, Target: crash.Target{Path: exe, ExePath: exe, PID: 100, Arch: "amd64"},
		Output: crash.Output{Observed: true}}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		mem.load = append(mem.load, p.ProgHeader)
		m := crash.Mapping{Path: exe, Offset: p.Off &^ 4095, PermsOK: true, FileSize: int64(len(data)),
			Range: crash.Range{Start: (p.Vaddr + mem.bias) &^ 4095, End: (p.Vaddr + p.Memsz + mem.bias + 4095) &^ 4095}}
		for flag, perm := range map[elf.ProgFlag]crash.Perms{elf.PF_R: crash.Read, elf.PF_W: crash.Write, elf.PF_X: crash.Exec} {
			if p.Flags&flag != 0 {
				m.Perms |= perm
			}
		}
		c.Mappings = append(c.Mappings, m)
	}
	return c, symbols.New(c, symbols.Options{})
}

// printing adds output lines, 10 ms apart. A line that begins with "2>" is on stderr.
func printing(c *crash.Crash, lines ...string) {
	for _, l := range lines {
		stream := crash.Stdout
		if len(l) > 2 && l[:2] == "2>" {
			stream, l = crash.Stderr, l[2:]
		}
		c.Output.Lines = append(c.Output.Lines, crash.OutputLine{At: time.Duration(len(c.Output.Lines)) * 10 * time.Millisecond,
			Stream: stream, Text: l, Whole: true})
	}
	c.Output.FirstTail = len(c.Output.Lines)
}

func load(t testing.TB, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// profileText loads a profile written in a test.
func profileText(t testing.TB, text string) *profile.Profile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, path)
}
