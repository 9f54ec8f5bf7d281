package symbols

import (
	"bytes"
	"errors"
	"fmt"

	"meshdiag/crash"
)

// Call frame instructions (DWARF 5, section 6.4.2 and the GNU extensions).
const (
	cfaAdvanceLoc     = 0x40 // high two bits; the delta is in the low six
	cfaOffset         = 0x80
	cfaRestore        = 0xc0
	cfaNop            = 0x00
	cfaSetLoc         = 0x01
	cfaAdvanceLoc1    = 0x02
	cfaAdvanceLoc2    = 0x03
	cfaAdvanceLoc4    = 0x04
	cfaOffsetExt      = 0x05
	cfaRestoreExt     = 0x06
	cfaUndefined      = 0x07
	cfaSameValue      = 0x08
	cfaRegister       = 0x09
	cfaRememberState  = 0x0a
	cfaRestoreState   = 0x0b
	cfaDefCFA         = 0x0c
	cfaDefCFARegister = 0x0d
	cfaDefCFAOffset   = 0x0e
	cfaDefCFAExpr     = 0x0f
	cfaExpression     = 0x10
	cfaOffsetExtSf    = 0x11
	cfaDefCFASf       = 0x12
	cfaDefCFAOffsetSf = 0x13
	cfaValOffset      = 0x14
	cfaValOffsetSf    = 0x15
	cfaValExpression  = 0x16
	cfaGNUArgsSize    = 0x2e
	cfaGNUNegOffset   = 0x2f
)

const maxRememberedStates = 64

// rowMachine executes call frame instructions up to one pc.
type rowMachine struct {
	cie     *cie
	cur     row
	initial row // after the CIE's instructions, for DW_CFA_restore
	stack   []row
	loc     uint64 // link-time address the current row starts at
	code    cursor
	bases   ehBases
}

// rowAt computes the row of f that covers pc (a link-time address inside f).
func (f *fde) rowAt(pc uint64) (*row, error) {
	if pc < f.lo || pc >= f.hi {
		return nil, fmt.Errorf("%#x is outside the unwind entry %#x-%#x", pc, f.lo, f.hi)
	}
	m := rowMachine{cie: f.cie, loc: f.lo}
	m.cur.signal = f.cie.signal
	if err := m.run(f.cie.initial, f.cie.instrAddr, ^uint64(0)); err != nil {
		return nil, fmt.Errorf("unwind table, shared part: %w", err)
	}
	m.initial, m.loc = m.cur, f.lo
	if err := m.run(f.instrs, f.instrAddr, pc); err != nil {
		return nil, fmt.Errorf("unwind table: %w", err)
	}
	if m.cur.cfa.kind == ruleUnspecified {
		return nil, errors.New("unwind table defines no frame address")
	}
	r := m.cur
	return &r, nil
}

// run executes instrs until they end or the location passes pc.
func (m *rowMachine) run(instrs []byte, addr, pc uint64) error {
	m.code = cursor{buf: instrs}
	m.bases = ehBases{section: addr, fn: m.loc}
	for m.code.left() > 0 {
		next := m.loc
		op := m.code.u8()
		switch op & 0xc0 {
		case cfaAdvanceLoc:
			next += uint64(op&0x3f) * m.cie.codeAlign
		case cfaOffset:
			m.set(uint64(op&0x3f), rule{kind: ruleOffset, off: m.factored(m.code.uleb())})
		case cfaRestore:
			m.restore(uint64(op & 0x3f))
		default:
			var err error
			if next, err = m.extended(op); err != nil {
				return err
			}
		}
		if m.code.err != nil {
			return m.code.err
		}
		if next > pc {
			return nil
		}
		m.loc = next
	}
	return nil
}

// extended executes one instruction whose opcode fills the whole byte and returns the location after it.
func (m *rowMachine) extended(op byte) (next uint64, err error) {
	c := &m.code
	next = m.loc
	switch op {
	case cfaNop:
	case cfaSetLoc:
		next, _ = c.ehPointer(m.cie.ptrEnc, m.bases)
	case cfaAdvanceLoc1:
		next += uint64(c.u8()) * m.cie.codeAlign
	case cfaAdvanceLoc2:
		next += uint64(c.u16()) * m.cie.codeAlign
	case cfaAdvanceLoc4:
		next += uint64(c.u32()) * m.cie.codeAlign
	case cfaRememberState:
		if len(m.stack) >= maxRememberedStates {
			return 0, errors.New("too many remembered states")
		}
		m.stack = append(m.stack, m.cur)
	case cfaRestoreState:
		if len(m.stack) == 0 {
			return 0, errors.New("restores a state that was never remembered")
		}
		m.cur = m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
	case cfaGNUArgsSize:
		c.uleb() // only matters when an exception is thrown
	case cfaDefCFA, cfaDefCFARegister, cfaDefCFAOffset, cfaDefCFAExpr, cfaDefCFASf, cfaDefCFAOffsetSf:
		err = m.defineCFA(op)
	default:
		err = m.register(op)
	}
	return next, err
}

