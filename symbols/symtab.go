package symbols

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// symEntry is one symbol of the sorted index: a link-time address range, and where its name stands.
type symEntry struct {
	value uint64
	size  uint32
	name  uint32 // offset in the string table
	info  uint8  // st_info: binding and type
}

func (e symEntry) binding() elf.SymBind { return elf.ST_BIND(e.info) }
func (e symEntry) kind() elf.SymType    { return elf.ST_TYPE(e.info) }

// symbolTable is one ELF symbol table, with indexes that are made at the first request. Its bytes may be mapped from a
// file: callers stand inside a fence.
type symbolTable struct {
	raw     []byte // Elf64_Sym records
	strings []byte
	source  SymbolSource
	isCode  func(shndx uint16) bool // section holds instructions; nil: judge by type alone
	inCode  func(vaddr uint64) bool // address lies in an executable segment

	funcs, data []symEntry
	sorted      [2]bool    // funcs, data
	hashed      []nameSlot // by name; a power of two long
	seed        maphash.Seed
	finds       int // names that were looked for before hashed was made
}

// maxScannedNames is for how many names the records are gone through before hashed is made, which costs as much as some
// thirty times that. A diagnosis asks most libraries for a few names only.
const maxScannedNames = 12

const symSize = 24 // sizeof(Elf64_Sym)

// at decodes record i.
func (t *symbolTable) at(i int) (e symEntry, shndx uint16) {
	b := t.raw[i*symSize:]
	size := binary.LittleEndian.Uint64(b[16:])
	return symEntry{
		name:  binary.LittleEndian.Uint32(b),
		info:  b[4],
		value: binary.LittleEndian.Uint64(b[8:]),
		size:  uint32(min(size, 1<<32-1)),
	}, binary.LittleEndian.Uint16(b[6:])
}

func (t *symbolTable) count() int { return len(t.raw) / symSize }

// defined reports whether a record names a place in this module.
func defined(e symEntry, shndx uint16) bool {
	if shndx == uint16(elf.SHN_UNDEF) || shndx == uint16(elf.SHN_ABS) || shndx == uint16(elf.SHN_COMMON) {
		return false
	}
	switch e.kind() {
	case elf.STT_SECTION, elf.STT_FILE, elf.STT_TLS:
		return false
	}
	return true
}

// isFunc reports whether a defined symbol names code: by its type, or for an untyped label by where it stands.
func (t *symbolTable) isFunc(e symEntry, shndx uint16) bool {
	switch e.kind() {
	case elf.STT_FUNC, elf.STT_GNU_IFUNC:
		return true
	case elf.STT_NOTYPE:
		if t.isCode != nil && shndx < uint16(elf.SHN_LORESERVE) {
			return t.isCode(shndx)
		}
		return t.inCode != nil && t.inCode(e.value)
	}
	return false
}

// functions returns the function symbols sorted by address; among several at one address the best name comes last.
func (t *symbolTable) functions() []symEntry {
	if !t.sorted[0] {
		t.sorted[0] = true
		t.funcs = t.collect(true)
	}
	return t.funcs
}

// objects returns the data symbols sorted by address.
func (t *symbolTable) objects() []symEntry {
	if !t.sorted[1] {
		t.sorted[1] = true
		t.data = t.collect(false)
	}
	return t.data
}

// collect makes a sorted index. Most entries differ by their address, and sorting numbers is several times as fast as
// sorting records with a function.
func (t *symbolTable) collect(wantFuncs bool) []symEntry {
	const indexBits = 24
	keys := make([]uint64, 0, t.count()) // address, then number of the record
	for i := range t.count() {
		e, shndx := t.at(i)
		if !defined(e, shndx) || t.isFunc(e, shndx) != wantFuncs {
			continue
		}
		if e.value >= 1<<(64-indexBits) || i >= 1<<indexBits {
			return t.collectSlowly(wantFuncs)
		}
		keys = append(keys, e.value<<indexBits|uint64(i))
	}
	slices.Sort(keys)
	out := make([]symEntry, len(keys))
	for i, k := range keys {
		out[i], _ = t.at(int(k & (1<<indexBits - 1)))
	}
	for i := 0; i < len(out); {
		k := i + 1
		for k < len(out) && out[k].value == out[i].value {
			k++
		}
		if k > i+1 {
			slices.SortFunc(out[i:k], t.order)
		}
		i = k
	}
	return out
}

