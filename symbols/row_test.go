package symbols

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"meshdiag/crash"
)

// plainCIE is what compilers emit: cfa=rsp+8, the return address at cfa-8.
func plainCIE() *cie {
	return &cie{codeAlign: 1, dataAlign: -8, retReg: 16, lsdaEnc: ehPtrOmit,
		initial: []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}}
}

func TestRows(t *testing.T) {
	cases := []struct {
		name   string
		instrs []byte
		at     uint64 // offset in the function
		want   string
	}{
		{"entry", nil, 0, "cfa=rsp+8 rip=c-8"},
		{"before push", []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 16, cfaOffset | 6, 2}, 0, "cfa=rsp+8 rip=c-8"},
		{"after push", []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 16, cfaOffset | 6, 2}, 1, "cfa=rsp+16 rbp=c-16 rip=c-8"},
		{"frame pointer", []byte{cfaDefCFAOffset, 16, cfaDefCFARegister, 6}, 5, "cfa=rbp+16 rip=c-8"},
		{"remembered", []byte{cfaDefCFAOffset, 32, cfaRememberState, cfaAdvanceLoc | 2, cfaDefCFAOffset, 8,
			cfaAdvanceLoc | 2, cfaRestoreState}, 4, "cfa=rsp+32 rip=c-8"},
		{"inside the remembered part", []byte{cfaDefCFAOffset, 32, cfaRememberState, cfaAdvanceLoc | 2, cfaDefCFAOffset, 8,
			cfaAdvanceLoc | 2, cfaRestoreState}, 3, "cfa=rsp+8 rip=c-8"},
		{"restore one", []byte{cfaOffset | 3, 2, cfaOffset | 12, 3, cfaRestore | 3}, 0, "cfa=rsp+8 r12=c-24 rip=c-8"},
		{"long advances", []byte{cfaAdvanceLoc1, 200, cfaDefCFAOffset, 16, cfaAdvanceLoc2, 0, 1, cfaDefCFAOffset, 24,
			cfaAdvanceLoc4, 0, 0, 1, 0, cfaDefCFAOffset, 32}, 200 + 256, "cfa=rsp+24 rip=c-8"},
		{"outermost", []byte{cfaUndefined, 16}, 0, "cfa=rsp+8 rip=u"},
		{"signed", []byte{cfaDefCFASf, 7, 0x7e, cfaOffsetExtSf, 3, 0x7f}, 0, "cfa=rsp+16 rbx=c+8 rip=c-8"},
		{"gnu", []byte{cfaGNUArgsSize, 16, cfaGNUNegOffset, 3, 2}, 0, "cfa=rsp+8 rbx=c+16 rip=c-8"},
		{"other kinds", []byte{cfaRegister, 3, 0, cfaSameValue, 12, cfaValOffset, 7, 0, cfaValExpression, 14, 1, opLit0,
			cfaExpression, 15, 1, opLit0}, 0, "cfa=rsp+8 rbx=rax rsp=v+0 r12=s r14=vexp r15=exp rip=c-8"},
		{"expression", []byte{cfaDefCFAExpr, 2, opBreg0 + 6, 0}, 0, "cfa=exp rip=c-8"},
		{"vector registers are skipped", []byte{cfaOffsetExt, 17, 2}, 0, "cfa=rsp+8 rip=c-8"},
	}
	for _, c := range cases {
		f := &fde{cie: plainCIE(), lo: 0x1000, hi: 0x20000, instrs: c.instrs}
		r, err := f.rowAt(0x1000 + c.at)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if r.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, r, c.want)
		}
	}
}