func (m *rowMachine) defineCFA(op byte) error {
	c, cfa := &m.code, &m.cur.cfa
	switch op {
	case cfaDefCFA:
		*cfa = rule{kind: ruleRegOffset, reg: crash.RegNum(c.uleb()), off: int64(c.uleb())}
	case cfaDefCFASf:
		*cfa = rule{kind: ruleRegOffset, reg: crash.RegNum(c.uleb()), off: m.sfactored(c.sleb())}
	case cfaDefCFAExpr:
		*cfa = rule{kind: ruleExpr, expr: bytes.Clone(c.block())}
		return nil
	case cfaDefCFARegister:
		reg := crash.RegNum(c.uleb())
		if cfa.kind != ruleRegOffset {
			return errors.New("changes the register of a frame address that has none")
		}
		cfa.reg = reg
	case cfaDefCFAOffset, cfaDefCFAOffsetSf:
		off := int64(0)
		if op == cfaDefCFAOffset {
			off = int64(c.uleb())
		} else {
			off = m.sfactored(c.sleb())
		}
		if cfa.kind != ruleRegOffset {
			return errors.New("changes the offset of a frame address that has none")
		}
		cfa.off = off
	}
	if cfa.reg < 0 || cfa.reg >= crash.RIP {
		return fmt.Errorf("frame address from unknown register %d", cfa.reg)
	}
	return nil
}

// register executes the instructions that set one register's rule.
func (m *rowMachine) register(op byte) error {
	c := &m.code
	switch op {
	case cfaOffsetExt, cfaOffsetExtSf, cfaRestoreExt, cfaUndefined, cfaSameValue, cfaRegister, cfaExpression,
		cfaValOffset, cfaValOffsetSf, cfaValExpression, cfaGNUNegOffset:
	default:
		return fmt.Errorf("unknown instruction %#x", op)
	}
	n := c.uleb()
	switch op {
	case cfaOffsetExt:
		m.set(n, rule{kind: ruleOffset, off: m.factored(c.uleb())})
	case cfaOffsetExtSf:
		m.set(n, rule{kind: ruleOffset, off: m.sfactored(c.sleb())})
	case cfaGNUNegOffset:
		m.set(n, rule{kind: ruleOffset, off: -m.factored(c.uleb())})
	case cfaValOffset:
		m.set(n, rule{kind: ruleValOffset, off: m.factored(c.uleb())})
	case cfaValOffsetSf:
		m.set(n, rule{kind: ruleValOffset, off: m.sfactored(c.sleb())})
	case cfaRestoreExt:
		m.restore(n)
	case cfaUndefined:
		m.set(n, rule{kind: ruleUndefined})
	case cfaSameValue:
		m.set(n, rule{kind: ruleSame})
	case cfaRegister:
		from := c.uleb()
		if from >= uint64(crash.NumRegs) {
			return fmt.Errorf("register %d is said to be in unknown register %d", n, from)
		}
		m.set(n, rule{kind: ruleRegister, reg: crash.RegNum(from)})
	case cfaExpression:
		m.set(n, rule{kind: ruleExpr, expr: bytes.Clone(c.block())})
	case cfaValExpression:
		m.set(n, rule{kind: ruleValExpr, expr: bytes.Clone(c.block())})
	}
	return nil
}

// set stores a rule. Registers that are not tracked (SSE, flags, segments) are skipped: no step needs them.
func (m *rowMachine) set(n uint64, r rule) {
	if n < uint64(crash.NumRegs) {
		m.cur.regs[n] = r
	}
}

func (m *rowMachine) restore(n uint64) {
	if n < uint64(crash.NumRegs) {
		m.cur.regs[n] = m.initial.regs[n]
	}
}

func (m *rowMachine) factored(n uint64) int64 { return int64(n) * m.cie.dataAlign }
func (m *rowMachine) sfactored(n int64) int64 { return n * m.cie.dataAlign }
