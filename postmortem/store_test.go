package postmortem

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestDumpStem(t *testing.T) {
	for name, want := range map[string]string{
		"server":                 "server.7.9",
		"":                       "unknown.7.9",
		"..":                     "_..7.9",
		"../../etc/x":            "_._.._etc_x.7.9",
		"-rf":                    "_rf.7.9",
		"a b\nc\x00d\xff;$(x)":   "a_b_c_d____x_.7.9",
		"größe":                  "gr__e.7.9",
		strings.Repeat("x", 300): strings.Repeat("x", 64) + ".7.9",
	} {
		got := Dump{Name: name, PID: 7, Time: 9}.Stem()
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if !storedFile().MatchString(got + coreSuffix) {
			t.Errorf("Trim does not know %q as its own", got)
		}
	}
}

// TestPutCuts checks that what came before the end of size, time or stream is kept, and why it is not all.
func TestPutCuts(t *testing.T) {
	core, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	half := len(core) / 2
	late := io.MultiReader(bytes.NewReader(core[:half]), iotest.ErrReader(os.ErrDeadlineExceeded))
	broken := io.MultiReader(bytes.NewReader(core[:half]), iotest.ErrReader(unix.EIO))
	for name, test := range map[string]struct {
		r    io.Reader
		max  int
		want int
		cut  string
	}{
		"whole":          {bytes.NewReader(core), 1 << 40, len(core), ""},
		"exactly as big": {bytes.NewReader(core), len(core), len(core), ""},
		"too large":      {bytes.NewReader(core), half, half, fmt.Sprintf("larger than the %d bytes", half)},
		"too slow":       {late, 1 << 40, half, fmt.Sprintf("time to store it was over after %d", half)},
		"broken":         {broken, 1 << 40, half, "input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			got, err := s.Put(test.r, Dump{Name: "c", PID: 1, Time: 2}, int64(test.max))
			if err != nil {
				t.Fatal(err)
			}
			if got.Read != int64(test.want) || (got.Cut == "") != (test.cut == "") || !strings.Contains(got.Cut, test.cut) {
				t.Errorf("%+v, want %d bytes, cut %q", got, test.want, test.cut)
			}
			c := openCore(t, got.Path)
			warned := len(c.Warnings) > 0 && strings.Contains(c.Warnings[0], fmt.Sprintf("and %d are there", test.want))
			if warned != (test.cut != "") {
				t.Errorf("warnings %q", c.Warnings)
			}
			if len(c.Threads) != 2 {
				t.Errorf("%d threads", len(c.Threads))
			}
		})
	}
}

func TestPutLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.Put(strings.NewReader(""), Dump{}, 100); err == nil {
		t.Error("an empty stream was stored")
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}

func TestPutOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skipf("a small file system cannot be mounted (root only): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openStore(t, dir)
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	_, err := s.Put(bytes.NewReader(noise), Dump{Name: "big", PID: 1, Time: 1}, 1<<30)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the disk is full, nothing was kept") {
		t.Errorf("error %v", err)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
	if err := s.Log("still possible"); err != nil {
		t.Errorf("the log: %v", err)
	}
}

// TestTrim checks the order of removal, that reports go with their core, and that nothing of anybody else is touched.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	outside := filepath.Join(t.TempDir(), "outside")
	put := func(path string) {
		if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(outside)
	for _, name := range []string{"new.1.900.core.zst", "b.2.1000.core.zst", "old.3.20.core.zst", "old.3.20.txt", "old.3.20.json",
		"foreign.core.zst", "x.1.2.tar", "handler.log", ".meshdiag-1-1.part", ".meshdiag-2-2.part", ".meshdiag-x.part"} {
		put(filepath.Join(dir, name))
	}
	long := time.Now().Add(-2 * staleAfter)
	for _, name := range []string{".meshdiag-1-1.part", ".meshdiag-x.part"} {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.1.1.core.zst")); err != nil {
		t.Fatal(err)
	}
	foreign := []string{".meshdiag-2-2.part", ".meshdiag-x.part"}
	rest := []string{"foreign.core.zst", "handler.log", "link.1.1.core.zst"}
	check := func(total int64, spare Dump, stay ...string) {
		t.Helper()
		if err := s.Trim(total, spare); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, n := range names(t, dir) {
			got[n] = true
		}
		want := map[string]bool{"x.1.2.tar": true}
		for _, n := range append(append(stay, foreign...), rest...) {
			want[n] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after Trim(%d):\n%s", total, diff)
		}
	}
	check(1<<20, Dump{}, "new.1.900.core.zst", "b.2.1000.core.zst", "old.3.20.core.zst", "old.3.20.txt", "old.3.20.json")
	check(39<<10, Dump{}, "new.1.900.core.zst", "b.2.1000.core.zst")
	check(0, Dump{Name: "new", PID: 1, Time: 900}, "new.1.900.core.zst")
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func TestStoreRefuses(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o770); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{link, filepath.Join(link, "deep", "er"), open, file, "/"} {
		if s, err := OpenStore(dir); err == nil {
			s.Close()
			t.Errorf("%s was taken", dir)
		}
	}
	if got := names(t, real); len(got) > 0 {
		t.Errorf("made behind a link: %q", got)
	}
}

func TestStoreLogIsBoundedAndOneLine(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for range 1200 {
		if err := s.Log("a\nb\x1b[31m" + strings.Repeat("x", 2*maxLogLine)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{storeLog, storeLog + ".old"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > maxLog+2*maxLogLine {
			t.Errorf("%s has %d bytes", name, len(data))
		}
		for line := range bytes.Lines(data) {
			if !bytes.Contains(line, []byte("Z a b [31mx")) || len(line) > maxLogLine+40 {
				t.Fatalf("line %.60q of %d bytes", line, len(line))
			}
		}
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files %q", got)
	}
}

// TestTimedEnds checks that a pipe whose other end stays open and silent ends the reading, on time.
func TestTimedEnds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.WriteString("core"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	got, err := io.ReadAll(Timed(int(r.Fd()), start.Add(100*time.Millisecond)))
	if string(got) != "core" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(start); took < 90*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestMarkedSize(t *testing.T) {
	for _, n := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
		file := append([]byte("compressed"), sizeMark(n)...)
		if got := markedSize(bytes.NewReader(file), uint64(len(file))); got != n {
			t.Errorf("%d, want %d", got, n)
		}
		for i := range file[10 : len(file)-8] {
			bad := bytes.Clone(file)
			bad[10+i] ^= 1
			if got := markedSize(bytes.NewReader(bad), uint64(len(bad))); got != 0 {
				t.Errorf("byte %d is wrong and %d was read", i, got)
			}
		}
		for cut := range file {
			if got := markedSize(bytes.NewReader(file[:cut]), uint64(cut)); got != 0 {
				t.Errorf("cut at %d: %d was read", cut, got)
			}
		}
	}
}