func TestBadRows(t *testing.T) {
	many := make([]byte, 0, 200)
	for range 100 {
		many = append(many, cfaRememberState)
	}
	cases := []struct {
		name   string
		instrs []byte
		want   string
	}{
		{"cut", []byte{cfaDefCFA, 7}, errShort.Error()},
		{"unknown", []byte{0x3e}, "unknown instruction 0x3e"},
		{"unbalanced", []byte{cfaRestoreState}, "never remembered"},
		{"too many states", many, "too many"},
		{"register", []byte{cfaDefCFA, 40, 8}, "unknown register 40"},
		{"offset of expression", []byte{cfaDefCFAExpr, 1, opLit0, cfaDefCFAOffset, 8}, "has none"},
		{"expression behind the end", []byte{cfaDefCFAExpr, 100}, errShort.Error()},
	}
	for _, c := range cases {
		f := &fde{cie: plainCIE(), lo: 0x1000, hi: 0x2000, instrs: c.instrs}
		if r, err := f.rowAt(0x1800); err == nil || !strings.Contains(err.Error(), c.want) || r != nil {
			t.Errorf("%s: row %v, error %v", c.name, r, err)
		}
	}
	f := &fde{cie: plainCIE(), lo: 0x1000, hi: 0x2000}
	if _, err := f.rowAt(0x2000); err == nil {
		t.Error("a row outside the entry")
	}
}

// wordStack is a fake stack: 8-byte words from 0x7000.
type wordStack []uint64

func (w wordStack) ReadMemory(buf []byte, addr uint64) (int, error) {
	all := make([]byte, 0, len(w)*8)
	for _, v := range w {
		all = binary.LittleEndian.AppendUint64(all, v)
	}
	if addr < 0x7000 || addr >= 0x7000+uint64(len(all)) {
		return 0, &crash.UnreadableError{Addr: addr}
	}
	n := copy(buf, all[addr-0x7000:])
	if n < len(buf) {
		return n, &crash.UnreadableError{Addr: addr + uint64(n)}
	}
	return n, nil
}

func TestStep(t *testing.T) {
	regs := registers{}
	regs.set(crash.RSP, 0x7000, byContext)
	regs.set(crash.RBX, 5, byContext)
	regs.set(crash.R12, 6, byCFI)
	regs.set(crash.RAX, 7, byContext)
	stack := wordStack{0xb0, 0xbb, 0x401000}
	r := row{cfa: rule{kind: ruleRegOffset, reg: crash.RSP, off: 24}}
	r.regs[crash.RIP] = rule{kind: ruleOffset, off: -8}
	r.regs[crash.RBP] = rule{kind: ruleOffset, off: -16}
	c, err := r.step(&regs, &window{mem: stack}, 0)
	if err != nil || c.cfa != 0x7018 || c.raSlot != 0x7010 {
		t.Fatalf("%+v %v", c, err)
	}
	want := map[crash.RegNum]Reg{
		crash.RIP: {0x401000, true, RegCFI}, crash.RSP: {0x7018, true, RegCFI}, crash.RBP: {0xbb, true, RegCFI},
		crash.RBX: {5, true, RegSame}, crash.R12: {6, true, RegCFI}, crash.RAX: {}, crash.R13: {},
	}
	got := c.regs.public()
	for n, w := range want {
		if got[n] != w {
			t.Errorf("%s is %+v, want %+v", n, got[n], w)
		}
	}

	// A register that cannot be read stays unknown; only the return address stops the walk.
	r.regs[crash.RBP] = rule{kind: ruleOffset, off: 0x1000}
	if c, err = r.step(&regs, &window{mem: stack}, 0); err != nil || c.regs.how[crash.RBP] != notKnown {
		t.Errorf("unreadable rbp: %+v %v", c.regs.public()[crash.RBP], err)
	}
	r.regs[crash.RIP] = rule{kind: ruleOffset, off: 0x1000}
	var unreadable *crash.UnreadableError
	if _, err = r.step(&regs, &window{mem: stack}, 0); !errors.As(err, &unreadable) {
		t.Errorf("unreadable return address: %v", err)
	}
	r.cfa.reg = crash.R8
	if _, err = r.step(&regs, &window{mem: stack}, 0); err == nil || !strings.Contains(err.Error(), "r8") {
		t.Errorf("unknown register: %v", err)
	}
}

