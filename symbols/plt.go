package symbols

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// moduleSlots are the GOT slots of a module that a relocation binds to a symbol, by link-time address.
type moduleSlots struct {
	opened bool
	name   map[uint64]string
	lazy   []uint64 // slots in the order of .rela.plt: lazy PLT stubs push an index into it
}

const (
	relaSize   = 24 // sizeof(Elf64_Rela)
	maxRelocs  = 8 << 20
	maxPLTStub = 32
)

// slotsOf reads the relocations that name symbols, from the image's dynamic table.
func (s *Symbolizer) slotsOf(m *Module) *moduleSlots {
	t := &m.slots
	if t.opened || m.img == nil {
		return t
	}
	t.opened = true
	t.name = make(map[uint64]string)
	dynsym := s.tablesOf(m).dynamic
	if dynsym == nil {
		return t
	}
	tags := m.img.dynamic()
	each := func(at, size, skip uint64, lazy bool) {
		if at == 0 || size > maxRelocs*relaSize || skip*relaSize > size {
			return
		}
		b, err := m.img.constant(m.img.linkAddr(at)+skip*relaSize, size-skip*relaSize)
		if err != nil {
			return
		}
		t.add(b, dynsym, lazy)
	}
	// The relative relocations come first and name nothing; DT_RELACOUNT says how many they are.
	each(tags[elf.DT_RELA], tags[elf.DT_RELASZ], tags[elf.DT_RELACOUNT], false)
	each(tags[elf.DT_JMPREL], tags[elf.DT_PLTRELSZ], 0, true)
	return t
}

func (t *moduleSlots) add(relocs []byte, dynsym *symbolTable, lazy bool) {
	for c := (cursor{buf: relocs}); c.left() >= relaSize; {
		slot, info := c.u64(), c.u64()
		c.u64() // addend
		if lazy {
			t.lazy = append(t.lazy, slot)
		}
		sym := int(info >> 32)
		switch elf.R_X86_64(info & 0xffffffff) {
		case elf.R_X86_64_JMP_SLOT, elf.R_X86_64_GLOB_DAT, elf.R_X86_64_64:
			if sym > 0 && sym < dynsym.count() {
				e, _ := dynsym.at(sym)
				t.name[slot] = string(dynsym.nameBytes(e.name))
			}
		}
	}
}

// GOTName returns the symbol that the dynamic linker binds the GOT slot (or any relocated pointer) at a run-time
// address to. A slot that the linker bound itself is named after the function it points to.
func (s *Symbolizer) GOTName(slot uint64) (name string, ok bool) {
	m, found := s.ModuleAt(slot)
	if !found {
		return "", false
	}
	_ = m.read(func() error {
		if name = s.slotsOf(m).name[slot-m.Bias]; name == "" {
			name = s.resolvedSlot(m, slot)
		}
		return nil
	})
	return name, name != ""
}

// resolvedSlot names a slot of .got by the function whose start it holds. It never asks what a stub there would jump to: a
// damaged slot may hold the address of its own stub.
func (s *Symbolizer) resolvedSlot(m *Module, slot uint64) string {
	sec := m.sectionAt(slot - m.Bias)
	if sec == nil || !strings.HasPrefix(sec.Name, ".got") {
		return ""
	}
	b, err := m.img.memory(slot-m.Bias, 8)
	if err != nil {
		return ""
	}
	target := binary.LittleEndian.Uint64(b)
	in, found := s.ModuleAt(target)
	if !found {
		return ""
	}
	if sym := s.tabled(in, target); sym.Name != "" && sym.Start == target {
		return sym.Name
	}
	return ""
}

// PLTName returns the symbol that the linker stub at addr jumps to.
func (s *Symbolizer) PLTName(addr uint64) (name string, ok bool) {
	m, found := s.ModuleAt(addr)
	if !found {
		return "", false
	}
	_ = m.read(func() error {
		name, _, _, ok = s.pltStub(m, addr)
		return nil
	})
	return name, ok
}

