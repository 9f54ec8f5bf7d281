package postmortem

import (
	"testing"

	"meshdiag/crash"
)

// TestHeapByLayout checks which mapping of a core without names is taken for the heap.
func TestHeapByLayout(t *testing.T) {
	const rw, exe = crash.Read | crash.Write, "/srv/server"
	at := func(start, end uint64, perms crash.Perms, path string) crash.Mapping {
		return crash.Mapping{Range: crash.Range{Start: start, End: end}, Perms: perms, PermsOK: true, Path: path}
	}
	for name, test := range map[string]struct {
		behind []crash.Mapping
		want   uint64
	}{
		"behind the executable":    {[]crash.Mapping{at(0x900000, 0x921000, rw, "")}, 0x900000},
		"behind its zeroed data":   {[]crash.Mapping{at(0x403000, 0x405000, rw, ""), at(0x900000, 0x921000, rw, "")}, 0x900000},
		"none":                     {[]crash.Mapping{at(0x7f0000000000, 0x7f0000021000, rw, "")}, 0},
		"a library comes first":    {[]crash.Mapping{at(0x900000, 0x901000, crash.Read, "/lib/x.so"), at(0xa00000, 0xa21000, rw, "")}, 0},
		"code that was made there": {[]crash.Mapping{at(0x900000, 0x921000, rw|crash.Exec, "")}, 0},
	} {
		c := &crash.Crash{Auxv: map[uint64]uint64{atPhdr: 0x400040}}
		c.Mappings = append([]crash.Mapping{at(0x400000, 0x402000, crash.Read|crash.Exec, exe), at(0x402000, 0x403000, rw, exe)}, test.behind...)
		nameSpecial(c)
		got := uint64(0)
		for _, m := range c.Mappings {
			if m.Path == "[heap]" {
				got = m.Start
			}
		}
		if got != test.want {
			t.Errorf("%s: %#x, want %#x", name, got, test.want)
		}
	}
}
