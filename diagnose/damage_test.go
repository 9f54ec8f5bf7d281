package diagnose

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"meshdiag/report"
)

const (
	damageTime   = 5 * time.Second // of one report of a damaged core; a sound one takes 10 ms
	damageMemory = 300 << 20       // bytes allocated for one, freed ones included
)

// damaged reports on a core that may be anything, and fails where that takes too long or too much memory. A panic fails by
// itself.
func damaged(t *testing.T, path, what string) (*report.Report, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	r, err := Core(context.Background(), CoreOptions{Options: Options{Profile: "none", Version: "test"}, Path: path})
	if d := time.Since(start); d > damageTime {
		t.Errorf("%s: took %v", what, d)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > damageMemory {
		t.Errorf("%s: allocated %d MiB", what, n>>20)
	}
	if err == nil && r == nil {
		t.Errorf("%s: neither a report nor an error", what)
	}
	return r, err
}

// damageCore is a core to damage.
type damageCore struct {
	name    string
	path    string
	head    int // bytes of headers and notes in front of the memory
	changes int // single bytes to change
}

// damageCores are one of each shape: small, with a stack that ended after very many frames, with many threads, whose notes
// are most of the headers, and of a process that hung.
func damageCores(t *testing.T) []damageCore {
	threads := filepath.Join(t.TempDir(), "many.c")
	if err := os.WriteFile(threads, []byte(manyThreads), 0o600); err != nil {
		t.Fatal(err)
	}
	many := filepath.Join(t.TempDir(), "many")
	if out, err := exec.Command("gcc", "-O1", "-pthread", "-o", many, threads).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var all []damageCore
	for _, c := range []struct {
		name    string
		exe     string
		changes int
		stall   time.Duration
	}{
		{"small", compiled(t, &victim{Source: "null.c"}), 1000, 0},
		{"deep recursion", compiled(t, &victim{Source: "recursion.c"}), 60, 0},
		{"many threads", many, 200, 0},
		{"hang", compiled(t, &victim{Source: "hangabba.rs"}), 100, stallAfter},
	} {
		d := damageCore{name: c.name, path: filepath.Join(t.TempDir(), "saved.core"), changes: c.changes}
		if os.Getenv("MESHDIAG_LAW") == "all" {
			d.changes = 10000
		}
		diagnosedWith(t, RunOptions{Path: c.exe, SaveCore: d.path, StallAfter: c.stall})
		data, err := os.ReadFile(d.path)
		if err != nil {
			t.Fatal(err)
		}
		// The first load segment follows the notes: program header 1, p_offset (gABI, figure 5-1).
		d.head = int(data[64+56+8]) | int(data[64+56+9])<<8 | int(data[64+56+10])<<16
		if d.head < 4096 || d.head > len(data) {
			t.Fatalf("%s: headers and notes of %d bytes", c.name, d.head)
		}
		all = append(all, d)
	}
	return all
}

// TestCutCore cuts each core at more than 200 places, headers among them.
func TestCutCore(t *testing.T) {
	for _, c := range damageCores(t) {
		t.Run(c.name, func(t *testing.T) { cutCore(t, c.path, c.head) })
	}
}

func cutCore(t *testing.T, path string, head int) {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var cuts []int64
	for i := range int64(100) {
		cuts = append(cuts, i*int64(head)/100, int64(head)+i*(info.Size()-int64(head))/100)
	}
	for i := range int64(20) {
		cuts = append(cuts, 64+56*i-1, 64+56*i)
	}
	slices.Sort(cuts)
	short := filepath.Join(t.TempDir(), "cut")
	if out, err := exec.Command("cp", "--sparse=always", path, short).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, cut := range slices.Backward(cuts) {
		if err := os.Truncate(short, cut); err != nil {
			t.Fatal(err)
		}
		r, err := damaged(t, short, "cut")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("cut at %d: more than one sentence: %v", cut, err)
			}
			continue
		}
		if !strings.Contains(strings.Join(r.Warnings, "\n"), "cut short") {
			t.Errorf("cut at %d: the warnings do not say so: %q", cut, r.Warnings)
		}
	}
}

// TestDamagedCore changes single bytes of headers and notes, each in a sound core; MESHDIAG_LAW=all changes 10,000 of each.
func TestDamagedCore(t *testing.T) {
	for _, c := range damageCores(t) {
		t.Run(c.name, func(t *testing.T) { changeCore(t, c.path, c.head, c.changes) })
	}
}

func changeCore(t *testing.T, path string, head, changes int) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	random := rand.New(rand.NewPCG(1, 2))
	for range changes {
		at := int64(random.IntN(head))
		if random.IntN(4) > 0 {
			at = int64(random.IntN(min(head, 8192))) // most of a big note is text; the headers are what hurts
		}
		var old [1]byte
		if _, err := f.ReadAt(old[:], at); err != nil {
			t.Fatal(err)
		}
		change := []byte{byte(random.IntN(256)), 0, 0xff, old[0] ^ 0x80}[random.IntN(4)]
		if _, err := f.WriteAt([]byte{change}, at); err != nil {
			t.Fatal(err)
		}
		if _, err := damaged(t, path, "change"); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("byte %#x = %#x: more than one sentence: %v", at, change, err)
		}
		if t.Failed() {
			t.Fatalf("byte %#x changed from %#x to %#x", at, old[0], change)
		}
		if _, err := f.WriteAt(old[:], at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStrippedAndMissingBinary checks that a core without names, or without its program, still gives a true report.
func TestStrippedAndMissingBinary(t *testing.T) {
	exe := compile(t, &victim{Source: "null.c"})
	path := filepath.Join(t.TempDir(), "saved.core")
	live := diagnosedWith(t, RunOptions{Path: exe, SaveCore: path})
	if out, err := exec.Command("strip", exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stripped := coreReport(t, path)
	if a, b := live.Fault, stripped.Fault; b == nil || str(a.Class) != str(b.Class) || str(a.Operand) != str(b.Operand) {
		t.Errorf("stripped: fault %+v, with symbols %+v", b, a)
	}
	if stripped.Causes[0].ID != live.Causes[0].ID {
		t.Errorf("stripped: cause %s, with symbols %s", stripped.Causes[0].ID, live.Causes[0].ID)
	}
	if len(stripped.Threads[0].Frames) != len(live.Threads[0].Frames) {
		t.Errorf("stripped: %d frames, with symbols %d", len(stripped.Threads[0].Frames), len(live.Threads[0].Frames))
	}
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	missing := coreReport(t, path)
	if missing.Outcome.Kind != "crashed" || !strings.Contains(strings.Join(missing.Warnings, "\n"), "no such file") {
		t.Errorf("missing: outcome %s, warnings %q", missing.Outcome.Kind, missing.Warnings)
	}
	if missing.Causes[0].Confidence > live.Causes[0].Confidence {
		t.Errorf("missing: more sure (%.2f) than with the program (%.2f)", missing.Causes[0].Confidence, live.Causes[0].Confidence)
	}
}
