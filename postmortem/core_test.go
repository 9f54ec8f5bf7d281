package postmortem

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"meshdiag/crash"
)

var kernelCore = sync.OnceValues(makeKernelCore)

var coreDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "meshdiag-core-test-")
	if err != nil {
		panic(err)
	}
	coreDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// makeKernelCore lets a program with two threads die and returns the core that the kernel wrote.
func makeKernelCore() (string, error) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return "", err
	}
	if p := strings.TrimSpace(string(pattern)); strings.HasPrefix(p, "|") || strings.Contains(p, "/") {
		return "", fmt.Errorf("kernel.core_pattern is %q: cores do not land in the current folder", p)
	}
	exe := filepath.Join(coreDir, "threads")
	if out, err := exec.Command("gcc", "-g", "-O1", "-pthread", "-o", exe, "testdata/threads.c").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec ./threads --password=hunter2 'two words'")
	cmd.Dir = coreDir
	cmd.Env = append(os.Environ(), "MESHDIAG_TEST=from the environment")
	cmd.Run()
	cores, _ := filepath.Glob(filepath.Join(coreDir, "core*"))
	if len(cores) != 1 {
		return "", fmt.Errorf("the kernel wrote %d cores", len(cores))
	}
	return cores[0], nil
}

func needCore(t testing.TB) string {
	path, err := kernelCore()
	if err != nil {
		t.Skipf("no core of the kernel to read: %v", err)
	}
	return path
}

func openCore(t testing.TB, path string) *crash.Crash {
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.Crash
}

func TestKernelCore(t *testing.T) {
	checkObservation(t, openCore(t, needCore(t)))
}

// checkObservation checks what every core of threads.c must say.
func checkObservation(t *testing.T, c *crash.Crash) {
	t.Helper()
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	if len(c.Threads) != 2 || !c.IsLeader(&c.Threads[0]) || c.Focus != 1 {
		t.Fatalf("%d threads, focus %d", len(c.Threads), c.Focus)
	}
	s := c.Outcome.Signal
	if s == nil || s.Name() != "SIGSEGV" || s.CodeName() != "SEGV_MAPERR" || s.Address != 8 && s.Address != 0 {
		t.Errorf("signal %+v", s)
	}
	if got := c.Target.Args; len(got) != 3 || got[0] != "./threads" || got[2] != "two words" {
		t.Errorf("args %q", got)
	}
	found := false
	for _, e := range c.Target.Env {
		found = found || e == "MESHDIAG_TEST=from the environment"
	}
	if !found {
		t.Errorf("environment %q lacks the test's variable", c.Target.Env)
	}
	if filepath.Base(c.Target.ExePath) != "threads" {
		t.Errorf("executable %q", c.Target.ExePath)
	}
	heaps := slices.DeleteFunc(slices.Clone(c.Mappings), func(m crash.Mapping) bool { return m.Path != "[heap]" })
	if len(heaps) != 1 || !heaps[0].PermsOK || heaps[0].Perms != crash.Read|crash.Write {
		t.Errorf("the heap is %v", heaps)
	}
	regs := &c.FocusThread().Regs
	if m, ok := c.MappingAt(regs.RIP); !ok || m.Perms&crash.Exec == 0 || filepath.Base(m.Path) != "threads" {
		t.Errorf("the program counter %#x is not in the executable's code", regs.RIP)
	}
	if _, err := crash.ReadUint64(c.Memory, regs.RSP); err != nil {
		t.Errorf("the stack cannot be read: %v", err)
	}
	var unreadable *crash.UnreadableError
	if _, err := crash.ReadUint64(c.Memory, 8); !errors.As(err, &unreadable) {
		t.Errorf("reading address 8: %v", err)
	}
}

func TestCompressedCores(t *testing.T) {
	path := needCore(t)
	plain := openCore(t, path)
	for name, pack := range map[string]func(io.Writer) (io.WriteCloser, error){
		"zst": zstdWriter,
		"lz4": func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil },
		"gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
	} {
		t.Run(name, func(t *testing.T) {
			packed := filepath.Join(t.TempDir(), "core."+name)
			compressFile(t, path, packed, pack)
			c := openCore(t, packed)
			checkObservation(t, c)
			compareMemory(t, plain, c)
		})
	}
}

func zstdWriter(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }

