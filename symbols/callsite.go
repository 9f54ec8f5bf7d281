package symbols

import "encoding/binary"

// callBefore tells whether the instruction that ends at ra is a call, and for a direct call where it goes. It looks at
// encodings only: bytes that happen to look like a call pass, which is why a frame found like this is never more than
// "scan" unless something else speaks for it.
func (s *Symbolizer) callBefore(ra uint64) (target uint64, direct, ok bool) {
	const longest = 8
	if ra < longest {
		return 0, false, false
	}
	b := s.codeBytes(ra-longest, longest)
	if b == nil {
		return 0, false, false
	}
	if b[3] == 0xe8 {
		rel := int32(binary.LittleEndian.Uint32(b[4:]))
		return ra + uint64(int64(rel)), true, true
	}
	for n := 2; n <= longest; n++ {
		if callLength(b[longest-n:]) == n {
			return 0, false, true
		}
	}
	return 0, false, false
}

// callLength is the length of an indirect near call (ff /2, with any prefix) at the start of b, 0 for anything else
// (Intel SDM volume 2, CALL; ModR/M table 2-2).
func callLength(b []byte) int {
	i := 0
	for i < len(b) && (b[i]&0xf0 == 0x40 || b[i] == 0xf2 || b[i] == 0x3e || b[i] == 0x64 || b[i] == 0x65 || b[i] == 0x66) {
		i++ // REX, bnd, notrack, fs, gs, padding
	}
	if i+1 >= len(b) || b[i] != 0xff || b[i+1]>>3&7 != 2 {
		return 0
	}
	mod, rm := b[i+1]>>6, b[i+1]&7
	n := i + 2
	if mod == 3 {
		return n
	}
	if rm == 4 {
		if n >= len(b) {
			return 0
		}
		if mod == 0 && b[n]&7 == 5 {
			n += 4
		}
		n++
	}
	switch {
	case mod == 0 && rm == 5, mod == 2:
		n += 4
	case mod == 1:
		n++
	}
	return n
}

// codeBytes returns n bytes of code, nil when they cannot be read.
func (s *Symbolizer) codeBytes(addr uint64, n int) []byte {
	if m, ok := s.ModuleAt(addr); ok && m.img != nil {
		var out []byte
		err := m.read(func() error {
			b, err := m.img.constant(addr-m.Bias, uint64(n))
			out = append(out, b...)
			return err
		})
		if err == nil {
			return out
		}
	}
	b, _, err := s.Code(addr, n)
	if err != nil || len(b) < n {
		return nil
	}
	return b
}

// sigreturn is how every C library for x86-64 writes the code that a signal handler returns to: mov $15,%eax or
// mov $15,%rax, then syscall (rt_sigreturn).
var sigreturn = [][]byte{
	{0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05},
	{0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05},
}

// isSigreturn reports whether the code at addr is a signal trampoline.
func (s *Symbolizer) isSigreturn(addr uint64) bool {
	for _, want := range sigreturn {
		if string(s.codeBytes(addr, len(want))) == string(want) {
			return true
		}
	}
	return false
}
