package symbols

import (
	"encoding/binary"
	"errors"
)

// errShort says that a record ended before the value did.
var errShort = errors.New("the record ends in the middle of a value")

// cursor reads little-endian values from hostile bytes. The first failed read sets err; from then on every read yields
// zero values, so that a parser may check err once per record. Callers must not use a value without that check.
type cursor struct {
	buf []byte
	off int
	err error
}

// left is how many bytes remain; never negative, even after off was set by hand.
func (c *cursor) left() int { return max(0, len(c.buf)-c.off) }

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.off = len(c.buf)
}

func (c *cursor) bytes(n uint64) []byte {
	if c.err != nil || n > uint64(c.left()) {
		c.fail(errShort)
		return nil
	}
	b := c.buf[c.off : c.off+int(n)]
	c.off += int(n)
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u24() uint32 {
	if b := c.bytes(3); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// uleb reads an unsigned LEB128 (DWARF 5, section 7.6). Bits beyond 64 are dropped, as other readers do.
func (c *cursor) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := c.u8()
		if c.err != nil {
			return 0
		}
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}

// sleb reads a signed LEB128.
func (c *cursor) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		b := c.u8()
		if c.err != nil {
			return 0
		}
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// cstr reads up to a NUL and skips it.
func (c *cursor) cstr() []byte {
	for i := c.off; i < len(c.buf); i++ {
		if c.buf[i] == 0 {
			b := c.buf[c.off:i]
			c.off = i + 1
			return b
		}
	}
	c.fail(errShort)
	return nil
}

// block reads a length as unsigned LEB128 and then that many bytes.
func (c *cursor) block() []byte { return c.bytes(c.uleb()) }
