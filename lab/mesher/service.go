package mesher

import (
	"fmt"
	"strings"
)

// Method is one call or cast of a service. Its handler takes the state and the arguments and hands back the new state and,
// for a call, the reply word.
type Method struct {
	Name   string
	Cast   bool
	Params []Param
	Ret    Type // of the client-side helper; I64 or Ptr
	Body   func(f *Func, state Var)
}

// Service is one stateful actor.
type Service struct {
	Name    string // as in the source, such as "OrgService"
	Process string // registered name
	State   []Param
	Init    []Param                 // parameters of start and init
	Start   func(f *Func) []Operand // initial state, field by field
	Methods []Method
}

// lower is the service's name in symbols.
func (s *Service) lower() string { return strings.ToLower(s.Name) }

func (s *Service) symbol(part string) string { return "__service_" + s.lower() + "_" + part }

func (s *Service) stateType() Type { return Type("%" + s.Name + "State") }

// replyType is what a call handler returns: the new state and the reply word.
func (s *Service) replyType() Type { return Type(fmt.Sprintf("{ %s, i64 }", s.stateType())) }

// service emits every function of a service, in the order init, handlers, loop, start, client helpers.
func (m *Module) service(s *Service) {
	fields := make([]Type, len(s.State))
	for i, p := range s.State {
		fields[i] = p.Type
	}
	m.Struct(s.Name+"State", fields...)
	init := m.Func(s.symbol("init"), s.stateType(), s.Init...)
	init.Ret(init.Make(s.stateType(), s.Start(init)...))
	for _, method := range s.Methods {
		m.handler(s, method)
	}
	m.handlerTable(s)
	m.serviceLoop(s)
	m.serviceStart(s)
	for tag, method := range s.Methods {
		if method.Cast {
			m.castHelper(s, int64(tag), method)
		} else {
			m.callHelper(s, int64(tag), method)
		}
	}
}

func (s *Service) handlerName(method Method) string {
	if method.Cast {
		return s.symbol("handle_cast_" + method.Name)
	}
	return s.symbol("handle_call_" + method.Name)
}

func (m *Module) handler(s *Service, method Method) {
	ret := s.replyType()
	if method.Cast {
		ret = s.stateType()
	}
	params := append([]Param{{"state", s.stateType()}}, method.Params...)
	f := m.Func(s.handlerName(method), ret, params...)
	method.Body(f, f.Arg("state"))
}

// Reply ends a call handler: the state as it stands in its slot, and the reply.
func (f *Func) Reply(state Var, o Operand) {
	word := f.as(o, I64)
	f.Ret(f.Make(f.ret, state, word))
}

// Keep ends a cast handler with the state as it stands.
func (f *Func) Keep(state Var) { f.Ret(state) }

// handlerTable emits the service's dispatch table, indexed by tag.
func (m *Module) handlerTable(s *Service) {
	names := make([]string, len(s.Methods))
	for i, method := range s.Methods {
		names[i] = "ptr @" + s.handlerName(method)
	}
	m.Global("@%s = global [%d x ptr] [%s], align 8", s.symbol("handlers"), len(names), strings.Join(names, ", "))
}

// serviceLoop emits the actor entry: receive, switch on the tag, dispatch, reply.
func (m *Module) serviceLoop(s *Service) {
	f := m.Func(s.symbol("loop"), Void, Param{"args", Ptr})
	args := f.Arg("args")
	state := f.Unbox("state", s.stateType(), args)
	f.Forever(func() {
		msg := f.Let("msg", f.Call(".actor_receive", Int(-1)))
		tag := f.Let("tag", f.At(msg, 16, I64))
		caller := f.Let("caller", f.At(msg, 24, I64))
		cases := make([]Case, len(s.Methods))
		for i, method := range s.Methods {
			cases[i] = Case{int64(i), func() { f.dispatch(s, i, method, state, msg, caller) }}
		}
		f.Switch(tag, cases)
	})
}

