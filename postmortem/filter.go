package postmortem

import "meshdiag/crash"

// Filter says which mappings a written core holds; the bits are those of /proc/PID/coredump_filter (core(5)).
type Filter uint

const (
	AnonPrivate Filter = 1 << iota
	AnonShared
	FilePrivate
	FileShared
	ELFHeaders
	HugePrivate
	HugeShared

	allFilters = 1<<iota - 1
)

// DefaultFilter is the kernel's default (core(5)), which leaves out what can be read from files.
const DefaultFilter = AnonPrivate | AnonShared | ELFHeaders | HugePrivate

// Valid reports whether all bits of f have a meaning here. The kernel's two for DAX memory have not.
func (f Filter) Valid() bool { return f&^allFilters == 0 }

// maxHole is how much address space that was never written gets a hole in the core, which then reads as the zeros that it
// holds. What is larger is a reservation, of which a core has nothing, as one of the kernel has not.
const maxHole = 64 << 20

// size is how many bytes of a mapping go into the core: all, the first page, or none. It decides like the kernel
// (vma_dump_size of linux/fs/coredump.c) but for two things. Memory that nobody wrote to is a hole and not left out. And what
// the process itself could neither read nor write is left out, be there bytes in it or not.
func (f Filter) size(mem crash.Memory, m *crash.Mapping) uint64 {
	whole := func(bit Filter) uint64 {
		if f&bit == 0 {
			return 0
		}
		return m.Size()
	}
	file := m.Path != "" && m.Path[0] == '/'
	shared := m.Perms&crash.Shared != 0
	switch {
	case m.Path == "[vdso]":
		return m.Size()
	case m.Path == "[vvar]" || m.Path == "[vsyscall]" || m.Path == "[vvar_vclock]":
		return 0
	case m.PermsOK && m.Perms&(crash.Read|crash.Write) == 0, m.Traits&crash.DontDump != 0:
		return 0
	case m.Traits&crash.HugePages != 0 && shared:
		return whole(HugeShared)
	case m.Traits&crash.HugePages != 0:
		return whole(HugePrivate)
	case shared && (!file || m.Deleted): // a file without a name was made to share memory: memfd_create, /dev/zero, shmget
		return whole(AnonShared)
	case shared:
		return whole(FileShared)
	case f&AnonPrivate != 0 && ownPages(m, file):
		return m.Size()
	case !file && m.Size() <= maxHole:
		return whole(AnonPrivate)
	case !file:
		return 0
	case f&FilePrivate != 0:
		return m.Size()
	case f&ELFHeaders != 0 && m.Offset == 0 && startsELF(mem, m):
		return min(pageSize, m.Size())
	}
	return 0
}

// ownPages reports whether a private mapping has pages that its process wrote. Where that was not observed, all that can be
// written counts, and small parts of files that may have been: tables that the loader relocated before it protected them.
func ownPages(m *crash.Mapping, file bool) bool {
	switch {
	case m.Traits&crash.TraitsKnown != 0:
		return m.Traits&crash.OwnPages != 0
	case !file || m.Perms&crash.Write != 0:
		return true
	}
	return m.Perms&crash.Exec == 0 && m.Offset != 0 && m.Size() <= 4<<20
}

// unwritten reports whether a mapping is known to hold nothing but zeros: memory of the process alone that it never wrote.
func unwritten(m *crash.Mapping) bool {
	return m.Traits&(crash.TraitsKnown|crash.OwnPages|crash.HugePages) == crash.TraitsKnown && m.Perms&crash.Shared == 0 && m.Path == ""
}

func startsELF(mem crash.Memory, m *crash.Mapping) bool {
	var magic [4]byte
	n, _ := mem.ReadMemory(magic[:], m.Start)
	return n == 4 && string(magic[:]) == "\x7fELF"
}
