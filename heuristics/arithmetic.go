package heuristics

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

var arithmetic = Heuristic{Doc: docArithmetic, Run: runArithmetic}

func runArithmetic(c *Case) Finding {
	v := c.facts()
	if !v.is(unix.SIGFPE) || v.signal.Sent() && v.signal.PID != c.Crash.Target.PID {
		return Finding{}
	}
	f := c.Fault
	h := hypothesis(idArithmetic, "")
	h.fact(true, "sigfpe", "signal", wSigfpe, "the signal is SIGFPE (%s)", v.signal.CodeName())
	divides := f != nil && strings.HasPrefix(strings.TrimPrefix(f.Insn, "i"), "div")
	zero := f != nil && f.ValueOK && f.Value == 0
	h.fact(divides, "division", "instruction", wDivision, "the instruction divides: %s", insn(c))
	h.fact(zero, "divisor-zero", "divisor", wDivisorZero, "the divisor is 0")
	c.blameOrigin(h)
	who := v.suspectName()
	h.Title = who + " divided by zero"
	if f != nil && f.ValueOK && !zero {
		h.Title = who + " divided the smallest number by -1: the quotient does not fit"
	} else if !zero && !divides {
		h.Title = who + " did an arithmetic operation that has no result"
	}
	h.Summary = fmt.Sprintf("The instruction %s has no result for these operands. %s", insn(c), c.originSentence())
	h.next("check the divisor before the division in "+c.readable(h.Blame.Symbol), c.disassemble(h.Blame.Symbol))
	return finding(h)
}

var docArithmetic = Doc{
	ID:    idArithmetic,
	Title: "An arithmetic operation without a result",
	Text: `On x86-64 an integer division by zero, or of the smallest number by -1, raises SIGFPE. In spite of its name the signal has
nothing to do with floating point there.

Example: idiv ecx with ecx = 0, where ecx is the number of rows that a query returned.`,
	For:            []string{"SIGFPE from the processor", "the instruction is div or idiv, and its divisor is 0"},
	Against:        []string{"the signal was sent by another process"},
	FalsePositives: []string{"a program that unmasks floating-point traps gets SIGFPE from SSE instructions"},
	Fix:            []string{"test the divisor before dividing", "follow the divisor back: the report says where it came from"},
}