// dispatch is one arm of the loop.
func (f *Func) dispatch(s *Service, tag int, method Method, state, msg, caller Var) {
	entry := f.def("entry", Ptr, "getelementptr inbounds [%d x ptr], ptr @%s, i64 0, i64 %d", len(s.Methods), s.symbol("handlers"), tag)
	handler := f.def("handler", Ptr, "load ptr, ptr %s, align 8", entry.Ref)
	args := []string{string(s.stateType()) + " " + state.value(f).Ref}
	for i, p := range method.Params {
		v := f.At(msg, 32+8*int64(i), p.Type)
		args = append(args, string(p.Type)+" "+v.Ref)
	}
	if method.Cast {
		next := f.def("next", s.stateType(), "call %s %s(%s)", s.stateType(), handler.Ref, strings.Join(args, ", "))
		f.Set(state, next)
		return
	}
	both := f.def("both", s.replyType(), "call %s %s(%s)", s.replyType(), handler.Ref, strings.Join(args, ", "))
	f.Set(state, f.def("next", s.stateType(), "extractvalue %s %s, 0", both.Type, both.Ref))
	reply := f.Let("reply", f.def("word", I64, "extractvalue %s %s, 1", both.Type, both.Ref))
	f.Call(".service_reply", caller, reply.addr(), Int(8))
}

// serviceStart emits start: the state is copied into the new actor.
func (m *Module) serviceStart(s *Service) {
	f := m.Func(s.symbol("start"), I64, s.Init...)
	args := make([]Operand, len(s.Init))
	for i, p := range s.Init {
		args[i] = f.Arg(p.Name)
	}
	state := f.Let("state", f.Call(s.symbol("init"), args...))
	pid := f.Let("pid", f.Call(".actor_spawn", Fn(s.symbol("loop")), state.addr(), Int(8*m.words(s.stateType())), Int(1)))
	f.Call(".process_register", f.Str(s.Process), pid)
	f.Ret(pid)
}

// callHelper emits the client side of a call; the reply word stands behind the message's header.
func (m *Module) callHelper(s *Service, tag int64, method Method) {
	f := m.Func(s.symbol("call_"+method.Name), method.Ret, append([]Param{{"pid", I64}}, method.Params...)...)
	words := make([]Operand, len(method.Params))
	for i, p := range method.Params {
		words[i] = f.Arg(p.Name)
	}
	payload := f.Words("payload", words...)
	reply := f.Let("reply", f.Call(".service_call", f.Arg("pid"), Int(tag), payload.addr(), Int(8*int64(len(words)))))
	f.Ret(f.At(reply, 16, method.Ret))
}

// castHelper emits the client side of a cast: a request without a caller.
func (m *Module) castHelper(s *Service, tag int64, method Method) {
	f := m.Func(s.symbol("cast_"+method.Name), Void, append([]Param{{"pid", I64}}, method.Params...)...)
	words := []Operand{Int(tag), Int(0)}
	for _, p := range method.Params {
		words = append(words, f.Arg(p.Name))
	}
	msg := f.Words("msg", words...)
	f.Call(".actor_send", f.Arg("pid"), msg.addr(), Int(8*int64(len(words))))
	f.RetVoid()
}

// actor emits a typed actor: the wrapper of the given name takes the argument buffer, the body the arguments.
func (m *Module) actor(name string, params []Param, body func(f *Func)) {
	b := m.Func("__actor_"+name+"_body", Void, params...)
	body(b)
	w := m.Func(name, Void, Param{"args", Ptr})
	args := make([]Operand, len(params))
	for i, p := range params {
		args[i] = w.At(w.Arg("args"), 8*int64(i), p.Type)
	}
	w.Call("__actor_"+name+"_body", args...)
	w.RetVoid()
}

// Spawn starts an actor with its arguments.
func (f *Func) Spawn(name string, args ...Operand) Value {
	buf := f.Words("args", args...)
	return f.Call(".actor_spawn", Fn(name), buf.addr(), Int(8*int64(len(args))), Int(1))
}
