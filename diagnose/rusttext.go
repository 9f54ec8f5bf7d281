package diagnose

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// maxPanicText bounds a text that is read out of memory, in bytes.
const maxPanicText = 1024

// constant reads up to n bytes of what a program was built with: of the process, else of its file.
func (w *walk) constant(addr uint64, n int) []byte {
	b, _, _ := w.sym.Code(addr, n)
	return b
}

// rustString reads a &str: address and length.
func (w *walk) rustString(addr, length uint64) (string, bool) {
	if length == 0 || length > maxPanicText {
		return "", false
	}
	b := w.constant(addr, int(length))
	return string(b), uint64(len(b)) == length && utf8.Valid(b)
}

// rustArguments reads a core::fmt::Arguments as it is since Rust 1.93: a text whose length, doubled and with the lowest
// bit set, is the second word; or a template, and the address of what is to be filled in. What was filled in stands as
// {} here. Older versions pass it in memory, which no panic's words are read from.
func (w *walk) rustArguments(first, second uint64) (string, bool) {
	if second&1 != 0 {
		return w.rustString(first, second>>1)
	}
	return rustTemplate(w.constant(first, maxPanicText))
}

// rustTemplate renders a template of rust library/core/src/fmt/mod.rs: pieces that begin with their length (one byte, or
// 0x80 and two), placeholders (0xc0 and a bit for each number that follows), and a zero byte at the end.
func rustTemplate(b []byte) (string, bool) {
	var text strings.Builder
	for len(b) > 0 {
		head := b[0]
		b = b[1:]
		size := 0
		switch {
		case head == 0:
			return text.String(), text.Len() > 0 && utf8.ValidString(text.String())
		case head < 0x80:
			size = int(head)
		case head == 0x80 && len(b) >= 2:
			size = int(binary.LittleEndian.Uint16(b))
			b = b[2:]
		case head >= 0xc0 && head < 0xd0:
			for bit, bytes := range []int{4, 2, 2, 2} { // flags, width, precision, which argument
				if head&(1<<bit) != 0 {
					size += bytes
				}
			}
			if size > len(b) {
				return "", false
			}
			text.WriteString("{}")
			b = b[size:]
			continue
		default:
			return "", false
		}
		if size > len(b) {
			return "", false
		}
		text.Write(b[:size])
		b = b[size:]
	}
	return "", false
}
