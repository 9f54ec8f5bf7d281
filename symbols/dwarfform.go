package symbols

import "fmt"

// DWARF tags, attributes and forms that are used here (DWARF 5, section 7.5).
const (
	tagLexicalBlock      = 0x0b
	tagInlinedSubroutine = 0x1d
	tagSubprogram        = 0x2e

	attrSibling       = 0x01
	attrName          = 0x03
	attrLowPC         = 0x11
	attrHighPC        = 0x12
	attrLanguage      = 0x13
	attrAbstract      = 0x31
	attrSpecification = 0x47
	attrRanges        = 0x55
	attrCallFile      = 0x58
	attrCallLine      = 0x59
	attrLinkageName   = 0x6e
	attrStrOffsets    = 0x72
	attrAddrBase      = 0x73
	attrRnglistsBase  = 0x74
	attrMIPSLinkage   = 0x2007

	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSData         = 0x0d
	formStrp          = 0x0e
	formUData         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUData      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// attrValue is one attribute as it stands in the section: a number, or the bytes of an inline string. What the number
// means depends on the form; unit resolves it.
type attrValue struct {
	form uint16
	num  uint64
	text []byte
}

// read reads or skips one attribute value. Blocks and expressions are skipped.
func (u *dwarfUnit) read(c *cursor, form uint16, implicit int64) (v attrValue) {
	if form == formIndirect {
		if form = uint16(c.uleb()); form == formIndirect {
			c.fail(fmt.Errorf("a form that leads to itself"))
		}
	}
	v.form = form
	switch form {
	case formFlagPresent:
		v.num = 1
	case formImplicitConst:
		v.num = uint64(implicit)
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		v.num = uint64(c.u8())
	case formData2, formRef2, formStrx2, formAddrx2:
		v.num = uint64(c.u16())
	case formStrx3, formAddrx3:
		v.num = uint64(c.u24())
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		v.num = uint64(c.u32())
	case formAddr, formData8, formRef8, formRefSig8, formRefSup8:
		v.num = c.u64()
	case formUData, formRefUData, formStrx, formAddrx, formLoclistx, formRnglistx:
		v.num = c.uleb()
	case formSData:
		v.num = uint64(c.sleb())
	case formStrp, formSecOffset, formLineStrp, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		v.num = u.offset(c)
	case formRefAddr:
		if u.version <= 2 {
			v.num = c.u64() // an address in DWARF 2
		} else {
			v.num = u.offset(c)
		}
	case formString:
		v.text = c.cstr()
	default:
		u.skipBlock(c, form)
	}
	return v
}

func (u *dwarfUnit) skipBlock(c *cursor, form uint16) {
	switch form {
	case formBlock1:
		c.bytes(uint64(c.u8()))
	case formBlock2:
		c.bytes(uint64(c.u16()))
	case formBlock4:
		c.bytes(uint64(c.u32()))
	case formBlock, formExprloc:
		c.block()
	case formData16:
		c.bytes(16)
	default:
		c.fail(fmt.Errorf("unknown form %#x", form))
	}
}

// offset reads a section offset in the unit's format.
func (u *dwarfUnit) offset(c *cursor) uint64 {
	if u.wide {
		return c.u64()
	}
	return uint64(c.u32())
}

// fixedSize is the size of a form that always has the same one; ok is false for the others.
func (u *dwarfUnit) fixedSize(form uint16) (n int, ok bool) {
	switch form {
	case formFlagPresent, formImplicitConst:
		return 0, true
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		return 1, true
	case formData2, formRef2, formStrx2, formAddrx2:
		return 2, true
	case formStrx3, formAddrx3:
		return 3, true
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		return 4, true
	case formAddr, formData8, formRef8, formRefSig8, formRefSup8:
		return 8, true
	case formData16:
		return 16, true
	case formStrp, formSecOffset, formLineStrp, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		if u.wide {
			return 8, true
		}
		return 4, true
	}
	return 0, false
}
