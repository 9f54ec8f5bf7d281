package symbols

import (
	"debug/elf"
	"fmt"

	"meshdiag/crash"
)

// image reads a module's bytes by link-time address: what the process has mapped, or what the file holds.
type image struct {
	mem      crash.Memory
	bias     uint64
	hdr      *elfHeader
	file     *elfFile // nil when the file must not be used
	verified bool     // the file is known to be the one that is mapped
	pages    map[uint64][]byte
}

const maxCachedPages = 1024 // 4 MiB of a module's tables

// constant returns n bytes of a read-only part. A file that is known to be the mapped one saves the copy; else memory
// is asked first, and the file only when memory was not kept (a core without text pages).
func (im *image) constant(vaddr, n uint64) ([]byte, error) {
	if im.verified && im.file != nil {
		if b, err := im.file.at(vaddr, n); err == nil {
			return b, nil
		}
	}
	b, err := im.memory(vaddr, n)
	if err == nil {
		return b, nil
	}
	if im.file != nil {
		if fb, ferr := im.file.at(vaddr, n); ferr == nil {
			return fb, nil
		}
	}
	return nil, err
}

const maxImageRead = 64 << 20

// memory copies n bytes of the mapped image, page by page through the cache.
func (im *image) memory(vaddr, n uint64) ([]byte, error) {
	if n > maxImageRead {
		return nil, fmt.Errorf("a table of %d bytes is too big", n)
	}
	addr := vaddr + im.bias
	if n > 4*pageSize {
		buf := make([]byte, n)
		_, err := im.mem.ReadMemory(buf, addr)
		return buf, err
	}
	buf := make([]byte, 0, n)
	for uint64(len(buf)) < n {
		page, err := im.page((addr + uint64(len(buf))) &^ (pageSize - 1))
		if err != nil {
			return nil, err
		}
		from := (addr + uint64(len(buf))) & (pageSize - 1)
		buf = append(buf, page[from:min(pageSize, from+n-uint64(len(buf)))]...)
	}
	return buf, nil
}

func (im *image) page(addr uint64) ([]byte, error) {
	if p, ok := im.pages[addr]; ok {
		return p, nil
	}
	p := make([]byte, pageSize)
	if _, err := im.mem.ReadMemory(p, addr); err != nil {
		return nil, err
	}
	if im.pages == nil || len(im.pages) >= maxCachedPages {
		im.pages = make(map[uint64][]byte)
	}
	im.pages[addr] = p
	return p, nil
}

// dynamic returns the dynamic table's entries by tag; the first of each tag counts. The loader relocates some of them
// to run-time addresses (glibc) and leaves others alone (musl, the vDSO), so addr normalises both.
func (im *image) dynamic() map[elf.DynTag]uint64 {
	seg, ok := im.hdr.first(elf.PT_DYNAMIC)
	if !ok || seg.memsz > 1<<20 {
		return nil
	}
	b, err := im.memory(seg.vaddr, seg.memsz)
	if err != nil && im.file != nil {
		b, err = im.file.at(seg.vaddr, seg.filesz)
	}
	if err != nil {
		return nil
	}
	tags := make(map[elf.DynTag]uint64)
	for c := (cursor{buf: b}); c.left() >= 16; {
		tag, val := elf.DynTag(c.u64()), c.u64()
		if tag == elf.DT_NULL {
			break
		}
		if _, seen := tags[tag]; !seen {
			tags[tag] = val
		}
	}
	return tags
}

// linkAddr turns an address from the dynamic table into a link-time address.
func (im *image) linkAddr(v uint64) uint64 {
	if im.bias != 0 && !im.holds(v) && im.holds(v-im.bias) {
		return v - im.bias
	}
	return v
}

func (im *image) holds(vaddr uint64) bool {
	for _, s := range im.hdr.segments {
		if s.typ == elf.PT_LOAD && vaddr >= s.vaddr && vaddr-s.vaddr < s.memsz {
			return true
		}
	}
	return false
}

// maxLSDA bounds how much of an exception table is looked at.
const maxLSDA = 256 << 10

// tail returns the bytes from a link-time address to the end of its segment, at most maxLSDA.
func (im *image) tail(vaddr uint64) ([]byte, error) {
	for _, s := range im.hdr.segments {
		if s.typ == elf.PT_LOAD && vaddr >= s.vaddr && vaddr-s.vaddr < s.filesz {
			return im.constant(vaddr, min(s.filesz-(vaddr-s.vaddr), maxLSDA))
		}
	}
	return nil, fmt.Errorf("no segment holds %#x", vaddr)
}
