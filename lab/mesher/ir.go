// Package mesher generates the stand-in Mesher of the fault lab as LLVM IR text: what a compiler without debug information
// emits for a server written in Mesh. It has the shape of the real program (symbol names, value layouts, calling
// conventions, service loops, start-up messages) and none of its code.
//
// The package has three layers: a small IR builder (ir.go, flow.go), the language's idioms on top of it (values.go,
// service.go, actor.go), and the program itself (the remaining files). Edits (edit.go) turn the sound program into a broken one.
// It knows nothing of how the IR is assembled or linked, nor of what a broken program does.
package mesher

import (
	"fmt"
	"sort"
	"strings"
)

// Type is an LLVM type as text.
type Type string

const (
	Void   Type = "void"
	Ptr    Type = "ptr"
	I64    Type = "i64"
	I32    Type = "i32"
	I8     Type = "i8"
	I1     Type = "i1"
	Result Type = "{ i8, ptr }" // Ok/Some is tag 0, Err/None tag 1
)

// Value is a typed SSA value or constant.
type Value struct {
	Type Type
	Ref  string
}

// Operand is what instructions take: a Value, an Int or a Var, which is loaded on each use as a naive front end does.
type Operand interface{ value(f *Func) Value }

func (v Value) value(*Func) Value { return v }

// Int is an i64 constant.
type Int int64

func (i Int) value(*Func) Value { return Value{I64, fmt.Sprint(int64(i))} }

// Null is the NULL pointer.
var Null = Value{Ptr, "null"}

// Fn is the address of a function or another global.
func Fn(name string) Value { return Value{Ptr, "@" + name} }

// Var is a named stack slot.
type Var struct {
	Name string
	Type Type
}

func (v Var) value(f *Func) Value {
	return f.def(v.Name, v.Type, "load %s, ptr %%%s, align 8", v.Type, v.Name)
}

// addr is the address of the slot.
func (v Var) addr() Value { return Value{Ptr, "%" + v.Name} }

// Param is a parameter of a function.
type Param struct {
	Name string
	Type Type
}

// Module is one LLVM module.
type Module struct {
	types   []string
	sizes   map[Type]int64 // words of each struct
	globals []string
	strings map[string]string // text to the constant's name
	panics  int
	funcs   []*Func
	byName  map[string]*Func
	externs map[string]signature
}

type signature struct {
	ret    Type
	params []Type
}

// NewModule returns an empty module that knows every runtime function.
func NewModule() *Module {
	return &Module{sizes: map[Type]int64{}, strings: map[string]string{}, byName: map[string]*Func{}, externs: intrinsics()}
}

// Struct declares a named struct type.
func (m *Module) Struct(name string, fields ...Type) Type {
	parts := make([]string, len(fields))
	for i, t := range fields {
		parts[i] = string(t)
	}
	m.types = append(m.types, fmt.Sprintf("%%%s = type { %s }", name, strings.Join(parts, ", ")))
	t := Type("%" + name)
	for _, field := range fields {
		m.sizes[t] += m.words(field)
	}
	return t
}

// words is the size of a value in 8-byte words.
func (m *Module) words(t Type) int64 {
	if n, ok := m.sizes[t]; ok {
		return n
	}
	return 1
}

// Global adds a global definition as text.
func (m *Module) Global(format string, args ...any) {
	m.globals = append(m.globals, fmt.Sprintf(format, args...))
}

// constant interns a string constant and returns its symbol.
func (m *Module) constant(text string) string {
	if name, ok := m.strings[text]; ok {
		return name
	}
	name := fmt.Sprintf(".str.%d", len(m.strings)-m.panics)
	m.strings[text] = name
	m.Global("@%s = private unnamed_addr constant [%d x i8] c\"%s\", align 1", name, len(text), escape(text))
	return name
}

// escape writes text in LLVM's c"..." form.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Func is a function under construction.
type Func struct {
	m       *Module
	Name    string
	ret     Type
	Params  []Param
	slots   []string
	lines   []string
	counts  map[string]int
	open    bool   // the current block lacks a terminator
	current string // label of the current block
}

// Func starts a function; each parameter is spilled to a slot of its name, as a naive front end does.
func (m *Module) Func(name string, ret Type, params ...Param) *Func {
	f := &Func{m: m, Name: name, ret: ret, Params: params, counts: map[string]int{"entry": 1}, open: true, current: "entry"}
	m.funcs = append(m.funcs, f)
	m.byName[name] = f
	for _, p := range params {
		f.slot(p.Name, p.Type)
		f.emit("store %s %%%s.arg, ptr %%%s, align 8", p.Type, p.Name, p.Name)
	}
	return f
}

// Arg is the slot of a parameter.
func (f *Func) Arg(name string) Var {
	for _, p := range f.Params {
		if p.Name == name {
			return Var(p)
		}
	}
	panic(fmt.Sprintf("%s has no parameter %s", f.Name, name))
}

func (f *Func) slot(name string, t Type) {
	f.slots = append(f.slots, fmt.Sprintf("%%%s = alloca %s, align 8", name, t))
	f.counts[name]++
}

func (f *Func) emit(format string, args ...any) {
	if f.open {
		f.lines = append(f.lines, "  "+fmt.Sprintf(format, args...))
	}
}

