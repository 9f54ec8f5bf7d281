package postmortem

import (
	"bytes"
	"encoding/binary"
	"io"
)

// A core from the handler ends with a skippable frame (RFC 8878, 3.1.2), which zstd tools pass over. It tells how many
// bytes the core has: without it a reader of a compressed core cannot know that the core was stored cut short before it has
// unpacked all of it.
const (
	skippableMagic = 0x184D2A5D
	sizeMarkName   = "meshdiag"
	sizeMarkSize   = 8 + len(sizeMarkName) + 8
)

func sizeMark(n uint64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(sizeMarkSize-8))
	return binary.LittleEndian.AppendUint64(append(b, sizeMarkName...), n)
}

// markedSize is the number of bytes that the mark at the end of a compressed file tells; 0 without one.
func markedSize(f io.ReaderAt, size uint64) uint64 {
	var b [sizeMarkSize]byte
	if size < uint64(len(b)) {
		return 0
	}
	if _, err := readFull(f, b[:], size-uint64(len(b))); err != nil {
		return 0
	}
	n := binary.LittleEndian.Uint64(b[len(b)-8:])
	if !bytes.Equal(b[:], sizeMark(n)) {
		return 0
	}
	return n
}
