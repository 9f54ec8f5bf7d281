package symbols

import (
	"errors"
	"fmt"

	"meshdiag/crash"
)

// DWARF expression operations that occur in unwind tables (DWARF 5, section 7.7.1).
const (
	opAddr       = 0x03
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConst8u    = 0x0e
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opPick       = 0x15
	opSwap       = 0x16
	opRot        = 0x17
	opAbs        = 0x19
	opAnd        = 0x1a
	opDiv        = 0x1b
	opMinus      = 0x1c
	opMod        = 0x1d
	opMul        = 0x1e
	opNeg        = 0x1f
	opNot        = 0x20
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opBra        = 0x28
	opEq         = 0x29
	opGe         = 0x2a
	opGt         = 0x2b
	opLe         = 0x2c
	opLt         = 0x2d
	opNe         = 0x2e
	opSkip       = 0x2f
	opLit0       = 0x30
	opLit31      = 0x4f
	opReg0       = 0x50
	opReg31      = 0x6f
	opBreg0      = 0x70
	opBreg31     = 0x8f
	opRegx       = 0x90
	opBregx      = 0x92
	opDerefSize  = 0x94
	opNop        = 0x96
)

const (
	maxExprSteps = 1000
	maxExprStack = 64
)

// exprEnv is what an expression may ask for.
type exprEnv struct {
	reg  func(n crash.RegNum) (uint64, error) // fails when the register is not known
	read func(addr uint64, size int) (uint64, error)
	bias uint64 // added to DW_OP_addr
}

var errExprStack = errors.New("the expression uses more values than it pushed")

// exprMachine evaluates one DWARF expression. It stops after maxExprSteps: hostile code may jump backwards.
type exprMachine struct {
	env   exprEnv
	code  cursor
	stack []uint64
	err   error
}

// evalExpr evaluates expr with initial values on the stack and returns the value on top.
func evalExpr(expr []byte, env exprEnv, initial ...uint64) (uint64, error) {
	var room [8]uint64
	m := exprMachine{env: env, code: cursor{buf: expr}, stack: append(room[:0], initial...)}
	for steps := 0; m.code.left() > 0; steps++ {
		if steps >= maxExprSteps {
			return 0, errors.New("the expression does not end")
		}
		m.step(m.code.u8())
		if m.err == nil {
			m.err = m.code.err
		}
		if m.err != nil {
			return 0, m.err
		}
	}
	v := m.pop()
	return v, m.err
}

func (m *exprMachine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *exprMachine) push(v uint64) {
	if len(m.stack) >= maxExprStack {
		m.fail(errors.New("the expression pushes too many values"))
		return
	}
	m.stack = append(m.stack, v)
}

