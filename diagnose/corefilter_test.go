package diagnose

import (
	"debug/elf"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"meshdiag/postmortem"
)

// TestCoreFilterIsTheKernels lets one process die under meshdiag, which saves a core of it and lets it go on, and then the
// kernel dumps the same process. Both cores must hold the same parts of the same mappings, for each bit of the filter.
func TestCoreFilterIsTheKernels(t *testing.T) {
	needPlainCores(t)
	exe := filepath.Join(t.TempDir(), "mappings")
	if out, err := exec.Command("gcc", "-O1", "-o", exe, "testdata/mappings.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, bits := range []postmortem.Filter{0, 1, 2, 4, 8, 0x10, postmortem.DefaultFilter, 0x1f, 0x7f} {
		t.Run(fmt.Sprintf("%#x", uint(bits)), func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			saved := filepath.Join(dir, "saved")
			r := diagnosedWith(t, RunOptions{Path: exe, Args: []string{fmt.Sprintf("%#x", uint(bits))}, SaveCore: saved, CoreFilter: &bits})
			cores, _ := filepath.Glob(filepath.Join(dir, "core*"))
			if len(cores) != 1 {
				t.Fatalf("the kernel wrote %d cores of %s: %+v", len(cores), exe, r.Outcome)
			}
			compareSegments(t, loadSegments(t, cores[0]), loadSegments(t, saved))
		})
	}
}

// held is how much of a mapping a core holds, and whether any of it is not zero.
type held struct {
	bytes uint64
	data  bool
}

func loadSegments(t *testing.T, path string) map[uint64]held {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[uint64]held{}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Vaddr >= 1<<63 { // [vsyscall] is the kernel's memory: ptrace does not read it
			continue
		}
		content, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		h := held{bytes: p.Filesz}
		for _, b := range content {
			h.data = h.data || b != 0
		}
		all[p.Vaddr] = h
	}
	return all
}

func compareSegments(t *testing.T, kernel, ours map[uint64]held) {
	t.Helper()
	same := 0
	for at, want := range kernel {
		got, ok := ours[at]
		switch {
		case !ok:
			t.Errorf("%#x: the kernel has %d bytes, ours does not know the mapping", at, want.bytes)
		case want.bytes == 0 && got.bytes > 0 && !got.data: // a hole for what nobody wrote to
		case got.bytes == 0 && want.bytes > 0 && !want.data: // [vvar], which the kernel cannot read and says zeros of
		case got != want:
			t.Errorf("%#x: the kernel has %+v, ours %+v", at, want, got)
		case want.bytes > 0:
			same++
		}
	}
	if len(ours) != len(kernel) || same == 0 {
		t.Errorf("%d mappings, the kernel has %d; %d of them hold bytes in both", len(ours), len(kernel), same)
	}
}
