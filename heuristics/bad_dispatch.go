package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
)

var badDispatch = Heuristic{Doc: docDispatch, Run: runDispatch}

func runDispatch(c *Case) Finding {
	f := c.Fault
	if f != nil && f.BranchBad {
		if f.BadRet {
			return Finding{}
		}
		return finding(c.badTarget())
	}
	return finding(wrongFunction(c))
}

// branch is the call or jump that led to a bad program counter.
type branch struct {
	known  bool
	insn   string
	direct bool   // the target is written in the instruction
	slot   string // symbol of the linkage slot that it was read from, "" none
}

// badBranch describes the branch that led to a bad program counter.
func (c *Case) badBranch() branch {
	f := c.Fault
	b := branch{known: f.BranchInsn != "", insn: f.BranchInsn, slot: f.Slot}
	if b.known {
		_, operand, _ := strings.Cut(b.insn, " ")
		b.direct = operand != "" && !strings.ContainsAny(operand, "[]") && !registerName(operand)
	}
	if f.TailCall {
		return branch{} // the call was good: what it reached has jumped on, and is not on the stack any more
	}
	if atBranch(f) {
		return b // it stands on the branch itself: the caller's call is what led to it, and was good
	}
	if k := c.activeCall(c.facts().stack, 1); k != nil {
		b.known, b.insn = true, or(b.insn, k.Insn)
		b.direct = b.direct || !k.Indirect
		b.slot = or(b.slot, k.Callee)
	}
	return b
}

// atBranch reports whether the thread still stands on the branch: its target can be no address at all.
func atBranch(f *provenance.Fault) bool { return f.Branch != 0 && f.Branch == f.PC }

// linked reports whether the target was for the linker or loader to fill in: it is written in the instruction, or was
// read from the slot of a named symbol.
func (b branch) linked() bool { return b.known && b.direct || b.slot != "" }

func (b branch) String() string {
	if b.slot != "" {
		return strings.TrimSpace(b.insn + " -> " + b.slot)
	}
	return b.insn
}

// registerName reports whether an operand is a general register.
func registerName(operand string) bool {
	for r := crash.RegNum(0); r < crash.RIP; r++ {
		if operand == r.String() {
			return true
		}
	}
	return false
}

// caller is the frame that made the bad call.
func (c *Case) caller() int {
	v := c.facts()
	first := 1
	if atBranch(c.Fault) {
		first = 0
	}
	if p := v.stack.programFrom(first); p >= 0 {
		return p
	}
	return min(1, len(v.stack.frames)-1)
}

// badTarget: a call through a pointer went where no code is.
func (c *Case) badTarget() *Hypothesis {
	f, v := c.Fault, c.facts()
	null := f.AddressOK && f.Address < nearNullLimit && (f.Class == provenance.ClassNull || f.Address == 0)
	kind := kindDataFunc
	if null {
		kind = kindNullFunc
	}
	h := hypothesis(idDispatch, kind)
	k := c.badBranch()
	h.fact(null, "target-null", "target", wTargetNull, "the program counter is NULL: a function pointer was NULL")
	h.fact(!null, "target-data", "target", wTargetData, "the program counter is no code: %s", targetWords(f))
	h.fact(k.known && !k.linked(), "indirect", "call", wIndirectCall, "the call goes through a pointer (%s)", k)
	h.fact(k.linked(), "linked-call", "call", wLinkedCall, "the call names its target (%s): no table was read", k)
	h.fact(v.origin != nil && v.origin.Kind == provenance.StepLoad, "pointer-loaded", "origin", wPointerLoaded, "the pointer was read from memory at %s", where2(v))
	h.fact(v.origin != nil && v.origin.Kind == provenance.StepConst, "pointer-constant", "origin", wPointerLoaded, "%s puts it there itself", c.readable(originSymbol(v)))
	who := c.caller()
	extern := ""
	if who > 1 && v.stack.kind(1) == profile.KindRuntime {
		extern = v.stack.symbol(who - 1)
	}
	from, handed := Handover{}, false
	if origin := c.dispatchBlame(who); !c.isProgram(origin) {
		from, handed = c.handedFact(h)
	}
	if !handed {
		c.blame(h, c.dispatchBlame(who), or(extern, h.Blame.Extern))
	}
	name := c.readable(h.Blame.Symbol)
	h.Title = fmt.Sprintf("%s called a NULL function pointer", name)
	if !null {
		h.Title = fmt.Sprintf("%s called something that is no function: %s", name, targetWords(f))
	}
	h.Summary = fmt.Sprintf("The processor was sent to %s by a call through a pointer. %s", hex(f.Address), c.originSentence())
	if v.hidden != "" {
		h.Summary = fmt.Sprintf("%s called %s, and a jump through a pointer at the end of that sent the processor to %s.",
			v.stack.name(who), name, hex(f.Address))
	}
	if handed {
		what := "NULL"
		if !null {
			what = targetWords(f)
		}
		h.Title = fmt.Sprintf("%s gave %s no function to call, but %s", name, c.readable(from.Extern.Symbol), what)
		h.next(fmt.Sprintf("look at the call at %s in %s: %s takes a function in %s", hex(from.Site), name, c.readable(from.Extern.Symbol), argument(from.Arg)),
			c.disassemble(h.Blame.Symbol))
		return h
	}
	h.next("look where the function pointer is stored: the table, closure or handler that "+name+" calls through", c.disassemble(h.Blame.Symbol))
	return h
}

