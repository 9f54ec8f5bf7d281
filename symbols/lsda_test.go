package symbols

import (
	"slices"
	"testing"

	"meshdiag/crash"
)

func TestParseLSDA(t *testing.T) {
	b := []byte{
		0xff,       // landing pads count from the function's start
		0x9b, 0x10, // type table, not looked at
		0x01, 8, // call sites as uleb, 8 bytes of them
		0x10, 0x05, 0x40, 0x00, // cleanup
		0x20, 0x08, 0x00, 0x00, // nothing to do
	}
	got, err := parseLSDA(b, 0x9000, 0x1000)
	want := []LandingPad{{Lo: 0x1010, Hi: 0x1015, Pad: 0x1040}, {Lo: 0x1020, Hi: 0x1028}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v %v", got, err)
	}
	if _, err := parseLSDA(b[:7], 0x9000, 0x1000); err == nil {
		t.Error("a cut table gives no error")
	}
}

// TestLandingPads checks the exception table of a C++ function with a destructor and of one with a catch.
func TestLandingPads(t *testing.T) {
	for _, flags := range [][]string{{"-O0"}, {"-O2"}} {
		s, _ := fileModule(t, buildC(t, "throws.cc", flags...))
		fill, _, ok := s.Find("_ZN4shop4fillERNS_6BasketINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEE")
		if !ok {
			t.Fatal("no shop::fill")
		}
		pads, err := s.LandingPads(fill.Start + 4)
		cleanups := 0
		for _, p := range pads {
			if p.Lo < fill.Start || p.Hi > fill.Start+fill.Size || p.Lo >= p.Hi {
				t.Errorf("call site %#x-%#x is outside the function", p.Lo, p.Hi)
			}
			if p.Pad != 0 {
				cleanups++
				if sym, _, ok := s.Lookup(crash.PC(p.Pad)); !ok || sourceName(sym.Name) != sourceName(fill.Name) {
					t.Errorf("landing pad %#x lies in %s", p.Pad, sym.Name)
				}
			}
		}
		if err != nil || cleanups == 0 {
			t.Errorf("%v: %d landing pads, %v", flags, cleanups, err)
		}
	}
	s, _ := fileModule(t, buildC(t, "victim.c", "-O0", "-pthread"))
	leaf, _, _ := s.Find("leaf")
	if pads, err := s.LandingPads(leaf.Start); pads != nil || err != nil {
		t.Errorf("a C function has landing pads %v, %v", pads, err)
	}
}
