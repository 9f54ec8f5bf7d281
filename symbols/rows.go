package symbols

import (
	"meshdiag/crash"
)

// rowEntry is the cached answer for one lookup address: its unwind row, or why there is none.
type rowEntry struct {
	row    *row
	err    error
	module *Module
	lo, hi uint64 // run-time range of the unwind entry
	bad    string // why the address cannot be code at all; "" when it can
}

// maxCachedRows bounds the row cache; a stack of more distinct addresses than this starts it afresh.
const maxCachedRows = 1 << 16

// rowAt returns the unwind row for a run-time address, from the cache when it was asked for before.
func (s *Symbolizer) rowAt(addr uint64) *rowEntry {
	if e, ok := s.rows[addr]; ok {
		return e
	}
	if len(s.rows) >= maxCachedRows {
		clear(s.rows)
	}
	e := s.makeRow(addr)
	s.rows[addr] = e
	return e
}

func (s *Symbolizer) makeRow(addr uint64) *rowEntry {
	e := &rowEntry{bad: s.notCode(addr)}
	if e.bad != "" {
		e.err = errNoRow
		return e
	}
	m, ok := s.ModuleAt(addr)
	if !ok || m.img == nil {
		e.err = errNoRow
		return e
	}
	e.module = m
	e.err = m.read(func() error {
		f, err := m.cfi.find(addr - m.Bias)
		if err != nil {
			return err
		}
		e.lo, e.hi = f.lo+m.Bias, f.hi+m.Bias
		e.row, err = f.rowAt(addr - m.Bias)
		return err
	})
	return e
}

// notCode says why no instruction can be executed at addr; "" when one can.
func (s *Symbolizer) notCode(addr uint64) string {
	mp, ok := s.crash.MappingAt(addr)
	switch {
	case addr == 0:
		return "it is NULL"
	case !ok:
		return "nothing is mapped there"
	case mp.PermsOK && mp.Perms&crash.Exec == 0:
		if mp.Path != "" {
			return "it lies in " + mp.Path + ", which is not executable"
		}
		return "memory there is not executable"
	}
	return ""
}

// CFA returns how the canonical frame address (rsp before the call) is computed at pc when it is a register plus an
// offset: what turns [rsp+x] into a slot of the frame. ok is false when there is no row or it is an expression.
func (s *Symbolizer) CFA(pc uint64) (reg crash.RegNum, off int64, ok bool) {
	e := s.rowAt(pc)
	if e.row == nil || e.row.cfa.kind != ruleRegOffset {
		return 0, 0, false
	}
	return e.row.cfa.reg, e.row.cfa.off, true
}

// SavedAt returns where the frame at pc keeps its caller's value of a callee-saved register: at CFA+off. ok is false
// when the row does not say so (the register was not saved yet, or not at all).
func (s *Symbolizer) SavedAt(pc uint64, n crash.RegNum) (off int64, ok bool) {
	e := s.rowAt(pc)
	if n < 0 || n >= crash.NumRegs || e.row == nil || e.row.regs[n].kind != ruleOffset {
		return 0, false
	}
	return e.row.regs[n].off, true
}
