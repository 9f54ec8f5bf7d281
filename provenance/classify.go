package provenance

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"meshdiag/crash"
)

// nullPage is the size in bytes of the area at address 0 that is never mapped (vm.mmap_min_addr is 64 KiB by default).
const nullPage = 64 << 10

// Classify says what a 64-bit value looks like. The order matters: what is mapped is a pointer whatever else it looks
// like, and text is told before floats because eight letters are also a double.
func (a *Analyzer) Classify(v uint64) ValueInfo {
	switch {
	case v == 0:
		return ValueInfo{Kind: LooksNull, Text: "NULL"}
	case v < nullPage && a.mapping(v) == nil:
		return ValueInfo{Kind: LooksSmallInt, Text: fmt.Sprintf("a small integer (%d)", v)}
	case int64(v) < 0 && int64(v) >= -nullPage:
		return ValueInfo{Kind: LooksNegInt, Text: fmt.Sprintf("a small negative integer (%d)", int64(v))}
	}
	if m := a.mapping(v); m != nil {
		return a.classifyMapped(v, m)
	}
	if s, text := textOf(v); text && v>>32 == 0 && !letters(s) {
		if half, ok := a.looksTruncated(v); ok {
			return half // four signs that make no word, and the half of a good address
		}
	}
	for _, try := range []func(uint64) (ValueInfo, bool){looksPoison, looksText, a.looksTruncated, looksNegative32, a.looksTagged, looksFloat} {
		if info, ok := try(v); ok {
			return info
		}
	}
	switch {
	case !a.canonical(v):
		return ValueInfo{Kind: LooksNonCanonical, Text: fmt.Sprintf("%#x, which no pointer can be (non-canonical)", v)}
	case int64(v) < 0 && int64(v) >= math.MinInt32:
		return ValueInfo{Kind: LooksNegInt, Text: fmt.Sprintf("a negative integer (%d)", int64(v))}
	case int64(v) < 0:
		return ValueInfo{Kind: LooksUnmapped, Text: fmt.Sprintf("%#x, in the kernel's half of the address space", v)}
	case v < 1<<31:
		return ValueInfo{Kind: LooksUnmapped, Text: fmt.Sprintf("the integer %d (%#x), where nothing is mapped", v, v), Region: a.beside(v)}
	}
	return ValueInfo{Kind: LooksUnmapped, Text: fmt.Sprintf("%#x, where nothing is mapped", v), Region: a.beside(v)}
}

func (a *Analyzer) classifyMapped(v uint64, m *crash.Mapping) ValueInfo {
	info := ValueInfo{Region: a.describeMapping(m)}
	off := v - m.Start
	switch {
	case a.isGuard(m):
		info.Kind, info.Text = LooksGuard, "a pointer into "+info.Region
	case a.stackOf(m) != "":
		info.Kind, info.Text = LooksStack, fmt.Sprintf("a pointer into %s", info.Region)
	case m.PermsOK && m.Perms&crash.Exec != 0:
		info.Kind = LooksCode
		if sym, _, ok := a.code.Lookup(crash.PC(v)); ok && sym.Name != "" {
			info.Symbol = plusOffset(sym.Name, v-sym.Start)
		}
		info.Text = withSymbol("the address of code", info.Symbol, info.Region)
	default:
		a.classifyData(&info, v, m)
	}
	if info.Text == "" {
		info.Text = fmt.Sprintf("a pointer %#x bytes into %s", off, info.Region)
	}
	return info
}

func (a *Analyzer) classifyData(info *ValueInfo, v uint64, m *crash.Mapping) {
	sym, mod, ok := a.code.LookupData(v)
	if ok && sym.Name != "" {
		info.Symbol = plusOffset(sym.Name, v-sym.Start)
	}
	writable := !m.PermsOK || m.Perms&crash.Write != 0
	switch {
	case (ok || mod != nil) && writable:
		info.Kind, info.Text = LooksData, withSymbol("a pointer to data", info.Symbol, info.Region)
	case ok || mod != nil:
		info.Kind, info.Text = LooksRodata, withSymbol("a pointer to read-only data", info.Symbol, info.Region)
	case m.Path != "" && m.Path != "[heap]":
		info.Kind = LooksFile
	default:
		info.Kind = LooksHeap
		info.Text = fmt.Sprintf("a pointer into %s", info.Region)
	}
}