// fresh returns an unused local name that starts with base.
func (f *Func) fresh(base string) string {
	n := f.counts[base]
	f.counts[base]++
	if n == 0 {
		return base
	}
	return fmt.Sprintf("%s.%d", base, n)
}

// def emits an instruction with a result.
func (f *Func) def(base string, t Type, format string, args ...any) Value {
	name := f.fresh(base)
	f.emit("%%%s = %s", name, fmt.Sprintf(format, args...))
	return Value{t, "%" + name}
}

// Let stores a value in a new slot.
func (f *Func) Let(name string, o Operand) Var {
	v := o.value(f)
	unique := f.fresh(name)
	f.slots = append(f.slots, fmt.Sprintf("%%%s = alloca %s, align 8", unique, v.Type))
	f.counts[unique]++
	f.emit("store %s %s, ptr %%%s, align 8", v.Type, v.Ref, unique)
	return Var{unique, v.Type}
}

// Set overwrites a slot.
func (f *Func) Set(v Var, o Operand) {
	x := f.as(o, v.Type)
	f.emit("store %s %s, ptr %%%s, align 8", x.Type, x.Ref, v.Name)
}

// as converts between integers and pointers where the language's types and the runtime's classes differ.
func (f *Func) as(o Operand, t Type) Value {
	v := o.value(f)
	switch {
	case v.Type == t:
		return v
	case v.Type == Ptr && t == I64:
		return f.def("word", t, "ptrtoint ptr %s to i64", v.Ref)
	case v.Type == I64 && t == Ptr:
		return f.def("obj", t, "inttoptr i64 %s to ptr", v.Ref)
	case v.Type == I1 && (t == I8 || t == I64):
		return f.def("wide", t, "zext i1 %s to %s", v.Ref, t)
	case v.Type == I8 && t == I64:
		return f.def("wide", t, "zext i8 %s to i64", v.Ref)
	case v.Type == I64 && (t == I8 || t == I32) && !strings.HasPrefix(v.Ref, "%"):
		return Value{t, v.Ref}
	}
	panic(fmt.Sprintf("%s: cannot convert %s to %s", f.Name, v.Type, t))
}

// Call calls a runtime function (named without its prefix, with a leading dot as in ".map_get") or a function of the module.
func (f *Func) Call(name string, args ...Operand) Value {
	sig, symbol := f.m.callee(name)
	if len(args) != len(sig.params) {
		panic(fmt.Sprintf("%s: %s takes %d arguments, not %d", f.Name, name, len(sig.params), len(args)))
	}
	refs := make([]string, len(args))
	for i, a := range args {
		v := f.as(a, sig.params[i])
		refs[i] = string(v.Type) + " " + v.Ref
	}
	call := fmt.Sprintf("call %s @%s(%s)", sig.ret, symbol, strings.Join(refs, ", "))
	if sig.ret == Void {
		f.emit("%s", call)
		return Value{Type: Void}
	}
	return f.def(strings.TrimPrefix(name, "."), sig.ret, "%s", call)
}

func (m *Module) callee(name string) (signature, string) {
	if ext, ok := strings.CutPrefix(name, "."); ok {
		sig, ok := m.externs[ext]
		if !ok {
			panic("no runtime function " + ext)
		}
		return sig, "mesh_" + ext
	}
	f, ok := m.byName[name]
	if !ok {
		panic("no function " + name + " defined so far")
	}
	sig := signature{ret: f.ret}
	for _, p := range f.Params {
		sig.params = append(sig.params, p.Type)
	}
	return sig, name
}

// Ret returns a value, converted to the function's type.
func (f *Func) Ret(o Operand) {
	v := f.as(o, f.ret)
	f.emit("ret %s %s", v.Type, v.Ref)
	f.open = false
}

// RetVoid returns Unit.
func (f *Func) RetVoid() {
	f.emit("ret void")
	f.open = false
}

// text renders the function.
func (f *Func) text() string {
	params := make([]string, len(f.Params))
	for i, p := range f.Params {
		params[i] = fmt.Sprintf("%s %%%s.arg", p.Type, p.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "define %s @%s(%s) #0 {\nentry:\n", f.ret, f.Name, strings.Join(params, ", "))
	for _, s := range f.slots {
		b.WriteString("  " + s + "\n")
	}
	b.WriteString(strings.Join(f.lines, "\n"))
	if f.open {
		b.WriteString("\n  unreachable")
	}
	b.WriteString("\n}\n")
	return b.String()
}

// String renders the module.
func (m *Module) String() string {
	var b strings.Builder
	b.WriteString("source_filename = \"mesher\"\ntarget triple = \"x86_64-unknown-linux-gnu\"\n\n")
	for _, part := range [][]string{m.types, m.globals} {
		b.WriteString(strings.Join(part, "\n") + "\n\n")
	}
	for _, f := range m.funcs {
		b.WriteString(f.text() + "\n")
	}
	names := make([]string, 0, len(m.externs))
	for name := range m.externs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		b.WriteString(m.externs[name].declare("mesh_" + name))
	}
	b.WriteString("\nattributes #0 = { uwtable }\n")
	return b.String()
}

func (s signature) declare(symbol string) string {
	params := make([]string, len(s.params))
	for i, t := range s.params {
		params[i] = string(t)
	}
	return fmt.Sprintf("declare %s @%s(%s)\n", s.ret, symbol, strings.Join(params, ", "))
}
