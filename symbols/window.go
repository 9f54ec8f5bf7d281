package symbols

import (
	"encoding/binary"

	"meshdiag/crash"
)

// windowSize is how much of a stack is read at once: deep recursions are walked at memory speed, and a usual stack
// costs one read.
const windowSize = 32 << 10

// window reads words of a stack from a Memory in big pieces.
type window struct {
	mem  crash.Memory
	base uint64
	buf  []byte // what base holds, as far as it is readable
	room []byte
}

// read returns a little-endian value of 1, 2, 4 or 8 bytes.
func (w *window) read(addr uint64, size int) (uint64, error) {
	off := addr - w.base
	if off > uint64(len(w.buf)) || uint64(len(w.buf))-off < uint64(size) {
		if err := w.fill(addr, size); err != nil {
			return 0, err
		}
		off = addr - w.base
	}
	switch size {
	case 8:
		return binary.LittleEndian.Uint64(w.buf[off:]), nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(w.buf[off:])), nil
	case 2:
		return uint64(binary.LittleEndian.Uint16(w.buf[off:])), nil
	}
	return uint64(w.buf[off]), nil
}

// fill moves the window so that it starts at addr's page.
func (w *window) fill(addr uint64, size int) error {
	if w.room == nil {
		w.room = make([]byte, windowSize)
	}
	w.base, w.buf = addr&^(pageSize-1), nil
	n, err := w.mem.ReadMemory(w.room, w.base)
	w.buf = w.room[:n]
	if off := addr - w.base; off > uint64(n) || uint64(n)-off < uint64(size) {
		if err == nil {
			err = &crash.UnreadableError{Addr: addr}
		}
		return err
	}
	return nil
}
