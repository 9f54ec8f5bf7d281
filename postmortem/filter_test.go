package postmortem

import (
	"testing"

	"meshdiag/crash"
)

// TestPlanKnowsWhatItDoesNotHave checks sizes that a comparison with the kernel's cores cannot: diagnose has that one.
func TestPlanKnowsWhatItDoesNotHave(t *testing.T) {
	const known, own = crash.TraitsKnown, crash.TraitsKnown | crash.OwnPages
	mapping := func(size uint64, m crash.Mapping) crash.Mapping {
		m.Start, m.End, m.PermsOK = 0x10000, 0x10000+size, true
		if m.Perms&crash.Read == 0 {
			m.Perms |= crash.Read | crash.Write
		}
		if m.FileSize == 0 {
			m.FileSize = -1
		}
		return m
	}
	for name, tt := range map[string]struct {
		m      crash.Mapping
		filter Filter
		want   uint64
	}{
		"behind the end of its file":      {mapping(0x8000, crash.Mapping{Path: "/f", FileSize: 0x2001, Traits: own}), AnonPrivate, 0x3000},
		"from an offset behind the end":   {mapping(0x8000, crash.Mapping{Path: "/f", FileSize: 0x2001, Offset: 0x4000}), FilePrivate, 0},
		"of a file of unknown size":       {mapping(0x8000, crash.Mapping{Path: "/f"}), FilePrivate, 0x8000},
		"of a file that is gone":          {mapping(0x8000, crash.Mapping{Path: "/f", FileSize: 1, Deleted: true}), FilePrivate, 0x8000},
		"never written, small":            {mapping(maxHole, crash.Mapping{Traits: known}), AnonPrivate, maxHole},
		"never written, a reservation":    {mapping(maxHole+pageSize, crash.Mapping{Traits: known}), AnonPrivate, 0},
		"written, large":                  {mapping(maxHole+pageSize, crash.Mapping{Traits: own}), AnonPrivate, maxHole + pageSize},
		"large, and nobody looked":        {mapping(maxHole+pageSize, crash.Mapping{}), AnonPrivate, maxHole + pageSize},
		"not to be dumped":                {mapping(0x8000, crash.Mapping{Traits: own | crash.DontDump}), allFilters, 0},
		"huge pages, private":             {mapping(0x200000, crash.Mapping{Traits: own | crash.HugePages, Path: "/anon_hugepage", Deleted: true}), HugePrivate, 0x200000},
		"huge pages, private, not wanted": {mapping(0x200000, crash.Mapping{Traits: own | crash.HugePages, Path: "/anon_hugepage", Deleted: true}), allFilters &^ HugePrivate, 0},
		"huge pages, shared": {mapping(0x200000, crash.Mapping{Traits: known | crash.HugePages, Perms: crash.Read | crash.Shared, Path: "/anon_hugepage",
			Deleted: true}), HugeShared, 0x200000},
	} {
		c := &crash.Crash{Memory: crash.NoMemory{}, Mappings: []crash.Mapping{tt.m}}
		if got := plan(c, tt.filter)[0].Filesz; got != tt.want {
			t.Errorf("%s: %#x bytes, want %#x", name, got, tt.want)
		}
	}
}
