package symbols

import "errors"

// LandingPad is one entry of a function's exception table: a call in [Lo, Hi) that unwinds continues at Pad.
// Addresses are run-time.
type LandingPad struct {
	Lo, Hi uint64
	Pad    uint64 // 0: nothing to do here, the exception passes on
	Action uint64 // 0: cleanup only
}

// maxCallSites bounds one exception table.
const maxCallSites = 1 << 16

// LandingPads returns the exception table of the function (or part of one) at addr; nil when it has none.
func (s *Symbolizer) LandingPads(addr uint64) (pads []LandingPad, err error) {
	m, ok := s.ModuleAt(addr)
	if !ok || m.img == nil {
		return nil, nil
	}
	err = m.read(func() error {
		f, err := m.cfi.find(addr - m.Bias)
		if err != nil || f.lsda == 0 {
			return err
		}
		b, err := m.img.tail(f.lsda)
		if err != nil {
			return err
		}
		pads, err = parseLSDA(b, f.lsda, f.lo)
		for i := range pads {
			pads[i].relocate(m.Bias)
		}
		return err
	})
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return pads, err
}

func (p *LandingPad) relocate(bias uint64) {
	p.Lo += bias
	p.Hi += bias
	if p.Pad != 0 {
		p.Pad += bias
	}
}

// parseLSDA reads the header and the call-site table of a language-specific data area, in the format that gcc and LLVM
// share (gcc's unwind-pe.h and unwind-c++ runtime; Itanium C++ ABI, "Exception Handling Tables"). Addresses are as fn.
func parseLSDA(b []byte, addr, fn uint64) ([]LandingPad, error) {
	c := cursor{buf: b}
	start := fn
	if v, ok := c.ehPointer(c.u8(), ehBases{section: addr, fn: fn}); ok {
		start = v
	}
	if enc := c.u8(); enc != ehPtrOmit {
		c.uleb() // where the type table ends: not needed
	}
	enc := c.u8()
	sites := cursor{buf: c.block()}
	if c.err != nil {
		return nil, c.err
	}
	var pads []LandingPad
	for sites.left() > 0 && len(pads) < maxCallSites {
		lo, _ := sites.ehPointer(enc&0x0f, ehBases{})
		size, _ := sites.ehPointer(enc&0x0f, ehBases{})
		pad, _ := sites.ehPointer(enc&0x0f, ehBases{})
		action := sites.uleb()
		if sites.err != nil {
			return pads, sites.err
		}
		p := LandingPad{Lo: fn + lo, Hi: fn + lo + size, Action: action}
		if pad != 0 {
			p.Pad = start + pad
		}
		pads = append(pads, p)
	}
	return pads, nil
}