func TestExpressions(t *testing.T) {
	env := exprEnv{
		reg: func(n crash.RegNum) (uint64, error) {
			if n == crash.RBX {
				return 0, errors.New("rbx is not known")
			}
			return 0x1000 * uint64(n), nil
		},
		read: func(addr uint64, size int) (uint64, error) { return addr + uint64(size), nil },
		bias: 0x50000,
	}
	cases := []struct {
		name string
		expr []byte
		want uint64
		err  string
	}{
		{"plt of ld.bfd", []byte{opBreg0 + 7, 8, opBreg0 + 16, 0, opLit0 + 15, opAnd, opLit0 + 11, opGe, opLit0 + 3, opShl, opPlus}, 0x7008, ""},
		{"corosensei", []byte{opBreg0 + 6, 0, opDeref, opPlusUconst, 24}, 0x6000 + 8 + 24, ""},
		{"address", []byte{opAddr, 1, 0, 0, 0, 0, 0, 0, 0}, 0x50001, ""},
		{"constants", []byte{opConst1s, 0xff, opConst2u, 2, 0, opPlus, opConsts, 0x7f, opPlus, opConstu, 0x80, 1, opPlus}, 128, ""},
		{"shuffle", []byte{opLit0 + 1, opLit0 + 2, opLit0 + 3, opRot, opDrop, opMinus}, 2, ""},
		{"over swap pick", []byte{opLit0 + 1, opLit0 + 2, opOver, opSwap, opPick, 2, opPlus, opPlus, opMul}, 4, ""},
		{"signs", []byte{opConst1s, 0xf8, opLit0 + 2, opDiv, opAbs, opNeg, opNot}, 3, ""},
		{"branch", []byte{opLit0 + 1, opBra, 1, 0, 0xff, opLit0 + 9}, 9, ""},
		{"skip", []byte{opSkip, 1, 0, 0xff, opLit0 + 4}, 4, ""},
		{"deref 4", []byte{opLit0 + 8, opDerefSize, 4}, 12, ""},
		{"register", []byte{opBreg0 + 3, 0}, 0, "rbx is not known"},
		{"empty", nil, 0, errExprStack.Error()},
		{"underflow", []byte{opPlus}, 0, errExprStack.Error()},
		{"division", []byte{opLit0, opLit0, opDiv}, 0, "divides by zero"},
		{"endless", []byte{opSkip, 0xfd, 0xff}, 0, "does not end"},
		{"out of itself", []byte{opSkip, 0x10, 0}, 0, "jumps out"},
		{"growing", []byte{opLit0, opSkip, 0xfc, 0xff}, 0, "too many values"},
		{"unknown", []byte{0xee}, 0, "unknown expression operation 0xee"},
		{"deref size", []byte{opLit0, opDerefSize, 3}, 0, "reads 3 bytes"},
		{"cut", []byte{opConst4u, 1}, 0, errShort.Error()},
	}
	for _, c := range cases {
		got, err := evalExpr(c.expr, env)
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %#x %v, want %#x", c.name, got, err, c.want)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %#x %v, want error %q", c.name, got, err, c.err)
		}
	}
}

func TestCallLength(t *testing.T) {
	cases := map[string]int{
		"\xff\xd0":                         2, // call rax
		"\x41\xff\xd3":                     3, // call r11
		"\xff\x10":                         2, // call [rax]
		"\xff\x50\x08":                     3, // call [rax+8]
		"\xff\x54\xc8\x08":                 4, // call [rax+rcx*8+8]
		"\xff\x15\x00\x00\x00\x00":         6, // call [rip+0]
		"\x41\xff\x94\x24\x00\x01\x00\x00": 8, // call [r12+0x100]
		"\xff\x14\x25\x00\x00\x00\x00":     7, // call [0]
		"\xff\xe0":                         0, // jmp rax
		"\xff\x30":                         0, // push [rax]
		"\x90\x90":                         0,
		"\xff":                             0,
	}
	for code, want := range cases {
		if got := callLength([]byte(code)); got != want {
			t.Errorf("% x: %d, want %d", code, got, want)
		}
	}
}