func compressFile(t *testing.T, from, to string, pack func(io.Writer) (io.WriteCloser, error)) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := pack(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// compareMemory reads a few places, backwards, so that a stream has to start over.
func compareMemory(t *testing.T, want, got *crash.Crash) {
	t.Helper()
	for i := len(want.Mappings) - 1; i >= 0; i -= 3 {
		a, b := make([]byte, 5000), make([]byte, 5000)
		n, errA := want.Memory.ReadMemory(a, want.Mappings[i].Start+100)
		m, errB := got.Memory.ReadMemory(b, want.Mappings[i].Start+100)
		if n != m || !bytes.Equal(a[:n], b[:m]) || (errA == nil) != (errB == nil) {
			t.Errorf("mapping %d: %d bytes (%v) and %d bytes (%v)", i, n, errA, m, errB)
		}
	}
}

func TestSaveAndReadAgain(t *testing.T) {
	c := openCore(t, needCore(t))
	path := filepath.Join(t.TempDir(), "saved.core")
	if err := Save(path, c, DefaultFilter); err != nil {
		t.Fatal(err)
	}
	again := openCore(t, path)
	checkObservation(t, again)
	for i := range c.Threads {
		if c.Threads[i].Regs != again.Threads[i].Regs || !bytes.Equal(c.Threads[i].FP, again.Threads[i].FP) {
			t.Errorf("thread %d differs", i)
		}
	}
	for i := range c.Mappings {
		a, b := c.Mappings[i], again.Mappings[i]
		a.FileSize, b.FileSize = 0, 0 // depends on when the core was written
		if a != b {
			t.Errorf("mapping %d: %+v, again %+v", i, a, b)
		}
	}
}

// TestGdbReadsOurCores holds what we write against gdb and eu-stack.
func TestGdbReadsOurCores(t *testing.T) {
	c := openCore(t, needCore(t))
	path := filepath.Join(t.TempDir(), "saved.core")
	if err := Save(path, c, DefaultFilter); err != nil {
		t.Fatal(err)
	}
	for _, tool := range [][]string{
		{"gdb", "-batch", "-ex", "bt", c.Target.ExePath, path},
		{"eu-stack", "--core=" + path, "--executable=" + c.Target.ExePath},
	} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Logf("not compared with %s: %v", tool[0], err)
			continue
		}
		out, err := exec.Command(tool[0], tool[1:]...).Output()
		if err != nil {
			t.Errorf("%v: %v\n%s", tool, err, out)
		}
		for _, name := range []string{"length", "work"} {
			if !strings.Contains(string(out), name) {
				t.Errorf("%s does not show %s:\n%s", tool[0], name, out)
			}
		}
	}
}

func TestGcore(t *testing.T) {
	needCore(t)
	if _, err := exec.LookPath("gcore"); err != nil {
		t.Skip("gcore (package gdb) is not installed")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	out := filepath.Join(t.TempDir(), "g")
	if text, err := exec.Command("gcore", "-o", out, fmt.Sprint(cmd.Process.Pid)).CombinedOutput(); err != nil {
		t.Fatalf("gcore: %v\n%s", err, text)
	}
	c := openCore(t, fmt.Sprintf("%s.%d", out, cmd.Process.Pid))
	if c.Outcome.End != crash.EndRunning || len(c.Threads) != 1 || c.Target.Args[1] != "60" {
		t.Errorf("end %q, %d threads, args %q", c.Outcome.End, len(c.Threads), c.Target.Args)
	}
}

func TestNoCore(t *testing.T) {
	dir := t.TempDir()
	elf, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":      {nil, "the file is empty"},
		"text":       {[]byte("hello, I am no core at all, and long enough for a header to be read from me....."), "not an ELF file"},
		"cut header": {elf[:30], "ends inside its ELF header"},
		"executable": {elf[:4096], "an executable or shared library"},
		"32 bit":     {append([]byte("\x7fELF\x01\x01\x01"), elf[7:100]...), "32-bit"},
		"big endian": {append([]byte("\x7fELF\x02\x02\x01"), elf[7:100]...), "big-endian"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		var no *NotACoreError
		if !errors.As(err, &no) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
}

// TestEveryCut cuts a core at many places, all headers among them: it must open or be refused in a sentence.
func TestEveryCut(t *testing.T) {
	data, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut")
	cuts := []int{0, 1, 4, 16, 63, 64, 65, 64 + phdrSize, 64 + 2*phdrSize + 3}
	for i := 0; i < 200; i++ {
		cuts = append(cuts, i*40, len(data)*i/200)
	}
	for _, cut := range cuts {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path)
		if err != nil {
			continue
		}
		if len(c.Crash.Warnings) == 0 {
			t.Errorf("cut at %d: opened without a word on what is missing", cut)
		}
		for _, th := range c.Crash.Threads {
			crash.ReadUint64(c.Crash.Memory, th.Regs.RSP)
		}
		c.Close()
	}
}

func FuzzOpen(f *testing.F) {
	if path, err := kernelCore(); err == nil {
		if file, err := os.Open(path); err == nil {
			head := make([]byte, 16<<10)
			n, _ := io.ReadFull(file, head)
			f.Add(head[:n])
			file.Close()
		}
	}
	f.Add([]byte("\x7fELF"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := read(bytes.NewReader(data), uint64(len(data)), time.Time{})
		if (c == nil) == (err == nil) {
			t.Fatal("neither a core nor an error, or both")
		}
	})
}
