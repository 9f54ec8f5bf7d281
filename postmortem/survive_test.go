package postmortem

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"meshdiag/crash"
)

// coreBytes is a copy of the kernel's core, to be damaged.
func coreBytes(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readBytes(b []byte) (*Core, error) {
	return read(bytes.NewReader(b), uint64(len(b)), time.Now())
}

// eachNote calls fn with each note's header and content.
func eachNote(t *testing.T, b []byte, fn func(head, desc []byte)) {
	t.Helper()
	le := binary.LittleEndian
	ph := b[le.Uint64(b[32:]):]
	if le.Uint32(ph) != ptNote {
		t.Fatal("the first segment holds no notes")
	}
	off, size := le.Uint64(ph[8:]), le.Uint64(ph[32:])
	for n := b[off : off+size]; len(n) > 12; {
		desc := 12 + align4(uint64(le.Uint32(n)))
		next := desc + align4(uint64(le.Uint32(n[4:])))
		fn(n[:desc], n[desc:next])
		n = n[next:]
	}
}

// withoutNote makes all notes of a kind unrecognisable.
func withoutNote(t *testing.T, b []byte, kind uint32) []byte {
	t.Helper()
	found := false
	eachNote(t, b, func(head, _ []byte) {
		if binary.LittleEndian.Uint32(head[8:]) == kind {
			binary.LittleEndian.PutUint32(head[8:], 0x7fffffff)
			found = true
		}
	})
	if !found {
		t.Fatalf("the core has no note %#x", kind)
	}
	return b
}

// TestNoThread checks that a core without any thread is never taken for that of a process that was well.
func TestNoThread(t *testing.T) {
	b := coreBytes(t)
	notes := binary.LittleEndian.Uint64(b[64+8:])
	for name, test := range map[string]struct {
		core []byte
		want string
	}{
		"cut before the notes":      {b[:notes], "the core is cut short before its first thread (1"},
		"cut in the segment table":  {b[:200], "the core is cut short before its first thread (200 bytes are there)"},
		"notes of threads are gone": {withoutNote(t, bytes.Clone(b), ntPrstatus), "the core's notes tell of no thread: they are missing or damaged"},
	} {
		_, err := readBytes(test.core)
		var not *NotACoreError
		if !errors.As(err, &not) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoSiginfo checks that of a signal of which only the number is known nothing else is said. The code in NT_PRSTATUS is
// always 0, which would be "sent by a process".
func TestNoSiginfo(t *testing.T) {
	c, err := readBytes(withoutNote(t, coreBytes(t), ntSiginfo))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Crash.Outcome.Signal
	if s == nil || s.Name() != "SIGSEGV" || s.Sent() || !s.IsFault() || s.HasAddress() || s.CodeName() != "" {
		t.Errorf("signal %+v, code %q", s, s.CodeName())
	}
	if got := strings.Join(c.Crash.Warnings, "\n"); !strings.Contains(got, "the core does not say why SIGSEGV was raised") {
		t.Errorf("warnings %q", got)
	}
}

// TestNoAuxv checks that the program still has a name when nothing tells where its headers are.
func TestNoAuxv(t *testing.T) {
	c, err := readBytes(withoutNote(t, coreBytes(t), ntAuxv))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Crash.Target; got.Path != "./threads" || len(got.Args) == 0 || got.Args[0] != "./threads" {
		t.Errorf("target %+v", got)
	}
	c, err = readBytes(withoutNote(t, withoutNote(t, coreBytes(t), ntAuxv), ntPrpsinfo))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Crash.Target; got.Path != "" || len(got.Args) != 0 {
		t.Errorf("target %+v out of nothing", got)
	}
}

// TestWhatElse checks the sentence on files that are no cores of x86-64 processes.
func TestWhatElse(t *testing.T) {
	change := func(at int, to ...byte) func([]byte) {
		return func(b []byte) { copy(b[at:], to) }
	}
	for want, damage := range map[string]func([]byte){
		"the core is of an AArch64 process; only":                          change(18, 183),
		"the core is of a RISC-V process; only":                            change(18, 243),
		"the core is of a process of another architecture (ELF machine 99": change(18, 99),
		"the core is of a 32-bit process; only":                            change(18, 3),
		"the core is of an s390 process; only":                             func(b []byte) { b[5] = 2; copy(b[16:], []byte{0, 4, 0, 22}) },
		"the file is an executable or shared library, not a core dump":     func(b []byte) { b[4], b[16], b[18] = 1, 3, 3 },
		"the file is compressed with bzip2; unpack it first":               change(0, []byte("BZh91AY&SY")...),
	} {
		b := coreBytes(t)[:4096]
		damage(b)
		if _, err := readBytes(b); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestDamagedSegments checks that what a table of segments claims beyond reason is not believed.
func TestDamagedSegments(t *testing.T) {
	le := binary.LittleEndian
	for name, damage := range map[string]func([]byte){
		"a number that stands elsewhere, where nothing is": func(b []byte) { le.PutUint16(b[56:], pnXNum) },
		"too many segments":           func(b []byte) { le.PutUint16(b[56:], 5000) },
		"an offset beyond all disks":  func(b []byte) { le.PutUint64(b[64+56*2+8:], 1<<60) },
		"a size beyond all disks":     func(b []byte) { le.PutUint64(b[64+56*2+32:], 1<<60) },
		"an address that is no page":  func(b []byte) { le.PutUint64(b[64+56*2+16:], 0x1234567) },
		"an address that wraps round": func(b []byte) { le.PutUint64(b[64+56*2+40:], 1<<63|1<<62) },
	} {
		b := coreBytes(t)
		damage(b)
		c, err := readBytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := strings.Join(c.Crash.Warnings, "\n")
		if !strings.Contains(got, "table of segments is damaged") || strings.Contains(got, "cut short") || len(c.Crash.Warnings) != 1 {
			t.Errorf("%s: warnings %q", name, got)
		}
		if len(c.Crash.Threads) != 2 || c.Crash.Outcome.Signal == nil {
			t.Errorf("%s: %d threads, %+v", name, len(c.Crash.Threads), c.Crash.Outcome)
		}
		if _, err := crash.ReadUint64(c.Crash.Memory, c.Crash.FocusThread().Regs.RSP); err != nil {
			t.Errorf("%s: the stack cannot be read: %v", name, err)
		}
	}
}

// TestZeroedRegisters checks that registers that no process can have are not taken for its registers: with a program counter
// of 0 they would look like a call of NULL.
func TestZeroedRegisters(t *testing.T) {
	b := coreBytes(t)
	first := true
	eachNote(t, b, func(head, desc []byte) {
		if first && binary.LittleEndian.Uint32(head[8:]) == ntPrstatus {
			first = false
			clear(desc[112:])
		}
	})
	c, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Crash.FocusThread(); f == nil || f.RegsOK {
		t.Errorf("the registers are believed: rip %#x", f.Regs.RIP)
	}
	if got := strings.Join(c.Crash.Warnings, "\n"); !strings.Contains(got, "are damaged") {
		t.Errorf("warnings %q", got)
	}
}

// TestNoFileList checks that a core that does not tell which files were mapped says what that costs.
func TestNoFileList(t *testing.T) {
	c, err := readBytes(withoutNote(t, coreBytes(t), ntFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Crash.Warnings, "\n"); !strings.Contains(got, "which files were mapped") {
		t.Errorf("warnings %q", got)
	}
}

// TestCutStream checks that a compressed core that is cut short says so, where that is noticed at all.
func TestCutStream(t *testing.T) {
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	core := coreBytes(t)
	if _, err := z.Write(core); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := readBytes(packed.Bytes()[:40]); err == nil || err.Error() != "the zstd stream is cut short before the header of a core" {
		t.Errorf("cut in front: %v", err)
	}
	c, err := readBytes(packed.Bytes()[:packed.Len()/2])
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("the core is cut short: %d bytes were expected and ", len(core))
	if w := c.Crash.Warnings; len(w) == 0 || !strings.HasPrefix(w[0], want) || !c.Crash.Incomplete {
		t.Errorf("warnings %q, want first %q", w, want)
	}
	packed.Reset()
	g := gzip.NewWriter(&packed)
	if _, err := g.Write([]byte("no core\n")); err != nil || g.Close() != nil {
		t.Fatal(err)
	}
	if _, err := readBytes(packed.Bytes()); err == nil || err.Error() != "unpacked, the file is not an ELF file, so it is no core dump" {
		t.Errorf("text: %v", err)
	}
}

// TestDamagedFileList checks that a damaged list of mapped files is told in two sentences at most, and that no path of it is
// looked up in the current folder.
func TestDamagedFileList(t *testing.T) {
	b := coreBytes(t)
	eachNote(t, b, func(head, desc []byte) {
		if binary.LittleEndian.Uint32(head[8:]) == ntFile {
			desc[0]++ // one entry more than there are, so that its names begin in the middle of one
		}
	})
	c, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Crash.Warnings); n == 0 || n > 2 || !strings.Contains(c.Crash.Warnings[0], "list of mapped files") {
		t.Errorf("warnings %q", c.Crash.Warnings)
	}
	for _, m := range c.Crash.Mappings {
		if m.Path != "" && m.Path[0] != '/' && m.Path[0] != '[' {
			t.Errorf("path %q", m.Path)
		}
	}
}

// TestWhoseThread checks that the thread that died is taken for the main one only where the core tells.
func TestWhoseThread(t *testing.T) {
	whole := openCore(t, needCore(t)).Target.PID
	b := coreBytes(t)
	c, err := readBytes(withoutNote(t, bytes.Clone(b), ntPrpsinfo))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Crash.Target.PID; got != whole {
		t.Errorf("process %d, want %d: the thread that is there from the start has the lowest number", got, whole)
	}
	second := 0 // where the second note, NT_PRPSINFO, begins
	eachNote(t, b, func(head, _ []byte) {
		if binary.LittleEndian.Uint32(head[8:]) == ntPrpsinfo {
			second = bytes.Index(b, head)
		}
	})
	if c, err = readBytes(b[:second]); err != nil {
		t.Fatal(err)
	}
	if got := c.Crash.Target.PID; got != 0 || c.Crash.IsLeader(c.Crash.FocusThread()) {
		t.Errorf("process %d, and nothing tells", got)
	}
}