func withSymbol(what, symbol, region string) string {
	if symbol != "" {
		return what + " (" + symbol + ")"
	}
	return what + " in " + region
}

// poisonWords are fill patterns that allocators, compilers and sanitizers leave, in either half of a word.
var poisonWords = map[uint32]string{
	0xdeadbeef: "0xdeadbeef", 0xdeadc0de: "0xdeadc0de", 0xdeaddead: "0xdeaddead", 0xbaadf00d: "0xbaadf00d",
	0x8badf00d: "0x8badf00d", 0xfeedface: "0xfeedface", 0xcafebabe: "0xcafebabe", 0xfeeefeee: "0xfeeefeee",
	0xbadc0ffe: "0xbadc0ffe", 0x0badcafe: "0x0badcafe", 0xabababab: "0xab fill", 0xcdcdcdcd: "0xcd fill",
	0xdddddddd: "0xdd fill", 0xcccccccc: "0xcc fill", 0xfdfdfdfd: "0xfd fill", 0xbebebebe: "0xbe fill, as AddressSanitizer leaves in fresh memory",
	0xa5a5a5a5: "0xa5 fill, as jemalloc leaves in fresh memory", 0x5a5a5a5a: "0x5a fill, as old jemalloc leaves in freed memory, or the letter Z",
	0xe5e5e5e5: "0xe5 fill, as jemalloc leaves in freed memory", 0xaaaaaaaa: "0xaa fill, as Zig and Clang leave in memory that was never set",
	0x6b6b6b6b: "0x6b fill, as some allocators leave in freed memory", 0xfbfbfbfb: "0xfb fill", 0xefefefef: "0xef fill",
}

// looksPoison knows the named patterns, and any unprintable byte repeated eight times (malloc.perturb leaves such).
func looksPoison(v uint64) (ValueInfo, bool) {
	hi, lo := uint32(v>>32), uint32(v)
	name := ""
	if hi == lo || hi == 0 {
		name = poisonWords[lo]
	}
	if name == "" && lo&0xffff < 0x1000 { // a pattern with a field's offset added
		if n, ok := poisonWords[hi]; ok && poisonWords[lo] != "" {
			name = n
		}
	}
	if name == "" && hi == lo && lo == lo&0xff*0x01010101 && !printable(byte(lo)) && lo != 0 && lo != 0xffffffff {
		name = fmt.Sprintf("%#x fill", byte(lo))
	}
	if name == "" {
		return ValueInfo{}, false
	}
	return ValueInfo{Kind: LooksPoison, Text: fmt.Sprintf("the fill pattern %#x (%s)", v, name)}, true
}

func printable(c byte) bool { return c >= 0x20 && c < 0x7f || c == '\n' || c == '\t' || c == '\r' }

