package mesher

import "fmt"

// Str is a string literal: the bytes are a constant, the String is made of them when it is used.
func (f *Func) Str(text string) Value {
	return f.def("str", Ptr, "call ptr @mesh_string_new(ptr @%s, i64 %d)", f.m.constant(text), len(text))
}

// Println prints a literal line.
func (f *Func) Println(text string) { f.Call(".println", f.Str(text)) }

// Concat joins strings.
func (f *Func) Concat(parts ...Operand) Value {
	all := parts[0].value(f)
	for _, p := range parts[1:] {
		all = f.Call(".string_concat", all, p)
	}
	return all
}

// Field loads a field of a struct in a slot.
func (f *Func) Field(v Var, index int, t Type) Value {
	p := f.def(v.Name+".f", Ptr, "getelementptr inbounds %s, ptr %%%s, i32 0, i32 %d", v.Type, v.Name, index)
	return f.def(v.Name+".v", t, "load %s, ptr %s, align 8", t, p.Ref)
}

// SetField stores into a field of a struct in a slot.
func (f *Func) SetField(v Var, index int, t Type, o Operand) {
	x := f.as(o, t)
	p := f.def(v.Name+".f", Ptr, "getelementptr inbounds %s, ptr %%%s, i32 0, i32 %d", v.Type, v.Name, index)
	f.emit("store %s %s, ptr %s, align 8", t, x.Ref, p.Ref)
}

// Make builds an aggregate value from its fields.
func (f *Func) Make(t Type, fields ...Operand) Value {
	agg := Value{t, "poison"}
	for i, o := range fields {
		v := o.value(f)
		agg = f.def("agg", t, "insertvalue %s %s, %s %s, %d", t, agg.Ref, v.Type, v.Ref, i)
	}
	return agg
}

// Ok and Err build results; the payload is a pointer-sized word.
func (f *Func) Ok(o Operand) Value  { return f.Make(Result, Value{I8, "0"}, f.as(o, Ptr)) }
func (f *Func) Err(o Operand) Value { return f.Make(Result, Value{I8, "1"}, f.as(o, Ptr)) }

// FromExtern reads the result that a runtime function returned by pointer.
func (f *Func) FromExtern(o Operand) Value {
	p := o.value(f)
	return f.def("res", Result, "load %s, ptr %s, align 8", Result, p.Ref)
}

// Match runs one arm with the payload of a result.
func (f *Func) Match(name string, o Operand, ok, err func(payload Var)) {
	r := o.value(f)
	tag := f.def(name+".tag", I8, "extractvalue %s %s, 0", r.Type, r.Ref)
	payload := f.Let(name, f.def(name+".val", Ptr, "extractvalue %s %s, 1", r.Type, r.Ref))
	f.If(f.Cmp("eq", tag, Value{I8, "0"}), func() { ok(payload) }, func() { err(payload) })
}

// Words writes integers and pointers into a buffer on the stack, as arguments of messages and actors travel.
func (f *Func) Words(name string, words ...Operand) Var {
	v := Var{f.fresh(name), Type(fmt.Sprintf("[%d x i64]", len(words)))}
	f.slots = append(f.slots, fmt.Sprintf("%%%s = alloca %s, align 8", v.Name, v.Type))
	for i, o := range words {
		w := f.as(o, I64)
		p := f.def(v.Name+".w", Ptr, "getelementptr inbounds i64, ptr %%%s, i64 %d", v.Name, i)
		f.emit("store i64 %s, ptr %s, align 8", w.Ref, p.Ref)
	}
	return v
}

// At loads a word of a value at a byte offset.
func (f *Func) At(base Operand, offset int64, t Type) Value {
	b := base.value(f)
	p := f.def("at", Ptr, "getelementptr inbounds i8, ptr %s, i64 %d", b.Ref, offset)
	return f.def("field", t, "load %s, ptr %s, align 8", t, p.Ref)
}

// Box copies a struct into the actor's heap, for results that carry one.
func (f *Func) Box(v Var) Value {
	p := f.Call(".gc_alloc_actor", Int(8*f.m.words(v.Type)), Int(8))
	x := v.value(f)
	f.emit("store %s %s, ptr %s, align 8", x.Type, x.Ref, p.Ref)
	return p
}

// Unbox loads a struct from the heap.
func (f *Func) Unbox(name string, t Type, o Operand) Var {
	p := f.as(o, Ptr)
	return f.Let(name, f.def("unboxed", t, "load %s, ptr %s, align 8", t, p.Ref))
}

// List builds a list of words.
func (f *Func) List(items ...Operand) Value {
	l := f.Call(".list_new")
	for _, it := range items {
		l = f.Call(".list_append", l, it)
	}
	return l
}

// Own copies a string into the heap of the actor that runs: keys that are kept must not live in the heap of a caller.
func (f *Func) Own(o Operand) Value { return f.Call(".string_concat", o, f.Str("")) }
