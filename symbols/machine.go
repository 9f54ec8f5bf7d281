package symbols

import (
	"fmt"

	"meshdiag/crash"
)

// known says how a register's value is known while walking; the compact form of RegSource.
type known uint8

const (
	notKnown known = iota
	byContext
	byCFI
	bySame
	byGuess
)

var knownSource = [...]RegSource{notKnown: "", byContext: RegContext, byCFI: RegCFI, bySame: RegSame, byGuess: RegGuess}

// registers is the register file of one frame while walking.
type registers struct {
	val [crash.NumRegs]uint64
	how [crash.NumRegs]known
}

func (r *registers) set(n crash.RegNum, v uint64, how known) { r.val[n], r.how[n] = v, how }

// get returns a register's value, or an error that says that it is not known.
func (r *registers) get(n crash.RegNum) (uint64, error) {
	if r.how[n] == notKnown {
		return 0, fmt.Errorf("the value of %s in this frame is not known", n)
	}
	return r.val[n], nil
}

// public makes the documented form.
func (r *registers) public() (set RegSet) {
	for n := range set {
		if r.how[n] != notKnown {
			set[n] = Reg{Value: r.val[n], Known: true, How: knownSource[r.how[n]]}
		}
	}
	return set
}

// contextRegisters are a thread's own registers.
func contextRegisters(regs *crash.Regs) (r registers) {
	for n := crash.RegNum(0); n < crash.NumRegs; n++ {
		r.set(n, regs.Get(n), byContext)
	}
	return r
}

// carried is how a register is known that the row leaves unchanged.
func carried(how known) known {
	if how == byContext {
		return bySame
	}
	return how
}

// caller is the outcome of executing a row: the calling frame's registers.
type caller struct {
	regs      registers
	cfa       uint64
	raSlot    uint64 // where the return address was read; 0 when it came from a register or expression
	outermost bool   // the row says that there is no caller
}

// step executes r on the registers of a frame. bias is the module's, for absolute addresses in expressions.
func (r *row) step(cur *registers, mem *window, bias uint64) (c caller, err error) {
	env := exprEnv{reg: cur.get, read: mem.read, bias: bias}
	if r.cfa.kind == ruleExpr {
		c.cfa, err = evalExpr(r.cfa.expr, env)
	} else {
		c.cfa, err = cur.get(r.cfa.reg)
		c.cfa += uint64(r.cfa.off)
	}
	if err != nil {
		return c, fmt.Errorf("the frame address cannot be computed: %w", err)
	}
	c.outermost = r.regs[crash.RIP].kind == ruleUndefined
	how := byCFI
	if r.signal && r.restoresAll() {
		how = byContext
	}
	for n := crash.RegNum(0); n < crash.NumRegs; n++ {
		if err := r.recover(n, cur, &c, mem, env, how); err != nil && n == crash.RIP && !c.outermost {
			return c, fmt.Errorf("the return address cannot be read: %w", err)
		}
	}
	return c, nil
}

// recover finds the caller's value of one register. One that cannot be read stays unknown; the error matters for the
// return address only.
func (r *row) recover(n crash.RegNum, cur *registers, c *caller, mem *window, env exprEnv, how known) error {
	rl := &r.regs[n]
	var v uint64
	var err error
	switch rl.kind {
	case ruleUnspecified:
		switch {
		case n == crash.RSP:
			c.regs.set(n, c.cfa, byCFI)
		case calleeSaved(n):
			c.regs.set(n, cur.val[n], carried(cur.how[n]))
		case n == crash.RIP:
			return fmt.Errorf("the unwind row does not say where it is")
		}
		return nil
	case ruleUndefined:
		return fmt.Errorf("the unwind row says that it is lost")
	case ruleSame:
		c.regs.set(n, cur.val[n], carried(cur.how[n]))
		return nil
	case ruleOffset:
		addr := c.cfa + uint64(rl.off)
		if n == crash.RIP {
			c.raSlot = addr
		}
		v, err = mem.read(addr, 8)
	case ruleValOffset:
		v = c.cfa + uint64(rl.off)
	case ruleRegister:
		v, err = cur.get(rl.reg)
	case ruleExpr:
		if v, err = evalExpr(rl.expr, env, c.cfa); err == nil {
			if n == crash.RIP {
				c.raSlot = v
			}
			v, err = mem.read(v, 8)
		}
	case ruleValExpr:
		v, err = evalExpr(rl.expr, env, c.cfa)
	}
	if err == nil {
		c.regs.set(n, v, how)
	}
	return err
}
