package tracer

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestTouched writes to some pages of a mapping of this process and asks which they are.
func TestTouched(t *testing.T) {
	const pages = 3 * pagemapBatch
	mem, err := unix.Mmap(-1, 0, pages*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Madvise(mem, unix.MADV_NOHUGEPAGE); err != nil {
		t.Logf("huge pages: %v", err)
	}
	base := uint64(uintptr(unsafe.Pointer(&mem[0])))
	touch := func(page int) { mem[page*pageSize+7] = 1 }
	// The first, a run over the border of two batches, one alone, and the last.
	want := [][2]int{{0, 1}, {pagemapBatch - 2, pagemapBatch + 2}, {2 * pagemapBatch, 2*pagemapBatch + 1}, {pages - 1, pages}}
	for _, run := range want {
		for p := run[0]; p < run[1]; p++ {
			touch(p)
		}
	}
	m := &liveMemory{tid: os.Getpid()}
	check := func(from, to uint64, want [][2]int) {
		t.Helper()
		var got [][2]int
		for start, end := range m.Touched(from, to) {
			got = append(got, [2]int{int(start-base) / pageSize, int(end-base) / pageSize})
		}
		if len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%v, want %v", got, want)
			}
		}
	}
	check(base, base+pages*pageSize, want)
	check(base+pageSize, base+2*pagemapBatch*pageSize, want[1:2])
	check(base+pageSize, base+2*pageSize, nil)
	m.gone = true
	check(base, base+2*pageSize, [][2]int{{0, 2}})
	m = &liveMemory{tid: 1 << 30} // there is no such process
	check(base, base+pageSize, [][2]int{{0, 1}})
}