// textOf returns the value's bytes as text: at least four printable bytes from the lowest on, then only NULs.
func textOf(v uint64) (string, bool) {
	var b []byte
	for i := range 8 {
		c := byte(v >> (8 * i))
		if c == 0 {
			break
		}
		if !printable(c) {
			return "", false
		}
		b = append(b, c)
	}
	if len(b) < 4 || len(b) < 8 && v>>(8*len(b)) != 0 {
		return "", false
	}
	n := 0
	for _, c := range b {
		if letter(c) || c == ' ' {
			n++
		}
	}
	return string(b), n*2 > len(b)
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// letters reports whether all of a text are letters or digits.
func letters(s string) bool {
	for i := range len(s) {
		if !letter(s[i]) {
			return false
		}
	}
	return true
}

func looksText(v uint64) (ValueInfo, bool) {
	s, ok := textOf(v)
	if !ok {
		return ValueInfo{}, false
	}
	return ValueInfo{Kind: LooksText, Ascii: s, Text: "the text " + strconv.Quote(s)}, true
}

// looksTruncated: the low 32 bits of a mapped address, alone or sign-extended. By chance that happens to a value with
// the probability (mapped bytes / 4 GiB), so it is a hint.
func (a *Analyzer) looksTruncated(v uint64) (ValueInfo, bool) {
	extended := v>>31 == 1<<33-1
	if v>>32 != 0 && !extended || v < nullPage {
		return ValueInfo{}, false
	}
	low := v & 0xffffffff
	for i := range a.crash.Mappings {
		m := &a.crash.Mappings[i]
		if m.Start>>32 == 0 || m.Start >= 1<<56 || m.PermsOK && m.Perms == 0 {
			continue
		}
		for hi := m.Start >> 32; hi <= (m.End-1)>>32; hi++ {
			if full := hi<<32 | low; m.Contains(full) {
				how := "the low 32 bits"
				if extended {
					how = "the sign-extended low 32 bits"
				}
				return ValueInfo{Kind: LooksTruncated, Region: a.describeMapping(m),
					Text: fmt.Sprintf("%#x, %s of a pointer such as %#x into %s", v, how, full, a.describeMapping(m))}, true
			}
		}
	}
	return ValueInfo{}, false
}

func looksNegative32(v uint64) (ValueInfo, bool) {
	if v>>32 != 0 || int32(v) >= 0 || int32(v) < -nullPage {
		return ValueInfo{}, false
	}
	return ValueInfo{Kind: LooksNegInt, Text: fmt.Sprintf("the 32-bit integer %d, zero-extended", int32(v))}, true
}

// looksTagged: a mapped address with something in the upper 16 bits, or in the top byte (memory tags).
func (a *Analyzer) looksTagged(v uint64) (ValueInfo, bool) {
	if a.canonical(v) {
		return ValueInfo{}, false
	}
	m := a.mapping(v & (1<<48 - 1))
	if m == nil {
		return ValueInfo{}, false
	}
	return ValueInfo{Kind: LooksTagged, Region: a.describeMapping(m), Text: fmt.Sprintf(
		"%#x, a pointer into %s with foreign upper bits (%#x)", v, a.describeMapping(m), v>>48)}, true
}

// looksFloat: the bits of a double of everyday size. Random bits pass one time in twenty, so short numbers only, or
// those with a middling exponent.
func looksFloat(v uint64) (ValueInfo, bool) {
	exp := int(v>>52&0x7ff) - 1023
	if exp < -30 || exp > 40 {
		return ValueInfo{}, false
	}
	s := strconv.FormatFloat(math.Float64frombits(v), 'g', -1, 64)
	if len(s) > 10 && (exp < -12 || exp > 24) {
		return ValueInfo{}, false
	}
	return ValueInfo{Kind: LooksFloat, Text: "the bits of the floating-point number " + s}, true
}

// describeMapping names a mapping: "the heap", "the stack of thread 12", "libc.so.6 (r-xp)", with its bounds.
func (a *Analyzer) describeMapping(m *crash.Mapping) string {
	bounds := fmt.Sprintf("%#x-%#x", m.Start, m.End)
	name := ""
	switch stack := a.stackOf(m); {
	case a.isGuard(m):
		above := a.mapping(m.End)
		return fmt.Sprintf("the guard page %s below %s", bounds, a.stackName(above))
	case stack != "":
		name = stack
	case m.Path == "[heap]":
		name = "the heap"
	case m.Path != "":
		name = filepath.Base(m.Path)
		if strings.HasPrefix(m.Path, "[") {
			name = m.Path
		}
	default:
		name = "anonymous memory"
	}
	perms := ""
	if m.PermsOK {
		perms = " " + m.Perms.String()
	}
	return name + " " + bounds + perms
}

// beside names the mappings next to an unmapped address, nearest first, "" when none is within 1 MiB.
func (a *Analyzer) beside(addr uint64) string {
	const near = 1 << 20
	below, above := a.crash.Neighbours(addr)
	if below != nil && below.Path == "[vsyscall]" {
		below = nil
	}
	var behind, before uint64 = math.MaxUint64, math.MaxUint64
	if below != nil {
		behind = addr - below.End + 1
	}
	if above != nil {
		before = above.Start - addr
	}
	switch {
	case behind <= before && behind <= near:
		return fmt.Sprintf("%s behind the end of %s", byteCount(behind), a.describeMapping(below))
	case before < behind && before <= near:
		return fmt.Sprintf("%s before the start of %s", byteCount(before), a.describeMapping(above))
	}
	return ""
}

func byteCount(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	if n < 4096 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%#x bytes", n)
}