func (m *exprMachine) pop() uint64 {
	if len(m.stack) == 0 {
		m.fail(errExprStack)
		return 0
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v
}

func (m *exprMachine) step(op byte) {
	switch {
	case op >= opLit0 && op <= opLit31:
		m.push(uint64(op - opLit0))
	case op >= opBreg0 && op <= opBreg31:
		m.breg(uint64(op - opBreg0))
	case op >= opReg0 && op <= opReg31:
		// Only a location may name a register, yet some tables use it where breg+0 is meant.
		m.pushReg(uint64(op-opReg0), 0)
	case op == opRegx:
		m.pushReg(m.code.uleb(), 0)
	case op == opBregx:
		m.breg(m.code.uleb())
	case op >= opConst1u && op <= opConsts || op == opAddr:
		m.constant(op)
	case op >= opDup && op <= opRot:
		m.shuffle(op)
	case op == opDeref:
		m.deref(8)
	case op == opDerefSize:
		m.deref(int(m.code.u8()))
	case op == opSkip || op == opBra:
		m.branch(op)
	case op == opNop:
	case op == opAbs || op == opNeg || op == opNot || op == opPlusUconst:
		m.unary(op)
	case op >= opAnd && op <= opNe:
		m.binary(op)
	default:
		m.fail(fmt.Errorf("unknown expression operation %#x", op))
	}
}

func (m *exprMachine) breg(n uint64) { m.pushReg(n, m.code.sleb()) }

func (m *exprMachine) pushReg(n uint64, off int64) {
	if n >= uint64(crash.NumRegs) {
		m.fail(fmt.Errorf("the expression uses unknown register %d", n))
		return
	}
	v, err := m.env.reg(crash.RegNum(n))
	if err != nil {
		m.fail(err)
		return
	}
	m.push(v + uint64(off))
}

func (m *exprMachine) constant(op byte) {
	c := &m.code
	switch op {
	case opAddr:
		m.push(c.u64() + m.env.bias)
	case opConst1u:
		m.push(uint64(c.u8()))
	case opConst1s:
		m.push(uint64(int64(int8(c.u8()))))
	case opConst2u:
		m.push(uint64(c.u16()))
	case opConst2s:
		m.push(uint64(int64(int16(c.u16()))))
	case opConst4u:
		m.push(uint64(c.u32()))
	case opConst4s:
		m.push(uint64(int64(int32(c.u32()))))
	case opConst8u, opConst8s:
		m.push(c.u64())
	case opConstu:
		m.push(c.uleb())
	case opConsts:
		m.push(uint64(c.sleb()))
	}
}

func (m *exprMachine) shuffle(op byte) {
	pick := func(i int) {
		if i >= len(m.stack) {
			m.fail(errExprStack)
			return
		}
		m.push(m.stack[len(m.stack)-1-i])
	}
	switch op {
	case opDup:
		pick(0)
	case opOver:
		pick(1)
	case opPick:
		pick(int(m.code.u8()))
	case opDrop:
		m.pop()
	case opSwap:
		a, b := m.pop(), m.pop()
		m.push(a)
		m.push(b)
	case opRot:
		a, b, c := m.pop(), m.pop(), m.pop()
		m.push(a)
		m.push(c)
		m.push(b)
	}
}

func (m *exprMachine) deref(size int) {
	addr := m.pop()
	if size != 1 && size != 2 && size != 4 && size != 8 {
		m.fail(fmt.Errorf("the expression reads %d bytes", size))
	}
	if m.err != nil {
		return
	}
	v, err := m.env.read(addr, size)
	if err != nil {
		m.fail(err)
		return
	}
	m.push(v)
}

func (m *exprMachine) branch(op byte) {
	delta := int(int16(m.code.u16()))
	if op == opBra && m.pop() == 0 {
		return
	}
	to := m.code.off + delta
	if to < 0 || to > len(m.code.buf) {
		m.fail(errors.New("the expression jumps out of itself"))
		return
	}
	m.code.off = to
}

func (m *exprMachine) unary(op byte) {
	v := m.pop()
	switch op {
	case opAbs:
		if int64(v) < 0 {
			v = -v
		}
	case opNeg:
		v = -v
	case opNot:
		v = ^v
	case opPlusUconst:
		v += m.code.uleb()
	}
	m.push(v)
}

func (m *exprMachine) binary(op byte) {
	b, a := m.pop(), m.pop() // b was on top
	if (op == opDiv || op == opMod) && b == 0 {
		m.fail(errors.New("the expression divides by zero"))
		return
	}
	m.push(binaryOp(op, a, b))
}

func binaryOp(op byte, a, b uint64) uint64 {
	truth := func(t bool) uint64 {
		if t {
			return 1
		}
		return 0
	}
	sa, sb := int64(a), int64(b)
	switch op {
	case opAnd:
		return a & b
	case opOr:
		return a | b
	case opXor:
		return a ^ b
	case opPlus:
		return a + b
	case opMinus:
		return a - b
	case opMul:
		return a * b
	case opDiv:
		if sb == -1 {
			return -a // the quotient of the smallest number by -1 would trap in some machines
		}
		return uint64(sa / sb)
	case opMod:
		return a % b
	case opShl:
		return a << b
	case opShr:
		return a >> b
	case opShra:
		return uint64(sa >> b)
	case opEq:
		return truth(sa == sb)
	case opGe:
		return truth(sa >= sb)
	case opGt:
		return truth(sa > sb)
	case opLe:
		return truth(sa <= sb)
	case opLt:
		return truth(sa < sb)
	default:
		return truth(sa != sb)
	}
}
