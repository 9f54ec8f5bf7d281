package mesher

// sockets emits the WebSocket callbacks. A live connection is kept in the program's subscriber list by its address.
func (m *Module) sockets() {
	f := m.Func("ws_on_connect", I64, Param{"conn", Ptr}, Param{"path", Ptr}, Param{"headers", Ptr})
	f.Call(".ws_join", f.Arg("conn"), f.Str("events"))
	f.Call(".ws_send", f.Arg("conn"), f.Concat(f.Str("welcome to "), f.Arg("path")))
	f.Ret(Int(1))

	f = m.Func("Socket_Stream__command", Ptr, Param{"text", Ptr})
	parts := f.Let("parts", f.Call(".string_split", f.Arg("text"), f.Str(" ")))
	f.Ret(f.as(f.Call(".list_head", parts), Ptr))

	f = m.Func("Socket_Stream__answer", Ptr, Param{"text", Ptr})
	command := f.Let("command", f.Call("Socket_Stream__command", f.Arg("text")))
	f.If(f.Call(".string_eq", command, f.Str("ping")), func() { f.Ret(f.Str("pong")) }, nil)
	f.If(f.Call(".string_eq", command, f.Str("orgs")), func() {
		pid := f.Let("pid", f.Call(".process_whereis", f.Str("org_service")))
		n := f.Call(".list_length", f.Call("__service_orgservice_call_list", pid))
		f.Ret(f.Call(".int_to_string", n))
	}, nil)
	f.Ret(f.Concat(f.Str("echo "), f.Arg("text")))

	f = m.Func("ws_on_message", Void, Param{"conn", Ptr}, Param{"text", Ptr})
	f.Call(".ws_send", f.Arg("conn"), f.Call("Socket_Stream__answer", f.Arg("text")))
	f.RetVoid()

	f = m.Func("ws_on_close", Void, Param{"conn", Ptr}, Param{"code", I64}, Param{"reason", Ptr})
	f.RetVoid()
}
