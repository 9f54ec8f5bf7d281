package tracer

import (
	"testing"

	"meshdiag/crash"
)

func TestEmulate(t *testing.T) {
	start := crash.Regs{RIP: 0x1000, RSP: 0x7000, RBP: 0x1234, R12: 0x12, RAX: 0xa, RSI: 0x51, EFLAGS: 0x246 | flagOF}
	for _, test := range []struct {
		name   string
		code   []byte
		ok     bool
		change func(r *crash.Regs)
		pushed uint64
	}{
		{"endbr64", []byte{0xf3, 0x0f, 0x1e, 0xfa}, true, func(r *crash.Regs) { r.RIP += 4 }, 0},
		{"push rbp", []byte{0x55}, true, func(r *crash.Regs) { r.RIP++; r.RSP -= 8 }, 0x1234},
		{"push rsp", []byte{0x54}, true, func(r *crash.Regs) { r.RIP++; r.RSP -= 8 }, 0x7000},
		{"push rsi", []byte{0x56}, true, func(r *crash.Regs) { r.RIP++; r.RSP -= 8 }, 0x51},
		{"push r12", []byte{0x41, 0x54}, true, func(r *crash.Regs) { r.RIP += 2; r.RSP -= 8 }, 0x12},
		{"mov rbp, rsp", []byte{0x48, 0x89, 0xe5}, true, func(r *crash.Regs) { r.RIP += 3; r.RBP = r.RSP }, 0},
		{"sub rsp, 8", []byte{0x48, 0x83, 0xec, 8}, true, func(r *crash.Regs) { r.RIP += 4; r.RSP -= 8; r.EFLAGS = 0x202 | flagAF }, 0},
		{"sub rsp, -128", []byte{0x48, 0x83, 0xec, 0x80}, true, func(r *crash.Regs) { r.RIP += 4; r.RSP += 128; r.EFLAGS = 0x202 | flagCF }, 0},
		{"sub rsp, 0x7000", []byte{0x48, 0x81, 0xec, 0, 0x70, 0, 0}, true, func(r *crash.Regs) { r.RIP += 7; r.RSP = 0; r.EFLAGS = 0x202 | flagZF | flagPF }, 0},
		{"sub rsp, 0x7001", []byte{0x48, 0x81, 0xec, 1, 0x70, 0, 0}, true, func(r *crash.Regs) {
			r.RIP += 7
			r.RSP = ^uint64(0)
			r.EFLAGS = 0x202 | flagCF | flagSF | flagPF | flagAF
		}, 0},
		{"mov eax, [rdi]", []byte{0x8b, 0x07}, false, nil, 0},
		{"push imm8", []byte{0x6a, 1}, false, nil, 0},
		{"cut sub", []byte{0x48, 0x83, 0xec}, false, nil, 0},
		{"nothing", nil, false, nil, 0},
	} {
		r := start
		var sp, pushed uint64
		ok := emulate(test.code, &r, func(at, v uint64) bool { sp, pushed = at, v; return true })
		want := start
		if test.change != nil {
			test.change(&want)
		}
		if ok != test.ok || r != want || pushed != test.pushed || pushed != 0 && sp != start.RSP-8 {
			t.Errorf("%s: %v\n got %+v, %#x pushed\nwant %+v, %#x", test.name, ok, r, pushed, want, test.pushed)
		}
	}
	r := start
	if emulate([]byte{0x55}, &r, func(uint64, uint64) bool { return false }) || r != start {
		t.Error("a push that would fault was emulated")
	}
}

func TestMovable(t *testing.T) {
	for _, test := range []struct {
		name string
		code []byte
		want int
	}{
		{"mov eax, [rdi]", []byte{0x8b, 0x07, 0x90}, 2},
		{"lea rax, [rdi+8]", []byte{0x48, 0x8d, 0x47, 0x08}, 4},
		{"xor eax, eax", []byte{0x31, 0xc0}, 2},
		{"lea rax, [rip+1]", []byte{0x48, 0x8d, 0x05, 1, 0, 0, 0}, 0},
		{"jmp", []byte{0xeb, 0x10}, 0},
		{"call", []byte{0xe8, 0, 0, 0, 0}, 0},
		{"ret", []byte{0xc3}, 0},
		{"syscall", []byte{0x0f, 0x05}, 0},
		{"hlt", []byte{0xf4}, 0},
		{"cut", []byte{0x48}, 0},
	} {
		if got := movable(test.code); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