// sectionAt returns the loaded section of m's file at a link-time address, nil when unknown.
func (m *Module) sectionAt(vaddr uint64) *elf.Section {
	if m.file == nil {
		return nil
	}
	ef, err := m.file.elf()
	if err != nil {
		return nil
	}
	for _, sec := range ef.Sections {
		if sec.Flags&elf.SHF_ALLOC != 0 && sec.Type != elf.SHT_NULL && vaddr >= sec.Addr && vaddr-sec.Addr < sec.Size {
			return sec
		}
	}
	return nil
}

// pltStub recognises a PLT stub at or around addr. With section headers it is found from any address in it; without,
// only from its first byte.
func (s *Symbolizer) pltStub(m *Module, addr uint64) (name string, start, size uint64, ok bool) {
	if m.img == nil {
		return "", 0, 0, false
	}
	vaddr := addr - m.Bias
	start = vaddr
	if sec := m.sectionAt(vaddr); sec != nil {
		if sec.Name != ".plt" && !strings.HasPrefix(sec.Name, ".plt.") && sec.Name != ".iplt" {
			return "", 0, 0, false
		}
		size = m.stubSize(sec)
		start = sec.Addr + (vaddr-sec.Addr)/size*size
	} else if m.file != nil || !m.img.hdr.executable(vaddr) {
		return "", 0, 0, false
	}
	code, err := m.img.constant(start, 16)
	if err != nil {
		if code, err = m.img.constant(start, 8); err != nil {
			return "", 0, 0, false
		}
	}
	slot, ok := s.stubSlot(m, code, start)
	if !ok {
		return "", 0, 0, false
	}
	if name = s.slotsOf(m).name[slot]; name == "" {
		name = s.resolvedSlot(m, slot+m.Bias)
	}
	return name, start + m.Bias, max(size, 8), name != ""
}

// stubSize is the size of the stubs in a section. Static programs do not say it: their stubs are either a jump and
// padding to 8 bytes, or 16 bytes.
func (m *Module) stubSize(sec *elf.Section) uint64 {
	if sec.Entsize >= 8 && sec.Entsize <= maxPLTStub {
		return sec.Entsize
	}
	b, err := m.img.constant(sec.Addr, 16)
	if err == nil && isIndirectJump(b) && isIndirectJump(b[8:]) {
		return 8
	}
	return 16
}

// isIndirectJump recognises jmp *slot(%rip), with or without bnd before it.
func isIndirectJump(b []byte) bool {
	if len(b) > 0 && b[0] == 0xf2 {
		b = b[1:]
	}
	return len(b) >= 6 && b[0] == 0xff && b[1] == 0x25
}

// beforeStubJump reports whether pc stands in a linker stub where the stub has not pushed anything: the stack is as at
// the entry of a function. Stubs of lld and of static programs have no unwind rows.
func (s *Symbolizer) beforeStubJump(pc uint64) bool {
	if _, ok := s.PLTName(pc); !ok {
		return false
	}
	b := s.codeBytes(pc, 8)
	return isIndirectJump(b) || len(b) >= 4 && b[0] == 0xf3 && b[1] == 0x0f && b[2] == 0x1e && b[3] == 0xfa
}

// stubSlot decodes the stub's jump: jmp *slot(%rip), with or without endbr64 and bnd before it; or a lazy stub of
// binaries built for indirect branch tracking: endbr64; push $index; jmp plt0.
func (s *Symbolizer) stubSlot(m *Module, code []byte, start uint64) (uint64, bool) {
	i := 0
	if len(code) >= 4 && code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa {
		i = 4
	}
	if i < len(code) && code[i] == 0xf2 {
		i++
	}
	rest := code[i:]
	if len(rest) >= 6 && rest[0] == 0xff && rest[1] == 0x25 {
		rel := int32(binary.LittleEndian.Uint32(rest[2:]))
		return start + uint64(i) + 6 + uint64(int64(rel)), true
	}
	if len(rest) >= 5 && rest[0] == 0x68 {
		index := binary.LittleEndian.Uint32(rest[1:])
		if lazy := s.slotsOf(m).lazy; uint64(index) < uint64(len(lazy)) {
			return lazy[index], true
		}
	}
	return 0, false
}
