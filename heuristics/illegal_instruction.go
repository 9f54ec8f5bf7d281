package heuristics

import (
	"strings"

	"golang.org/x/sys/unix"
)

var illegalInstruction = Heuristic{Doc: docIllegal, Run: runIllegal}

func runIllegal(c *Case) Finding {
	v := c.facts()
	if !v.is(unix.SIGILL, unix.SIGTRAP) || v.signal.Sent() && v.signal.PID != c.Crash.Target.PID {
		return Finding{}
	}
	h := hypothesis(idIllegal, "")
	trap := c.Fault != nil && (strings.HasPrefix(c.Fault.Insn, "ud") || strings.HasPrefix(c.Fault.Insn, "int"))
	h.fact(true, "signal", "signal", wSigill, "the signal is %s (%s)", v.signal.Name(), v.signal.CodeName())
	h.fact(trap, "trap", "instruction", wTrap, "the instruction is a trap that the compiler put there (%s): code that must never be reached", insn(c))
	h.fact(!trap && c.Fault != nil, "undefined", "instruction", wUndefined, "this processor does not know the instruction (%s)", insn(c))
	c.blameSuspect(h)
	who := v.suspectName()
	h.Title = who + " reached code that the compiler believed unreachable"
	h.Summary = "The instruction is a deliberate trap: behind a call that must not return, in a branch that must not be taken, or for undefined behaviour."
	if !trap {
		h.Title = who + " ran an instruction that the processor does not know"
		h.Summary = "Either the program was built for another processor, or the program counter stands in bytes that are no code."
		h.next("compare the features of the processor with what the build asked for: lscpu; check for -march=native or target-cpu")
	}
	h.next("look at what stands before the instruction in "+who, c.disassemble(h.Blame.Symbol))
	return finding(h)
}

var docIllegal = Doc{
	ID:    idIllegal,
	Title: "An instruction that cannot be run",
	Text: `Either the compiler put a trap there (ud2, int3): behind a call that must not return, in a branch that must not be taken, where
undefined behaviour was proven. Or the processor does not know the instruction, because the program was built for
another one. Or the program counter stands in bytes that are no code.

Example: ud2 right behind "call panic": panic was declared as never returning, and returned.`,
	For:            []string{"SIGILL or SIGTRAP from the processor", "the instruction is ud2 or int3, or unknown to this processor"},
	Against:        []string{"the signal was sent by another process", "a debugger's breakpoint"},
	FalsePositives: []string{"Rust and C++ runtimes end the process with a trap after they have said why: then their words are the cause"},
	Fix:            []string{"read what stands before the trap", "compare lscpu with the build's target processor"},
}
