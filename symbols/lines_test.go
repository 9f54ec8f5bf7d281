package symbols

import (
	"bufio"
	"bytes"
	"debug/elf"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/crash"
)

// TestLinesLikeAddr2line compares files, lines and inlined calls of addresses all over a program with what addr2line
// says, for the DWARF of several compilers and versions.
func TestLinesLikeAddr2line(t *testing.T) {
	tool, err := exec.LookPath("llvm-addr2line-19")
	if err != nil {
		t.Skip("no llvm-addr2line-19: the one of binutils 2.40 misreads DWARF 5 file tables and clang's inlined calls")
	}
	builds := map[string]func() string{
		"gcc-dwarf5":     func() string { return buildC(t, "inlines.c", "-O2", "-g") },
		"gcc-dwarf4":     func() string { return buildC(t, "inlines.c", "-O2", "-gdwarf-4") },
		"gcc-compressed": func() string { return buildC(t, "inlines.c", "-O2", "-g", "-gz") },
		"gcc-sections":   func() string { return buildC(t, "inlines.c", "-O2", "-g", "-ffunction-sections", "-Wl,--gc-sections") },
		"g++":            func() string { return buildC(t, "throws.cc", "-O2", "-g") },
		"rust-debug":     func() string { return buildCoro(t, "debug") },
		"rust-release":   func() string { return buildCoro(t, "release") },
	}
	if clang, err := exec.LookPath("clang-19"); err == nil {
		builds["clang-dwarf5"] = func() string {
			out := filepath.Join(t.TempDir(), "inlines")
			if b, err := exec.Command(clang, "-O2", "-g", "-gdwarf-5", "-o", out, "testdata/inlines.c").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			return out
		}
	}
	for name, build := range builds {
		t.Run(name, func(t *testing.T) { linesLikeAddr2line(t, tool, build()) })
	}
}

func linesLikeAddr2line(t *testing.T, tool, exe string) {
	addrs := sampleText(t, exe, 400)
	cmd := exec.Command(tool, "-a", "-i", "-e", exe)
	var in bytes.Buffer
	for _, a := range addrs {
		fmt.Fprintf(&in, "%#x\n", a)
	}
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[uint64][]string)
	var at uint64
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if n, _ := fmt.Sscanf(sc.Text(), "0x%x", &at); n == 1 && !strings.Contains(sc.Text(), ":") {
			continue
		}
		want[at] = append(want[at], normalLine(sc.Text()))
	}
	s, _ := fileModule(t, exe)
	known, wrong := 0, 0
	for _, a := range addrs {
		var got []string
		for _, l := range s.Lines(crash.PC(a)) {
			line := "?"
			if l.Line > 0 {
				line = fmt.Sprint(l.Line)
			}
			got = append(got, normalLine(l.File+":"+line))
		}
		if len(got) == 0 {
			got = []string{normalLine("??:?")}
		} else {
			known++
		}
		if len(want[a]) == 1 && strings.HasSuffix(want[a][0], ":?") {
			want[a] = []string{"??:?"} // without line information addr2line names the file of the symbol table
			got = got[:1]
			if strings.HasSuffix(got[0], ":?") {
				got = want[a]
			}
		}
		if strings.Join(got, " ") != strings.Join(want[a], " ") {
			if wrong++; wrong <= 5 {
				t.Errorf("%#x:\n addr2line %v\n ours      %v", a, want[a], got)
			}
		}
	}
	t.Logf("%d addresses, %d with lines, %d wrong", len(addrs), known, wrong)
	if known == 0 {
		t.Error("no address had a line")
	}
}

// normalLine keeps the file's last two parts and the line: addr2line shows relative folders as they are written.
func normalLine(s string) string {
	s, _, _ = strings.Cut(s, " (discriminator")
	file, line, _ := strings.Cut(s, ":")
	if line == "0" {
		line = "?"
	}
	file = filepath.Clean(file)
	if file == "." {
		file = "??"
	}
	return filepath.Base(file) + ":" + line
}

// sampleText returns n addresses spread over the code of a file.
func sampleText(t *testing.T, exe string, n uint64) []uint64 {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := f.Section(".text")
	step := max(text.Size/n, 1)
	var out []uint64
	for a := text.Addr; a < text.Addr+text.Size; a += step {
		out = append(out, a)
	}
	return out
}
