package mesher

import "fmt"

// label starts a new block; an unfinished one falls into it.
func (f *Func) label(name string) {
	if f.open {
		f.emit("br label %%%s", name)
	}
	f.lines = append(f.lines, name+":")
	f.open, f.current = true, name
}

// jump ends the block.
func (f *Func) jump(label string) {
	f.emit("br label %%%s", label)
	f.open = false
}

// branch ends the block on a condition.
func (f *Func) branch(cond Operand, yes, no string) {
	c := cond.value(f)
	if c.Type == I8 {
		c = f.def("cond", I1, "trunc i8 %s to i1", c.Ref)
	}
	f.emit("br i1 %s, label %%%s, label %%%s", c.Ref, yes, no)
	f.open = false
}

// If runs one of two arms; an arm may return. no may be nil.
func (f *Func) If(cond Operand, yes, no func()) {
	then, els, end := f.fresh("then"), f.fresh("else"), f.fresh("join")
	f.branch(cond, then, els)
	f.label(then)
	yes()
	if f.open {
		f.jump(end)
	}
	f.label(els)
	if no != nil {
		no()
	}
	f.label(end)
}

// While repeats body as long as cond holds, with the reduction check that lets the scheduler take turns.
func (f *Func) While(cond func() Operand, body func()) {
	head, in, out := f.fresh("while"), f.fresh("body"), f.fresh("done")
	f.label(head)
	f.branch(cond(), in, out)
	f.label(in)
	body()
	if f.open {
		f.Call(".reduction_check")
		f.jump(head)
	}
	f.label(out)
}

// Forever repeats body; it never ends.
func (f *Func) Forever(body func()) {
	head := f.fresh("loop")
	f.label(head)
	body()
	if f.open {
		f.Call(".reduction_check")
		f.jump(head)
	}
}

// Case is one arm of a switch.
type Case struct {
	Tag  int64
	Body func()
}

// Switch selects an arm; an unknown tag ends in the language's non-exhaustive match panic.
func (f *Func) Switch(tag Operand, cases []Case) {
	t := tag.value(f)
	end, other := f.fresh("switched"), f.fresh("nomatch")
	labels := make([]string, len(cases))
	arms := ""
	for i, c := range cases {
		labels[i] = f.fresh(fmt.Sprintf("case%d", c.Tag))
		arms += fmt.Sprintf(" %s %d, label %%%s", t.Type, c.Tag, labels[i])
	}
	f.emit("switch %s %s, label %%%s [%s ]", t.Type, t.Ref, other, arms)
	f.open = false
	for i, c := range cases {
		f.label(labels[i])
		c.Body()
		if f.open {
			f.jump(end)
		}
	}
	f.label(other)
	f.noMatch("non-exhaustive match in switch")
	f.label(end)
}

// noMatch is the compiler's panic for a match without an arm; the position is always unknown.
func (f *Func) noMatch(text string) {
	msg, file := f.m.panicText(text), f.m.panicText("<unknown>")
	f.emit("call void @mesh_panic(ptr @%s, i64 %d, ptr @%s, i64 9, i32 0)", msg, len(text), file)
	f.emit("unreachable")
	f.open = false
}

// panicText interns a panic message, which the compiler keeps apart from the program's strings.
func (m *Module) panicText(text string) string {
	key := "\x00panic\x00" + text
	if name, ok := m.strings[key]; ok {
		return name
	}
	name := fmt.Sprintf(".panic_msg.%d", m.panics)
	m.panics++
	m.strings[key] = name
	m.Global("@%s = private unnamed_addr constant [%d x i8] c\"%s\", align 1", name, len(text), escape(text))
	return name
}

// Cmp compares two integers or pointers ("eq", "ne", "slt", "sgt", "sge").
func (f *Func) Cmp(op string, a, b Operand) Value {
	x := a.value(f)
	y := f.as(b, x.Type)
	return f.def(op, I1, "icmp %s %s %s, %s", op, x.Type, x.Ref, y.Ref)
}

// Op is integer arithmetic ("add", "sub", "mul", "sdiv", "srem").
func (f *Func) Op(op string, a, b Operand) Value {
	x, y := f.as(a, I64), f.as(b, I64)
	return f.def(op, I64, "%s i64 %s, %s", op, x.Ref, y.Ref)
}
