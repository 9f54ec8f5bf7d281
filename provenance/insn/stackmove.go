package insn

import "golang.org/x/arch/x86/x86asm"

// StackMove is what an instruction does to rsp and rbp, for tracking the height of the stack.
type StackMove struct {
	Kind StackMoveKind
	K    int64
}

// StackMoveKind is the kind of a StackMove.
type StackMoveKind uint8

// The kinds of StackMove.
const (
	StackNone      StackMoveKind = iota
	StackAdd                     // rsp += K
	StackFromFrame               // rsp = rbp + K (leave also restores rbp, see StackLeave)
	StackLeave                   // rsp = rbp + 8, rbp = unknown
	FrameFromStack               // rbp = rsp + K
	FrameLost                    // rbp = something else
	StackLost                    // rsp = something else
	FramePop                     // rbp = popped, rsp += 8
)

// StackMove works without building the instruction's effects, because it is asked of every instruction of a function.
func (in *Insn) StackMove() StackMove {
	a0, _ := in.inst.Args[0].(x86asm.Reg)
	switch in.Op {
	case x86asm.PUSH, x86asm.PUSHFQ:
		return StackMove{StackAdd, -8}
	case x86asm.POPFQ:
		return StackMove{StackAdd, 8}
	case x86asm.POP:
		switch a0 {
		case x86asm.RBP:
			return StackMove{FramePop, 8}
		case x86asm.RSP:
			return StackMove{Kind: StackLost}
		}
		return StackMove{StackAdd, 8}
	case x86asm.LEAVE:
		return StackMove{StackLeave, 8}
	case x86asm.ENTER:
		return StackMove{Kind: StackLost}
	case x86asm.CMP, x86asm.TEST, x86asm.CALL, x86asm.RET, x86asm.JMP, x86asm.NOP, x86asm.BT:
		return StackMove{}
	case x86asm.XCHG:
		if a1, ok := in.inst.Args[1].(x86asm.Reg); ok && (isStack(a1) || isStack(a0)) {
			return StackMove{Kind: StackLost}
		}
		return StackMove{}
	}
	switch {
	case isFrame(a0):
		return in.frameMove()
	case isStack(a0):
		return in.stackMove()
	}
	return StackMove{}
}

func isFrame(r x86asm.Reg) bool {
	return r == x86asm.RBP || r == x86asm.EBP || r == x86asm.BP || r == x86asm.BPB
}
func isStack(r x86asm.Reg) bool {
	return r == x86asm.RSP || r == x86asm.ESP || r == x86asm.SP || r == x86asm.SPB
}

func (in *Insn) frameMove() StackMove {
	switch src := in.inst.Args[1].(type) {
	case x86asm.Reg:
		if in.Op == x86asm.MOV && src == x86asm.RSP {
			return StackMove{FrameFromStack, 0}
		}
	case x86asm.Mem:
		if m := in.mem(src); in.Op == x86asm.LEA && m.Base == RSP && m.Index == NoReg {
			return StackMove{FrameFromStack, m.Disp}
		}
	}
	return StackMove{Kind: FrameLost}
}

func (in *Insn) stackMove() StackMove {
	switch src := in.inst.Args[1].(type) {
	case x86asm.Imm:
		switch in.Op {
		case x86asm.ADD:
			return StackMove{StackAdd, int64(src)}
		case x86asm.SUB:
			return StackMove{StackAdd, -int64(src)}
		}
	case x86asm.Reg:
		if in.Op == x86asm.MOV && src == x86asm.RBP {
			return StackMove{StackFromFrame, 0}
		}
	case x86asm.Mem:
		if in.Op != x86asm.LEA {
			break
		}
		switch m := in.mem(src); {
		case m.Base == RSP && m.Index == NoReg:
			return StackMove{StackAdd, m.Disp}
		case m.Base == RBP && m.Index == NoReg:
			return StackMove{StackFromFrame, m.Disp}
		}
	}
	return StackMove{Kind: StackLost}
}