// dispatchBlame is who made the bad pointer when the chain leads to the program's code, else who called through it.
func (c *Case) dispatchBlame(caller int) string {
	v := c.facts()
	if v.hidden != "" {
		return v.hidden
	}
	if v.origin != nil && v.origin.Symbol != "" && c.isProgram(v.origin.Symbol) {
		return v.origin.Symbol
	}
	return v.stack.symbol(caller)
}

func where2(v *view) string {
	if v.origin == nil {
		return ""
	}
	return where(v.origin)
}

func targetWords(f *provenance.Fault) string {
	if f.Describe != "" {
		return f.Describe
	}
	return hex(f.Address)
}

// entryReach is how far into a function a fault still counts as "in its first instructions".
const entryReach = 96

// wrongFunction: a call through a pointer reached a real function, but not one that takes these arguments.
func wrongFunction(c *Case) *Hypothesis {
	v := c.facts()
	s := c.indirectSite(v)
	if s == nil || v.bad == nil {
		return nil
	}
	to := &v.stack.frames[s.to]
	h := hypothesis(idDispatch, kindWrongFunc)
	callee, caller := v.stack.name(s.to), v.stack.name(s.from)
	misfit := false
	if s.callee.Known && s.callee.Lo != 0 && s.call.Target != 0 && s.call.Target != s.callee.Lo {
		misfit = true
		h.fact(true, "not-an-entry", "target", wNotAnEntry, "the call goes into the middle of %s", callee)
	}
	own, job := c.actorOf(s.to), c.actorOf(s.from)
	if own != "" && job != "" && own != job {
		misfit = true
		h.fact(true, "other-job", "target", wOtherJob, "%s belongs to %s, and was called for %s", callee, own, job)
	}
	n := preparedCount(s.call)
	takesMore := s.callee.Known && readCount(&s.callee) > n
	h.fact(takesMore, "takes-more", "shape", wTakesMore, "%s takes %s, the call passes %d", callee, plural(readCount(&s.callee), "argument"), n)
	h.fact(s.use().Deref && !argUnset(s), "other-meaning", "shape", wOtherMeaning, "%s uses %s as an address; the caller passes %s there", callee, argument(s.arg), v.bad.text)
	h.fact(s.to == 0 && to.Symbol.Start != 0 && to.Code.Addr-to.Symbol.Start < entryReach, "at-entry", "place", wAtEntry, "it failed in the first instructions of %s", callee)
	h.fact(v.stack.kind(s.from) == profile.KindRuntime && !misfit, "called-back", "call", wCallbackRather, "the runtime calls back by a convention of its own")
	symbol := v.stack.symbol(s.from)
	extern := ""
	if !c.isProgram(symbol) {
		symbol, extern = v.stack.symbol(s.to), symbol
	}
	c.blame(h, symbol, extern)
	h.Title = fmt.Sprintf("%s called %s, which is not the function that belongs there", caller, callee)
	h.Summary = fmt.Sprintf("A call through a pointer reached %s, which expects other arguments than it was given (%s).", callee, v.bad.text)
	h.next("look where the function pointer is stored that "+caller+" calls through", c.disassemble(symbol))
	return h
}

// indirectSite is the innermost call through a pointer into the program's code that the bad value crossed, or that
// started the function which failed.
func (c *Case) indirectSite(v *view) *site {
	for i := range v.sites {
		s := &v.sites[i]
		if s.call != nil && s.call.Indirect && c.isProgram(s.symbol) {
			return s
		}
	}
	return nil
}

// actorOf is the service or actor that a frame's name says it belongs to, "" none.
func (c *Case) actorOf(i int) string {
	v := c.facts()
	if i < 0 || i >= len(v.stack.frames) {
		return ""
	}
	return c.classified(&v.stack.frames[i]).Actor
}

var docDispatch = Doc{
	ID:    idDispatch,
	Title: "A call through a pointer went to the wrong place",
	Kinds: map[string]string{
		kindNullFunc:  "the function pointer is NULL",
		kindDataFunc:  "the pointer leads to something that is no code",
		kindWrongFunc: "the pointer leads to a real function, but not to the one that belongs there",
	},
	Text: `Handler tables, closures, virtual methods and callbacks are called through pointers. If the pointer is NULL or leads to data,
the processor faults on fetching the instruction: rip itself is the bad address, and the caller is the return address on
top of the stack. If it leads to another function, that one starts and fails on arguments that are not meant for it,
usually within its first instructions.

Example: a service's table has its entry shifted by one; the loop of "orders" calls a handler of "users", which reads
the third word of a message that has two.`,
	For: []string{
		"the program counter equals the faulting address, and the caller's instruction is a call through a register or memory",
		"a function called through a pointer belongs to another service or actor than its caller",
		"it takes more arguments than the call sets, or uses as an address what the caller passes as a number",
		"the call goes into the middle of a function",
		"one function of the program passes that very value to the part of the runtime that called it: it is blamed",
	},
	Against: []string{
		"the call names its target: then the linker left it empty (see missing-extern)",
		"it was a ret that jumped (see stack-corruption)",
	},
	FalsePositives: []string{"code that was unmapped while it was still registered as a handler looks like a pointer to data"},
	Fix: []string{
		"look at the place that stores the pointer: the table, its index, the order of registration",
		"check tables for NULL when they are built, not when they are used",
	},
}
