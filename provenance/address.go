package provenance

import (
	"fmt"
	"math"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
)

const pageSize = 4096

// classifyAddress says what the address that failed is, and describes the bad value. The value comes before the place:
// a zero base is NULL however large the index, and a small integer that lands nowhere is a small integer.
func (d *decoding) classifyAddress(addr uint64) {
	f := d.f
	m := d.mapping(addr)
	switch {
	case d.sig.Number == sigBUS:
		d.bus(addr, m)
		return
	case d.zeroBase(addr):
		f.Class = ClassNull
	case d.foldedNull(addr):
		f.Class, f.Value, f.Offset = ClassNull, 0, int64(addr)
	case d.ownGuard(addr, m):
		f.Class = ClassGuardPage
	case addr < nullPage && m == nil:
		f.Class = ClassNearNull
	case !d.canonical(addr):
		f.Class = ClassNonCanonical
	case m == nil && d.justOutside(addr):
		f.Class = ClassPastEnd
	case m == nil:
		f.Class = ClassUnmapped
	default:
		d.mapped(addr, m)
	}
	if d.sig.Code == codeAccErr && m == nil && f.Class != ClassGuardPage {
		d.inconsistent("the kernel reported that access to %#x is not allowed, but nothing is mapped there", addr)
	}
	d.describeBad(addr)
}

// zeroBase: exactly address 0, or an address that was computed from a base register that holds 0.
func (d *decoding) zeroBase(addr uint64) bool {
	f := d.f
	if f.IndexOnly {
		return false
	}
	if f.Register == "" {
		return addr == 0
	}
	return f.ValueOK && f.Value == 0 && !f.BaseOK
}

// foldedNull: a small address is written in the instruction itself. A compiler that knows a pointer to be NULL adds the
// field's offset to it while it compiles.
func (d *decoding) foldedNull(addr uint64) bool {
	for i := range d.terms {
		m := &d.terms[i].Mem
		if d.terms[i].ok && d.terms[i].addr == addr {
			return m.Base == insn.NoReg && m.Index == insn.NoReg && m.Seg == 0 && addr < pageSize
		}
	}
	return false
}

func (d *decoding) mapped(addr uint64, m *crash.Mapping) {
	f := d.f
	switch {
	case d.isGuard(m) && d.fromBelow(m):
		f.Class = ClassPastEnd
	case d.isGuard(m):
		f.Class = ClassGuardPage
	case m.PermsOK && m.Perms == 0 && d.justBehind(addr, m):
		f.Class = ClassPastEnd
	default:
		f.Class = ClassProtection
		if m.PermsOK && d.allowed(m) {
			f.Class = ClassUnknown
			d.inconsistent("%s permits this %s: its permissions changed since, or another thread was faster", d.describeMapping(m), f.Access)
		}
	}
	if d.sig.Code == codeMapErr {
		d.inconsistent("the kernel reported that nothing was mapped at %#x, but %s is", addr, d.describeMapping(m))
	}
}

func (d *decoding) allowed(m *crash.Mapping) bool {
	switch d.f.Access {
	case AccessWrite:
		return m.Perms&crash.Write != 0
	case AccessExecute:
		return m.Perms&crash.Exec != 0
	}
	return m.Perms&(crash.Read|crash.Exec) != 0
}

// fromBelow: the bad pointer points into the mapping under a guard, so that it ran upwards over its end.
func (d *decoding) fromBelow(guard *crash.Mapping) bool {
	below := d.mapping(guard.Start - 1)
	return below != nil && d.f.ValueOK && below.Contains(d.f.Value)
}

// justBehind: within a page of the accessible mapping that ends where m, which is inaccessible, starts.
func (d *decoding) justBehind(addr uint64, m *crash.Mapping) bool {
	below := d.mapping(m.Start - 1)
	return addr-m.Start < pageSize && below != nil && below.End == m.Start && below.Perms&crash.Read != 0
}

// stride is how far below its start a loop that runs down through memory can miss it, in bytes: one wide vector register.
const stride = 64

// justOutside: within a page behind a mapping, or before one when an index or a loop that ran down can have led there.
func (d *decoding) justOutside(addr uint64) bool {
	below, above := d.crash.Neighbours(addr)
	reach := uint64(stride)
	if d.f.BaseOK || d.f.IndexOnly {
		reach = pageSize
	}
	return below != nil && addr-below.End < pageSize || above != nil && above.Start-addr <= reach
}

// mainStackGap is how far below the main stack, in bytes, the kernel keeps other mappings away (stack_guard_gap).
const mainStackGap = 1 << 20

// ownGuard: the address is in the guard of the stack that the thread runs on, or just below that stack, and the stack
// pointer is near it.
func (d *decoding) ownGuard(addr uint64, m *crash.Mapping) bool {
	rsp := d.t.Regs.RSP
	stack := d.stackAround(rsp)
	if stack == nil || addr >= stack.Start {
		return false
	}
	near := distance(rsp, addr) < nullPage || distance(rsp, stack.Start) < nullPage
	if m != nil {
		return d.isGuard(m) && m.End == stack.Start && near
	}
	return stack.Path == "[stack]" && stack.Start-addr <= mainStackGap && near
}

