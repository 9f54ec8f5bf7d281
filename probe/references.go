package probe

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"iter"
	"slices"
)

// Where an executable refers to its constants. Many compilers put constants one behind the other without an end mark, so
// that only who refers to one knows how long it is.

const (
	lengthDistance = 32      // bytes of code between the address of a constant and its length
	maxHeld        = 1 << 20 // relocations read
)

// load is an instruction that takes an address: lea disp32(%rip), %reg.
type load struct {
	code []byte
	at   int // of the displacement in code
	addr uint64
}

// loads are the instructions in the code that could take the address of a constant. Data between instructions can look
// like one.
func (c *Constants) loads() iter.Seq[load] {
	return func(yield func(load) bool) {
		for _, p := range c.code {
			for at := 1; ; at++ {
				// lea: REX.W 8D /r with mod 00 and r/m 101 (Intel SDM volume 2, LEA).
				i := bytes.IndexByte(p.data[min(at, len(p.data)):], 0x8d)
				if i < 0 {
					break
				}
				at += i
				if at+6 > len(p.data) || p.data[at+1]&0xc7 != 0x05 || p.data[at-1]&0xf8 != 0x48 {
					continue
				}
				disp := int32(binary.LittleEndian.Uint32(p.data[at+2:]))
				if !yield(load{p.data, at + 2, p.addr + uint64(at) + 6 + uint64(int64(disp))}) {
					return
				}
			}
		}
	}
}

// numbers are the constants that are moved to a register beside a load of addr (mov $imm32, %reg), the nearest first;
// none for another address.
func (l *load) numbers(addr uint64) []int {
	if l.addr != addr {
		return nil
	}
	type near struct{ gap, n int }
	var all []near
	begin, end := l.at-3, l.at+4
	for j := max(0, begin-lengthDistance); j < min(len(l.code)-4, end+lengthDistance); j++ {
		// mov r32, imm32: B8+r.
		if l.code[j]&0xf8 != 0xb8 || j+5 > begin && j < end {
			continue
		}
		gap := j - end
		if j < begin {
			gap = begin - (j + 5)
		}
		all = append(all, near{gap, int(binary.LittleEndian.Uint32(l.code[j+1:]))})
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.gap - b.gap })
	numbers := make([]int, len(all))
	for i := range all {
		numbers[i] = all[i].n
	}
	return numbers
}

// held is what stands behind the address of a constant in data: its length, where the language keeps both together.
type held struct {
	length uint64 // 0 unknown: another address, or nothing, stands there
}

// readHeld lists the addresses that the dynamic loader puts into data (R_X86_64_RELATIVE), as tables of strings need them.
func readHeld(f *elf.File) map[uint64]held {
	s := f.Section(".rela.dyn")
	if s == nil || s.Type != elf.SHT_RELA || s.FileSize > maxHeld*24 {
		return nil
	}
	table, err := s.Data()
	if err != nil {
		return nil
	}
	constant := map[uint64]uint64{} // where -> which
	for ; len(table) >= 24; table = table[24:] {
		if elf.R_X86_64(binary.LittleEndian.Uint64(table[8:])) == elf.R_X86_64_RELATIVE {
			constant[binary.LittleEndian.Uint64(table)] = binary.LittleEndian.Uint64(table[16:])
		}
	}
	all := map[uint64]held{}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&(elf.SHF_ALLOC|elf.SHF_WRITE) != elf.SHF_ALLOC|elf.SHF_WRITE || s.FileSize > maxConstants {
			continue
		}
		data, err := s.Data()
		if err != nil {
			continue
		}
		for i := 0; i+8 <= len(data); i += 8 {
			addr, ok := constant[s.Addr+uint64(i)]
			if !ok {
				continue
			}
			h := held{}
			if _, pointer := constant[s.Addr+uint64(i)+8]; !pointer && i+16 <= len(data) {
				h.length = binary.LittleEndian.Uint64(data[i+8:])
			}
			all[addr] = h
		}
	}
	return all
}
