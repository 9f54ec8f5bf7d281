package symbols

import "fmt"

// Pointer encodings of .eh_frame and LSDA (LSB Core, "DWARF Extensions", section 10.5.1).
const (
	ehPtrAbs     = 0x00
	ehPtrULEB    = 0x01
	ehPtrUData2  = 0x02
	ehPtrUData4  = 0x03
	ehPtrUData8  = 0x04
	ehPtrSLEB    = 0x09
	ehPtrSData2  = 0x0a
	ehPtrSData4  = 0x0b
	ehPtrSData8  = 0x0c
	ehPtrPCRel   = 0x10
	ehPtrTextRel = 0x20
	ehPtrDataRel = 0x30
	ehPtrFuncRel = 0x40
	ehPtrAligned = 0x50
	ehIndirect   = 0x80
	ehPtrOmit    = 0xff
)

// ehBases are the addresses that relative pointers add to. All are link-time addresses.
type ehBases struct {
	section uint64 // address of the first byte of the cursor's buffer, for pcrel
	data    uint64 // for datarel: the start of .eh_frame_hdr
	fn      uint64 // for funcrel: the function's start
}

// ehPointer reads one encoded pointer. The indirect flag is not followed: the caller gets the address of the slot,
// which serves for personality routines, the only pointers that use it in practice. ok is false for an omitted pointer.
func (c *cursor) ehPointer(enc byte, b ehBases) (v uint64, ok bool) {
	if enc == ehPtrOmit {
		return 0, false
	}
	at := b.section + uint64(c.off)
	switch enc & 0x0f {
	case ehPtrAbs, ehPtrUData8, ehPtrSData8:
		v = c.u64()
	case ehPtrULEB:
		v = c.uleb()
	case ehPtrUData2:
		v = uint64(c.u16())
	case ehPtrUData4:
		v = uint64(c.u32())
	case ehPtrSLEB:
		v = uint64(c.sleb())
	case ehPtrSData2:
		v = uint64(int64(int16(c.u16())))
	case ehPtrSData4:
		v = uint64(int64(int32(c.u32())))
	default:
		c.fail(fmt.Errorf("unknown pointer format %#x", enc))
		return 0, false
	}
	if c.err != nil {
		return 0, false
	}
	// A relative pointer whose offset is zero is a null pointer, by the rule of gcc's unwind-pe.h.
	if v == 0 {
		return 0, true
	}
	switch enc & 0x70 {
	case ehPtrAbs:
	case ehPtrPCRel:
		v += at
	case ehPtrDataRel:
		v += b.data
	case ehPtrFuncRel:
		v += b.fn
	case ehPtrTextRel:
		// x86-64 has no text base: gcc uses zero.
	default:
		c.fail(fmt.Errorf("unknown pointer base %#x", enc))
		return 0, false
	}
	return v, true
}