// stackAround is the writable mapping that rsp stands in, or the one above when rsp has already run over its low end.
func (a *Analyzer) stackAround(rsp uint64) *crash.Mapping {
	m := a.mapping(rsp)
	switch {
	case m != nil && a.isGuard(m):
		return a.mapping(m.End)
	case m != nil && (!m.PermsOK || writable(m)):
		return m
	case m != nil:
		return nil
	}
	_, above := a.crash.Neighbours(rsp)
	if above == nil || above.Start-rsp > mainStackGap {
		return nil
	}
	if a.isGuard(above) {
		return a.mapping(above.End)
	}
	if above.Path == "[stack]" {
		return above
	}
	return nil
}

func distance(a, b uint64) uint64 {
	if a > b {
		return a - b
	}
	return b - a
}

// bus decodes SIGBUS with an address.
func (d *decoding) bus(addr uint64, m *crash.Mapping) {
	f := d.f
	f.Looks = LooksFile
	switch {
	case d.sig.Code == codeBusAlgn:
		f.Class = ClassMisaligned
		f.Describe = fmt.Sprintf("%#x is misaligned and alignment checking is on", addr)
	case d.sig.Code >= codeBusHard:
		f.Describe = fmt.Sprintf("the hardware reported a memory error at %#x", addr)
	case m == nil || m.Path == "":
		f.Describe = fmt.Sprintf("the memory behind %#x could not be provided", addr)
		f.Looks = LooksUnmapped
	default:
		f.Class = ClassPastFile
		f.Region = d.describeMapping(m)
		at := addr - m.Start + m.Offset
		f.Describe = fmt.Sprintf("byte %#x of %s, which cannot be read any more: the file was cut or is on a failing device", at, m.Path)
		if m.FileSize >= 0 && at >= uint64(m.FileSize) {
			f.Describe = fmt.Sprintf("byte %#x of %s, which is only %#x bytes long: the file was cut after it was mapped", at, m.Path, m.FileSize)
		}
		if m.FileSize >= 0 && at < uint64(m.FileSize) {
			f.Class = ClassUnknown
			d.inconsistent("%s is %#x bytes long and has byte %#x", m.Path, m.FileSize, at)
		}
	}
}

// describeBad fills in Describe, Looks, Ascii and Region for the bad value.
func (d *decoding) describeBad(addr uint64) {
	f := d.f
	info := d.Classify(addr)
	if f.ValueOK {
		info = d.Classify(f.Value)
	}
	f.Looks, f.Ascii = info.Kind, info.Ascii
	f.Region = d.regionOf(addr)
	switch f.Class {
	case ClassNull:
		f.Describe = "NULL" + plusText(f.Offset)
		if f.Register == "" && f.Offset != 0 {
			f.Describe += " (or that number used as an address: the compiler wrote it into the instruction)"
		}
	case ClassGuardPage:
		f.Describe = d.guardText(addr)
	case ClassPastEnd:
		f.Describe = f.Region
	case ClassProtection:
		f.Describe = d.protectionText(info)
	default:
		f.Describe = info.Text
		if f.Register != "" {
			f.Describe += plusText(f.Offset)
		}
	}
}

func plusText(off int64) string {
	switch {
	case off > 0:
		return fmt.Sprintf(" plus %#x", off)
	case off == math.MinInt64:
		return " minus 0x8000000000000000"
	case off < 0:
		return fmt.Sprintf(" minus %#x", -off)
	}
	return ""
}

// regionOf names the mapping that addr is in, or the nearest one with the distance.
func (a *Analyzer) regionOf(addr uint64) string {
	m := a.mapping(addr)
	if m == nil {
		return a.beside(addr)
	}
	if m.PermsOK && m.Perms == 0 && !a.isGuard(m) {
		if below := a.mapping(m.Start - 1); below != nil && below.End == m.Start && addr-m.Start < pageSize {
			return fmt.Sprintf("%s behind the end of %s", byteCount(addr-m.Start+1), a.describeMapping(below))
		}
	}
	return a.describeMapping(m)
}

func (d *decoding) guardText(addr uint64) string {
	if m := d.mapping(addr); m != nil {
		return "inside " + d.describeMapping(m)
	}
	stack := d.stackAround(d.t.Regs.RSP)
	return fmt.Sprintf("%s below the end of %s", byteCount(stack.Start-addr), d.stackName(stack))
}

func (d *decoding) protectionText(info ValueInfo) string {
	f := d.f
	text := info.Text
	if f.Register != "" {
		text += plusText(f.Offset)
	}
	switch f.Access {
	case AccessWrite:
		return text + ": not writable"
	case AccessExecute:
		return text + ": not executable"
	case AccessRead:
		return text + ": not readable"
	}
	return text
}
