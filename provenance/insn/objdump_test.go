package insn

import (
	"bufio"
	"debug/elf"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestAgainstObjdump takes objdump as the oracle for the length of every instruction of real libraries. The bound is the
// share of instructions that may differ; objdump itself joins fwait with its neighbour and we refuse FMA4.
func TestAgainstObjdump(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes whole libraries")
	}
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("no objdump")
	}
	for _, c := range []struct {
		glob  string
		share float64
	}{
		{"/lib/x86_64-linux-gnu/libc.so.6", 0.0001},
		{"/lib/x86_64-linux-gnu/libm.so.6", 0.006},
		{"/lib/x86_64-linux-gnu/libstdc++.so.6", 0.0001},
		{"/lib/x86_64-linux-gnu/libcrypto.so.3", 0.002}, // has tables of data among its code,
	} {
		t.Run(filepath.Base(c.glob), func(t *testing.T) {
			if _, err := os.Stat(c.glob); err != nil {
				t.Skip(err)
			}
			compareWithObjdump(t, objdump, c.glob, c.share)
		})
	}
}

func compareWithObjdump(t *testing.T, objdump, path string, share float64) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := f.Section(".text")
	code, err := text.Data()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(objdump, "-d", "-w", "--section=.text", "-M", "intel", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	total, bad := 0, 0
	shown := map[string]bool{}
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		addr, n, words, ok := objdumpLine(sc.Text())
		if !ok || strings.Contains(words, "(bad)") || strings.Contains(words, ".byte") {
			continue
		}
		total++
		at := addr - text.Addr
		in, err := Decode(code[at:min(at+MaxLen, uint64(len(code)))], addr)
		if err == nil && in.Len == n {
			checkSummary(t, &in)
			_ = in.Text()
			continue
		}
		bad++
		word := strings.Fields(words + " ?")[0]
		if !shown[word] && len(shown) < 20 {
			shown[word] = true
			t.Logf("%#x: % x: objdump %d %q, got %d %v", addr, code[at:at+uint64(n)], n, words, in.Len, err)
		}
	}
	if err := errors.Join(sc.Err(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instructions, %d differ (%.4f %%)", total, bad, 100*float64(bad)/float64(total))
	if total < 1000 || float64(bad) > share*float64(total) {
		t.Errorf("%d of %d instructions differ", bad, total)
	}
}

// checkSummary: the summary must hold everything that the effects hold.
func checkSummary(t *testing.T, in *Insn) {
	s, eff := in.Summary(), in.Effects()
	for _, w := range eff.Writes {
		switch {
		case w.Dst.Kind == MemOperand && !s.Store:
			t.Errorf("%s: the summary lacks the store", in.Text())
		case w.Dst.Kind == RegOperand && w.Dst.Reg < 16 && s.Writes&(1<<w.Dst.Reg) == 0:
			t.Errorf("%s: the summary lacks that %s is written", in.Text(), w.Dst.Reg)
		case w.Dst.Kind == RegOperand && w.Dst.Reg >= 16 && !s.Vector:
			t.Errorf("%s: the summary lacks that %s is written", in.Text(), w.Dst.Reg)
		}
	}
	for _, r := range eff.Reads {
		if r.Kind == RegOperand && r.Reg < 16 && s.Reads&(1<<r.Reg) == 0 {
			t.Errorf("%s: the summary lacks that %s is read", in.Text(), r.Reg)
		}
	}
}

// objdumpLine parses "  addr:\thex bytes \tmnemonic operands".
func objdumpLine(s string) (addr uint64, n int, words string, ok bool) {
	parts := strings.SplitN(s, "\t", 3)
	if len(parts) < 3 {
		return 0, 0, "", false
	}
	addr, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(parts[0]), ":"), 16, 64)
	if err != nil {
		return 0, 0, "", false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(parts[1]), " ", ""))
	return addr, len(b), parts[2], err == nil
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"488b00", "c5f877", "f30f1efa", "62f17c48110512000000", "f3a4", "c8100001", "660fc7", "0f38f6"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		in, err := Decode(code, 0x400000)
		if err != nil {
			return
		}
		if in.Len < 1 || in.Len > len(code) || in.Len > MaxLen {
			t.Fatalf("% x: length %d of %d bytes", code, in.Len, len(code))
		}
		_ = in.Text()
		_ = in.Effects()
	})
}
