package provenance

import (
	"strings"
	"testing"

	"meshdiag/crash"
)

// TestFault is one row per way to fault. "desc" must occur in Describe.
func TestFault(t *testing.T) {
	for _, c := range []struct {
		name, code string
		sig, code_ int
		addr       uint64
		regs       func(r *crash.Regs)
		want, desc string
	}{
		{"null", "488b07", sigSEGV, 1, 0, func(r *crash.Regs) {},
			"read null reg=rdi value=0x0 addr=0x0", "NULL"},
		{"null field", "488b4708", sigSEGV, 1, 8, nil,
			"read null reg=rdi value=0x0 addr=0x8 off=0x8", "NULL plus 0x8"},
		{"null with a large index", "488904cf", sigSEGV, 1, 0x80000, func(r *crash.Regs) { r.RCX = 0x10000 },
			"write null reg=rdi value=0x0 addr=0x80000 off=0x80000", "NULL plus 0x80000"},
		{"small integer is not null", "8b07", sigSEGV, 1, 0x800, func(r *crash.Regs) { r.RDI = 0x800 },
			"read near-null reg=rdi value=0x800 addr=0x800", "a small integer (2048)"},
		{"index only is never null", "488b04fd00000000", sigSEGV, 1, 0, nil,
			"read near-null reg=rdi value=0x0 addr=0x0", ""},
		{"absolute null", "8b042500000000", sigSEGV, 1, 0, nil, "read null reg= value=0x0 addr=0x0", "NULL"},
		{"non-canonical", "488b07", sigSEGV, 0x80, 0, func(r *crash.Regs) { r.RDI = 0x4141414141414141 },
			"read non-canonical reg=rdi value=0x4141414141414141 addr=0x4141414141414141", `the text "AAAAAAAA"`},
		{"non-canonical on rbp", "488b4508", sigBUS, 0x80, 0, func(r *crash.Regs) { r.RBP = 0x6f77206f6c6c6568 },
			"read non-canonical reg=rbp value=0x6f77206f6c6c6568 addr=0x6f77206f6c6c6570 off=0x8", `the text "hello wo"`},
		{"misaligned sse", "0f2807", sigSEGV, 0x80, 0, func(r *crash.Regs) { r.RDI = heapBase + 8 },
			"read misaligned reg=rdi value=0x600008 addr=0x600008", "not a multiple of 16"},
		{"push on a guard page", "50", sigSEGV, 2, actorLow - 8, func(r *crash.Regs) { r.RSP = actorLow },
			"write guard-page reg=rsp value=0x7f0000011000 addr=0x7f0000010ff8 off=-0x8", "the guard page"},
		{"call on a guard page", "e800000000", sigSEGV, 2, actorLow - 8, func(r *crash.Regs) { r.RSP = actorLow },
			"write guard-page reg=rsp value=0x7f0000011000 addr=0x7f0000010ff8 off=-0x8", "the guard page"},
		{"main stack below its end", "4889842400f0ffff", sigSEGV, 1, stackLow - 0xff0, func(r *crash.Regs) { r.RSP = stackLow + 0x10 },
			"write guard-page reg=rsp value=0x7ffff0000010 addr=0x7fffeffff010 off=-0x1000", "below the end of the main stack"},
		{"past the end by one", "c60700", sigSEGV, 1, heapBase + 0x21000, func(r *crash.Regs) { r.RDI = heapBase + 0x21000 },
			"write past-end reg=rdi value=0x621000 addr=0x621000", "1 byte behind the end of the heap"},
		{"straddles the end", "488b07", sigSEGV, 1, heapBase + 0x21000, func(r *crash.Regs) { r.RDI = heapBase + 0x20ffc },
			"read past-end reg=rdi value=0x620ffc addr=0x621000", "1 byte behind the end of the heap"},
		{"index runs away", "8b04b7", sigSEGV, 1, heapBase + 0x4000000, func(r *crash.Regs) { r.RDI, r.RSI = heapBase, 0x1000000 },
			"read unmapped reg=rsi value=0x1000000 addr=0x4600000", ""},
		{"write to code", "c60700", sigSEGV, 2, textBase + 8, func(r *crash.Regs) { r.RDI = textBase + 8 },
			"write protection reg=rdi value=0x400008 addr=0x400008", "not writable"},
		{"file cut", "8b07", sigBUS, 2, fileBase + 0x1000, func(r *crash.Regs) { r.RDI = fileBase + 0x1000 },
			"read past-file reg=rdi value=0x7f1000001000 addr=0x7f1000001000", "only 0x800 bytes long"},
		{"rep stos half way", "f348ab", sigSEGV, 1, heapBase + 0x21000, func(r *crash.Regs) { r.RDI, r.RCX = heapBase+0x21000, 5 },
			"write past-end reg=rdi value=0x621000 addr=0x621000", ""},
		{"movs with a bad source", "a4", sigSEGV, 1, 0, func(r *crash.Regs) { r.RDI = heapBase },
			"read null reg=rsi value=0x0 addr=0x0", "NULL"},
		{"division by zero", "48f7f9", sigFPE, 1, textBase, func(r *crash.Regs) { r.RAX = 7 },
			" arithmetic reg=rcx value=0x0", "division by zero"},
		{"INT_MIN / -1", "f7f9", sigFPE, 1, textBase, func(r *crash.Regs) { r.RCX = 0xffffffff },
			" arithmetic reg=rcx value=0xffffffff", "smallest 32-bit integer divided by -1"},
		{"division of memory", "f77f10", sigFPE, 1, textBase, func(r *crash.Regs) { r.RDI = heapBase },
			" arithmetic reg= value=0x0 addr=0x600010", "division by zero"},
		{"ud2", "0f0b", sigILL, 2, textBase, nil, " illegal reg=", "a trap that a compiler places"},
		{"garbage", "0606", sigILL, 2, textBase, nil, " illegal reg=", "not an instruction"},
		{"hlt", "f4", sigSEGV, 0x80, 0, nil, " illegal reg=", "only be executed by the kernel"},
		{"folded", "8b042504000000", sigSEGV, 1, 4, nil, "read null reg= value=0x0 addr=0x4 off=0x4", "NULL plus 0x4 (or that number"},
		{"fs", "64488b0425ffff0000", sigSEGV, 1, 0xffff, nil, "read near-null reg= value=0xffff addr=0xffff", ""},
		{"vex rip-relative is not near null", "c5fe6f0500000003", sigSEGV, 1, textBase + 8 + 0x3000000, nil,
			"read unmapped reg= value=0x3400008 addr=0x3400008", ""},
		{"sign-extended error code", "488b4001", sigSEGV, 1, 0, func(r *crash.Regs) { r.RAX = 0xffffffffffffffff },
			"read near-null reg=rax value=0xffffffffffffffff addr=0x0 off=0x1", "a small negative integer (-1)"},
		{"jump to text", "ffe0", sigSEGV, 0x80, 0, func(r *crash.Regs) { r.RAX = 0x4242424242424242 },
			"execute non-canonical reg=rax value=0x4242424242424242 addr=0x4242424242424242", `the text "BBBBBBBB"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess()
			p.function(t, "f", textBase, c.code)
			f := p.analyzer().Fault(p.fault(c.sig, c.code_, c.addr, c.regs), nil)
			if f == nil {
				t.Fatal("no fault")
			}
			if f.summary() != c.want {
				t.Errorf("got  %s\nwant %s", f.summary(), c.want)
			}
			if !strings.Contains(f.Describe, c.desc) {
				t.Errorf("Describe = %q, want it to hold %q", f.Describe, c.desc)
			}
			if len(f.Inconsistent) > 0 {
				t.Errorf("inconsistent: %q", f.Inconsistent)
			}
		})
	}
}

// TestNotAFault: a signal that was sent is no fault, whatever the program counter stands on.
func TestNotAFault(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, "488b07")
	for _, s := range []crash.Signal{{Number: sigSEGV, Code: 0, PID: 7}, {Number: sigSEGV, Code: -6}, {Number: 6, Code: -6}, {Number: 6, Code: 0x80}} {
		th := p.fault(s.Number, s.Code, 0, nil)
		if f := p.analyzer().Fault(th, nil); f != nil {
			t.Errorf("signal %+v: got %s", s, f.summary())
		}
	}
}

// TestInconsistent: contradictions are findings.
func TestInconsistent(t *testing.T) {
	for _, c := range []struct {
		name, code string
		sig, code_ int
		addr       uint64
		regs       func(r *crash.Regs)
		want       string
	}{
		{"other address", "488b07", sigSEGV, 1, 0x1234567, nil, "does not access 0x1234567"},
		{"permitted", "488b07", sigSEGV, 2, heapBase, func(r *crash.Regs) { r.RDI = heapBase }, "permits this read"},
		{"no division", "488b07", sigFPE, 1, textBase, nil, "divides nothing"},
		{"no bad operand", "488b07", sigSEGV, 0x80, 0, func(r *crash.Regs) { r.RDI = heapBase }, "no operand of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess()
			p.function(t, "f", textBase, c.code)
			f := p.analyzer().Fault(p.fault(c.sig, c.code_, c.addr, c.regs), nil)
			if len(f.Inconsistent) == 0 || !strings.Contains(strings.Join(f.Inconsistent, " "), c.want) {
				t.Errorf("got %q, want %q", f.Inconsistent, c.want)
			}
		})
	}
}

// TestPatchedCode: an instruction that differs from the file is said to.
func TestPatchedCode(t *testing.T) {
	p := newProcess()
	p.function(t, "f", textBase, "488b07")
	p.code.patch[textBase] = true
	f := p.analyzer().Fault(p.fault(sigSEGV, 1, 0, nil), nil)
	if !f.CodeDiffers || !strings.Contains(f.InsnWhy, "differs") {
		t.Errorf("CodeDiffers=%v InsnWhy=%q", f.CodeDiffers, f.InsnWhy)
	}
}

// TestBadBranch: who sent the program counter to a place without code.
func TestBadBranch(t *testing.T) {
	const rsp = stackHigh - 0x1000
	for _, c := range []struct {
		name   string
		setup  func(t *testing.T, p *process)
		pc     uint64
		regs   func(r *crash.Regs)
		check  func(f *Fault) bool
		expect string
	}{
		{"call through a null register", func(t *testing.T, p *process) {
			p.function(t, "f", textBase, "90 ffd0 c3")
			p.word(rsp, textBase+3)
		}, 0, nil, func(f *Fault) bool {
			return f.Class == ClassNull && f.Register == "rax" && f.Branch == textBase+1 && !f.BadRet
		}, "call rax"},
		{"call through a null slot", func(t *testing.T, p *process) {
			p.function(t, "f", textBase, "ff5018 c3")
			p.word(rsp, textBase+3)
		}, 0, func(r *crash.Regs) { r.RAX = heapBase }, func(f *Fault) bool {
			return f.SlotAddr == heapBase+0x18 && !f.BadRet
		}, "call qword ptr [rax+0x18]"},
		{"unresolved symbol behind a stub", func(t *testing.T, p *process) {
			p.function(t, "f", textBase, "e8fb000000 c3")
			p.function(t, "stub", textBase+0x100, "f30f1efa f2ff25f50e1000 0f1f00")
			p.code.got[textBase+0x10b+0x100ef5] = "missing_function"
			p.word(rsp, textBase+5)
		}, 0, nil, func(f *Fault) bool { return f.Slot == "missing_function" && f.Register == "" },
			"call 0x400100"},
		{"data as a function", func(t *testing.T, p *process) {
			p.function(t, "f", textBase, "ffd1 c3")
			p.word(rsp, textBase+2)
		}, heapBase + 0x40, func(r *crash.Regs) { r.RCX = heapBase + 0x40 }, func(f *Fault) bool {
			return f.Class == ClassProtection && f.Register == "rcx" && f.Looks == LooksHeap
		}, "call rcx"},
		{"smashed return address", func(t *testing.T, p *process) {
			p.word(rsp-8, 0x41414141)
			p.word(rsp, 0x4141414141414141)
		}, 0x41414141, nil, func(f *Fault) bool { return f.BadRet && f.Ascii == "AAAA" }, "ret"},
		{"call, though a stale zero stands below", func(t *testing.T, p *process) {
			p.function(t, "f", textBase, "ffd0 c3")
			p.word(rsp-8, 0)
			p.word(rsp, textBase+2)
		}, 0, nil, func(f *Fault) bool { return !f.BadRet && f.Register == "rax" }, "call rax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess()
			c.setup(t, p)
			th := p.fault(sigSEGV, 1, c.pc, func(r *crash.Regs) {
				r.RIP, r.RSP = c.pc, rsp
				if c.regs != nil {
					c.regs(r)
				}
			})
			f := p.analyzer().Fault(th, nil)
			if !f.BranchBad || f.Access != AccessExecute || !c.check(f) || f.BranchInsn != c.expect {
				t.Errorf("got %s: %+v", f.summary(), *f)
			}
		})
	}
}
