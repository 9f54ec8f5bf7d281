package crash

// Regs are the general registers of an x86-64 thread in the order of the kernel's user_regs_struct
// (linux/arch/x86/include/asm/user_64.h), which is also the layout in NT_PRSTATUS.
type Regs struct {
	R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8 uint64
	RAX, RCX, RDX, RSI, RDI, OrigRAX               uint64
	RIP, CS, EFLAGS, RSP, SS                       uint64
	FSBase, GSBase, DS, ES, FS, GS                 uint64
}

// RegNum is a DWARF register number of x86-64 (System V psABI, figure 3.36).
type RegNum int

const (
	RAX RegNum = iota
	RDX
	RCX
	RBX
	RSI
	RDI
	RBP
	RSP
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	RIP
	NumRegs
)

var regNames = [NumRegs]string{"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"}

// String is the register's assembler name.
func (n RegNum) String() string {
	if n < 0 || n >= NumRegs {
		return "?"
	}
	return regNames[n]
}

func (r *Regs) slot(n RegNum) *uint64 {
	return [NumRegs]*uint64{&r.RAX, &r.RDX, &r.RCX, &r.RBX, &r.RSI, &r.RDI, &r.RBP, &r.RSP,
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15, &r.RIP}[n]
}

// Get returns the value of register n.
func (r *Regs) Get(n RegNum) uint64 { return *r.slot(n) }

// Set stores v in register n.
func (r *Regs) Set(n RegNum, v uint64) { *r.slot(n) = v }
