package loader

import (
	"debug/elf"
	"slices"
	"strconv"
	"strings"
)

// Symbol is a dynamic symbol that a file defines or wants.
type Symbol struct {
	Name    string
	Version string // "" without one
	Library string // of a wanted symbol: the file that its version is expected in
}

// Defined lists the dynamic symbols that a library defines.
func Defined(path string) (out []Symbol) {
	_ = fenced(path, func(f *elf.File) error {
		syms, err := f.DynamicSymbols()
		if err != nil {
			return err
		}
		for _, s := range syms {
			if s.Section != elf.SHN_UNDEF && elf.ST_BIND(s.Info) != elf.STB_LOCAL {
				out = append(out, Symbol{Name: s.Name, Version: s.Version})
			}
		}
		return nil
	})
	return out
}

// Wanted lists the dynamic symbols that a file expects of others.
func Wanted(path string) (out []Symbol) {
	_ = fenced(path, func(f *elf.File) error {
		syms, err := f.ImportedSymbols()
		if err != nil {
			return err
		}
		for _, s := range syms {
			out = append(out, Symbol{Name: s.Name, Version: s.Version, Library: s.Library})
		}
		return nil
	})
	return out
}

// Versions lists the symbol versions that a library defines, such as GLIBC_2.36.
func Versions(path string) (out []string) {
	_ = fenced(path, func(f *elf.File) error {
		all, err := f.DynamicVersions()
		for _, v := range all {
			if v.Flags&elf.VER_FLG_BASE == 0 {
				out = append(out, v.Name)
			}
		}
		return err
	})
	return out
}

// Newest is the highest of the versions of one family ("GLIBC", "GLIBCXX"); "" when there is none.
func Newest(versions []string, family string) string {
	var best string
	for _, v := range versions {
		if rest, ok := strings.CutPrefix(v, family+"_"); ok && rest != "PRIVATE" && (best == "" || compareVersions(v, best) > 0) {
			best = v
		}
	}
	return best
}

// Family is the part of a version before its number: "GLIBC" of "GLIBC_2.38".
func Family(version string) string {
	if i := strings.LastIndexByte(version, '_'); i > 0 {
		return version[:i]
	}
	return version
}

// compareVersions compares the numbers in two versions of one family.
func compareVersions(a, b string) int {
	number := func(s string) []int {
		var out []int
		for _, part := range strings.Split(s[strings.LastIndexByte(s, '_')+1:], ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				n = -1 // PRIVATE and the like are below all numbers
			}
			out = append(out, n)
		}
		return out
	}
	return slices.Compare(number(a), number(b))
}

// mayDefine asks the Bloom filter of a library's GNU hash table (https://flapenguin.me/elf-dt-gnu-hash, glibc
// elf/dl-lookup.c): false is certain, true is worth a look. Without such a table it is true.
func mayDefine(f *elf.File, name string) bool {
	s := f.SectionByType(elf.SHT_GNU_HASH)
	if s == nil {
		return true
	}
	var head [16]byte
	if _, err := s.ReadAt(head[:], 0); err != nil {
		return true
	}
	words, shift := f.ByteOrder.Uint32(head[8:]), f.ByteOrder.Uint32(head[12:])
	if words == 0 || shift > 31 {
		return true
	}
	h := gnuHash(name)
	var word [8]byte
	if _, err := s.ReadAt(word[:], 16+int64(h/64%words)*8); err != nil {
		return true
	}
	mask := f.ByteOrder.Uint64(word[:])
	return mask>>(h%64)&1 == 1 && mask>>((h>>shift)%64)&1 == 1
}

func gnuHash(name string) uint32 {
	h := uint32(5381)
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h
}

// Defines reports whether a library defines a symbol; with a version, in that version.
func Defines(path, name, version string) (found bool) {
	_ = fenced(path, func(f *elf.File) error {
		if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 || f.Type != elf.ET_DYN || !mayDefine(f, name) {
			return nil
		}
		syms, err := f.DynamicSymbols()
		for _, s := range syms {
			if s.Name == name && s.Section != elf.SHN_UNDEF && (version == "" || s.Version == version) {
				found = true
			}
		}
		return err
	})
	return found
}
