package heuristics

import (
	"testing"

	"meshdiag/crash"
)

// A free-list link is told by its value alone, as it is when a debug build's check refused it and the load is not seen.
func TestLinkOfHeap(t *testing.T) {
	const start = 0x561246400000
	c := &Case{Crash: &crash.Crash{Mappings: []crash.Mapping{
		{Range: crash.Range{Start: 0x561244000000, End: 0x561244010000}, Path: "/srv/app"},
		{Range: crash.Range{Start: start, End: start + 23<<20}, Path: "[heap]"}, // so large is it after Rust printed a backtrace
	}}}
	last := uint64(start+22<<20) >> pageShift
	for _, v := range []struct {
		name  string
		value uint64
		link  bool
	}{
		{"the last link of a list", last, true},
		{"a field behind the last link", last + 16, true},
		{"an odd place behind the last link", last + 1<<12 + 17, false},
		{"a link to a chunk", last ^ (start + 0x2ae0), true},
		{"an address in the heap", start + 0x2ae0, false},
		{"an address behind the heap", start + 24<<20, false},
		{"a number", 0x2a, false},
	} {
		if got := c.linkOfHeap(v.value); got != v.link {
			t.Errorf("%s (%#x): %t", v.name, v.value, got)
		}
	}
	c.Crash.Mappings[1].End = start + 1<<30
	if c.linkOfHeap(last) {
		t.Error("in a heap of a gigabyte too many values fit")
	}
}
