package provenance

import (
	"math"
	"strings"
	"testing"

	"meshdiag/crash"
	"meshdiag/symbols"
)

func TestClassify(t *testing.T) {
	p := newProcess()
	p.function(t, "worker", textBase, "90 90 c3")
	p.code.funcs = append(p.code.funcs, symbols.Symbol{Name: "table", Start: dataBase + 0x10, Size: 0x20, IsData: true})
	a := p.analyzer()
	for _, c := range []struct {
		v    uint64
		kind ValueKind
		text string
	}{
		{0, LooksNull, "NULL"},
		{1, LooksSmallInt, "(1)"},
		{0xffff, LooksSmallInt, "(65535)"},
		{math.MaxUint64, LooksNegInt, "(-1)"},
		{0xffffffff, LooksNegInt, "32-bit integer -1"},
		{0x6f77206f6c6c6568, LooksText, `"hello wo"`},
		{0x64636261, LooksText, `"abcd"`},
		{0x63626100, LooksUnmapped, "integer"},
		{0xdeadbeef, LooksPoison, "0xdeadbeef"},
		{0xdeadbeefdeadbeef, LooksPoison, "0xdeadbeef"},
		{0xa5a5a5a5a5a5a5a5, LooksPoison, "jemalloc"},
		{0x9797979797979797, LooksPoison, "0x97 fill"},
		{math.Float64bits(3.5), LooksFloat, "3.5"},
		{math.Float64bits(-0.001), LooksFloat, "-0.001"},
		{textBase + 1, LooksCode, "worker+0x1"},
		{dataBase + 0x18, LooksData, "table+0x8"},
		{heapBase + 0x40, LooksHeap, "the heap"},
		{stackLow + 8, LooksStack, "the main stack"},
		{actorLow + 8, LooksStack, "a stack"},
		{actorLow - 8, LooksGuard, "the guard page"},
		{fileBase + 8, LooksFile, "data.bin"},
		{(actorLow + 0x100) & 0xffffffff, LooksTruncated, "the low 32 bits"},
		{(stackLow + 0x10) & 0xffffffff, LooksTruncated, "0x7ffff0000010"},
		{0xffffffff_f0000010, LooksTruncated, "sign-extended"},
		{0x1234_0000_0060_0040, LooksTagged, "upper bits"},
		{0x00ff_ffff_ffff_ffff, LooksNonCanonical, "non-canonical"},
		{0x7abc_1234_5678, LooksUnmapped, "nothing is mapped"},
		{0xffff_9000_0000_0000, LooksUnmapped, "kernel"},
	} {
		got := a.Classify(c.v)
		if got.Kind != c.kind || !strings.Contains(got.Text, c.text) {
			t.Errorf("%#x: got %s %q, want %s %q", c.v, got.Kind, got.Text, c.kind, c.text)
		}
	}
}

// Four bytes of the low half of an address may all be printable: then it is a matter of what they spell.
func TestHalfAnAddressThatIsText(t *testing.T) {
	p := newProcess()
	for _, start := range []uint64{0x5581_4625_5000, 0x7f00_6463_6000} {
		p.c.Mappings = append(p.c.Mappings, crash.Mapping{Range: crash.Range{Start: start, End: start + 0x1000},
			Perms: crash.Read | crash.Write, PermsOK: true})
	}
	a := p.analyzer()
	for v, want := range map[uint64]ValueKind{0x4625_5750: LooksTruncated /* PW%F */, 0x6463_6261: LooksText /* abcd */} {
		if got := a.Classify(v); got.Kind != want {
			t.Errorf("%#x: %s %q, want %s", v, got.Kind, got.Text, want)
		}
	}
}