// collectSlowly does it for tables whose addresses or number of records are too large for keys.
func (t *symbolTable) collectSlowly(wantFuncs bool) (out []symEntry) {
	for i := range t.count() {
		if e, shndx := t.at(i); defined(e, shndx) && t.isFunc(e, shndx) == wantFuncs {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, t.order)
	return out
}

// order sorts by address, then the better name last: sized before unsized, functions before labels, the one with fewer
// leading underscores (fopen before _IO_new_fopen), global before weak before local, the shorter one (fopen before fopen64).
func (t *symbolTable) order(a, b symEntry) int {
	if a.value != b.value {
		return cmp.Compare(a.value, b.value)
	}
	return cmp.Or(cmp.Compare(t.rank(a)&^bindingRank, t.rank(b)&^bindingRank), cmp.Compare(t.underscores(b), t.underscores(a)),
		cmp.Compare(t.rank(a), t.rank(b)), cmp.Compare(len(t.nameBytes(b.name)), len(t.nameBytes(a.name))), cmp.Compare(b.name, a.name))
}

// bindingRank are the bits of a rank that tell the binding.
const bindingRank = 3

func (t *symbolTable) rank(e symEntry) int {
	r := 0
	if e.size > 0 {
		r += 8
	}
	if e.kind() != elf.STT_NOTYPE {
		r += 4
	}
	switch e.binding() {
	case elf.STB_GLOBAL:
		r += 2
	case elf.STB_WEAK:
		r++
	}
	return r
}

func (t *symbolTable) underscores(e symEntry) int {
	n := 0
	for off := uint64(e.name); off < uint64(len(t.strings)) && t.strings[off] == '_'; off++ {
		n++
	}
	return n
}

// maxSymbolName bounds a name; C++ ones reach some kilobytes.
const maxSymbolName = 64 << 10

// nameBytes is the symbol's name in the string table.
func (t *symbolTable) nameBytes(off uint32) []byte {
	if uint64(off) >= uint64(len(t.strings)) {
		return nil
	}
	b := t.strings[off:]
	b = b[:min(len(b), maxSymbolName)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// covering returns the best entry of a sorted index for a link-time address: the nearest one whose range holds it, else
// the nearest label without a size before it. Ranges may nest (assembly entry points inside a function), so a few
// earlier entries are tried.
func covering(entries []symEntry, addr uint64) (symEntry, bool) {
	i, _ := slices.BinarySearchFunc(entries, addr, func(e symEntry, addr uint64) int {
		if e.value <= addr {
			return -1
		}
		return 1
	})
	const tries = 64
	for k := i - 1; k >= 0 && k >= i-tries; k-- {
		if e := entries[k]; addr-e.value < uint64(e.size) {
			return e, true
		}
	}
	if i > 0 && entries[i-1].size == 0 {
		return entries[i-1], true
	}
	return symEntry{}, false
}

// nameSlot is one slot of the name table: a record number plus one, and the low half of the name's hash.
type nameSlot struct{ index, tag uint32 }

// find returns the defined symbol of an exact name. Of several symbols with one name the one with the highest rank
// counts, of equals the first.
func (t *symbolTable) find(name string) (e symEntry, isFunc, ok bool) {
	if t.finds++; t.hashed == nil && t.finds <= maxScannedNames {
		return t.scanName(name)
	}
	if t.hashed == nil {
		t.buildHash()
	}
	hash := maphash.String(t.seed, name)
	slot := t.slot(hash, func(b []byte) bool { return string(b) == name })
	if slot.index == 0 {
		return symEntry{}, false, false
	}
	e, shndx := t.at(int(slot.index - 1))
	return e, t.isFunc(e, shndx), true
}

// scanName is what find answers, by going through all records.
func (t *symbolTable) scanName(name string) (best symEntry, isFunc, ok bool) {
	if name == "" || len(name) >= maxSymbolName {
		return symEntry{}, false, false
	}
	for i := range t.count() {
		e, shndx := t.at(i)
		if !t.named(e, name) || !defined(e, shndx) || ok && t.rank(best) >= t.rank(e) {
			continue
		}
		best, isFunc, ok = e, t.isFunc(e, shndx), true
	}
	return best, isFunc, ok
}

// named reports whether the entry's name is this one, without looking for its end.
func (t *symbolTable) named(e symEntry, name string) bool {
	from, to := uint64(e.name), uint64(e.name)+uint64(len(name))
	return to < uint64(len(t.strings)) && t.strings[to] == 0 && string(t.strings[from:to]) == name
}

// slot returns the slot that holds the name with this hash, or the free one where it belongs.
func (t *symbolTable) slot(hash uint64, same func([]byte) bool) *nameSlot {
	mask := uint64(len(t.hashed) - 1)
	for h := hash >> 32 & mask; ; h = (h + 1) & mask {
		slot := &t.hashed[h]
		if slot.index == 0 {
			return slot
		}
		if slot.tag == uint32(hash) {
			if e, _ := t.at(int(slot.index - 1)); same(t.nameBytes(e.name)) {
				return slot
			}
		}
	}
}

// buildHash makes an open-addressing table with one slot for each name, at most half full.
func (t *symbolTable) buildHash() {
	t.seed = maphash.MakeSeed()
	size := 16
	for size < t.count()*2 {
		size *= 2
	}
	t.hashed = make([]nameSlot, size)
	for i := range t.count() {
		e, shndx := t.at(i)
		if !defined(e, shndx) {
			continue
		}
		name := t.nameBytes(e.name)
		if len(name) == 0 {
			continue
		}
		hash := maphash.Bytes(t.seed, name)
		slot := t.slot(hash, func(b []byte) bool { return bytes.Equal(b, name) })
		if slot.index != 0 {
			if old, _ := t.at(int(slot.index - 1)); t.rank(old) >= t.rank(e) {
				continue
			}
		}
		*slot = nameSlot{index: uint32(i + 1), tag: uint32(hash)}
	}
}
