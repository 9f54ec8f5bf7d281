package mesher

// api emits the HTTP handlers: request in, response out; each runs in the actor of its connection.
func (m *Module) api() {
	m.respond()
	m.whereis()
	m.events()
	m.stats()
	m.search()
	f := m.Func("handle_health", Ptr, Param{"req", Ptr})
	obj := f.Let("obj", f.Call(".json_object_new"))
	f.Set(obj, f.Call(".json_object_put", obj, f.Str("status"), f.Call(".json_from_string", f.Str("ok"))))
	f.Ret(f.Call("Api_Http__json", Int(200), obj))
	m.handleOrgs()
	m.handleOne("handle_get_org", "org_service", "__service_orgservice_call_get", "Organization", orgType)
	m.handleOne("handle_get_project", "project_service", "__service_projectservice_call_get", "Project", projectType)
	m.handleOne("handle_get_user", "user_service", "__service_userservice_call_lookup", "User", userType)
	m.routes()
}

// respond emits the helpers that make responses.
func (m *Module) respond() {
	f := m.Func("Api_Http__json", Ptr, Param{"status", I64}, Param{"body", Ptr})
	f.Ret(f.Call(".http_response_new", f.Arg("status"), f.Call(".json_encode", f.Arg("body"))))
	f = m.Func("Api_Http__problem", Ptr, Param{"status", I64}, Param{"text", Ptr})
	obj := f.Let("obj", f.Call(".json_object_new"))
	f.Set(obj, f.Call(".json_object_put", obj, f.Str("error"), f.Call(".json_from_string", f.Arg("text"))))
	f.Ret(f.Call("Api_Http__json", f.Arg("status"), obj))
	// A path parameter or a query value, or the empty string.
	for _, x := range [][2]string{{"Api_Http__param", ".http_request_param"}, {"Api_Http__query", ".http_request_query"}} {
		name, extern := x[0], x[1]
		g := m.Func(name, Ptr, Param{"req", Ptr}, Param{"name", Ptr})
		g.Match("found", g.FromExtern(g.Call(extern, g.Arg("req"), g.Arg("name"))),
			func(v Var) { g.Ret(v) }, func(Var) { g.Ret(g.Str("")) })
	}
}

func (m *Module) whereis() {
	f := m.Func("Api_Http__service", I64, Param{"name", Ptr})
	f.Ret(f.Call(".process_whereis", f.Arg("name")))
}

// handleOne emits the handler that looks one record up through its service.
func (m *Module) handleOne(name, process, call, record string, t Type) {
	f := m.Func(name, Ptr, Param{"req", Ptr})
	id := f.Let("id", f.Call("Api_Http__param", f.Arg("req"), f.Str("id")))
	pid := f.Let("pid", f.Call("Api_Http__service", f.Str(process)))
	found := f.Let("found", f.Call(call, pid, id))
	f.If(f.Cmp("eq", found, Null), func() { f.Ret(f.Call("Api_Http__problem", Int(404), f.Str("not found"))) }, nil)
	rec := f.Unbox("record", t, found)
	f.Ret(f.Call("Api_Http__json", Int(200), f.Call("ToJson__to_json__"+record, rec)))
}

// handleOrgs emits the listing, which maps a closure over the rows.
func (m *Module) handleOrgs() {
	c := m.Func("Api_Orgs__closure_1", I64, Param{"env", Ptr}, Param{"row", I64})
	base := c.Let("base", c.At(c.Arg("env"), 0, Ptr))
	slug := c.Let("slug", c.Call(".map_get", c.Arg("row"), c.Str("slug")))
	c.Ret(c.as(c.Call(".string_concat", base, slug), I64))

	f := m.Func("handle_list_orgs", Ptr, Param{"req", Ptr})
	pid := f.Let("pid", f.Call("Api_Http__service", f.Str("org_service")))
	rows := f.Let("rows", f.Call("__service_orgservice_call_list", pid))
	env := f.Let("env", f.Call(".gc_alloc_actor", Int(8), Int(8)))
	f.emit("store ptr %s, ptr %s, align 8", f.Str("/orgs/").Ref, env.value(f).Ref)
	links := f.Let("links", f.Call(".list_map", rows, Fn("Api_Orgs__closure_1"), env))
	body := f.Call(".string_join", links, f.Str("\n"))
	f.Ret(f.Call(".http_response_new", Int(200), body))
}

// events emits POST /events.
func (m *Module) events() {
	f := m.Func("Api_Events__member", Ptr, Param{"doc", Ptr}, Param{"name", Ptr})
	// A member of a JSON object as text; NULL where it is missing.
	f.Match("member", f.FromExtern(f.Call(".json_object_get", f.Arg("doc"), f.Arg("name"))), func(j Var) {
		f.Match("text", f.FromExtern(f.Call(".json_as_string", j)), func(s Var) { f.Ret(s) }, func(Var) { f.Ret(Null) })
	}, func(Var) { f.Ret(Null) })

	f = m.Func("Api_Events__severity", I64, Param{"level", Ptr})
	for i, level := range []string{"error", "warning", "info"} {
		f.If(f.Call(".string_eq", f.Arg("level"), f.Str(level)), func() { f.Ret(Int(3 - int64(i))) }, nil)
	}
	f.Ret(Int(0))

	m.normalize()
	f = m.Func("Api_Events__accept", Ptr, Param{"doc", Ptr})
	project := f.Let("project", f.Call("Api_Events__member", f.Arg("doc"), f.Str("project")))
	level := f.Let("level", f.Call("Api_Events__member", f.Arg("doc"), f.Str("level")))
	message := f.Let("message", f.Call("Api_Events__member", f.Arg("doc"), f.Str("message")))
	for _, v := range []Var{project, level, message} {
		f.If(f.Cmp("eq", v, Null), func() {
			f.Ret(f.Call("Api_Http__problem", Int(422), f.Str("project, level and message are needed")))
		}, nil)
	}
	f.If(f.Cmp("eq", f.Call("Api_Events__severity", level), Int(0)), func() {
		f.Ret(f.Call("Api_Http__problem", Int(422), f.Str("unknown level")))
	}, nil)
	pid := f.Let("pid", f.Call("Api_Http__service", f.Str("project_service")))
	text := f.Let("text", f.Call("Api_Events__normalize", message))
	stored := f.Call("__service_projectservice_call_record", pid, project, level, text)
	f.If(f.Cmp("eq", stored, Int(0)), func() {
		f.Ret(f.Call("Api_Http__problem", Int(503), f.Str("not stored")))
	}, nil)
	obj := f.Let("obj", f.Call(".json_object_new"))
	f.Set(obj, f.Call(".json_object_put", obj, f.Str("accepted"), f.Call(".json_from_bool", Int(1))))
	f.Ret(f.Call("Api_Http__json", Int(202), obj))

	f = m.Func("handle_post_event", Ptr, Param{"req", Ptr})
	body := f.Let("body", f.Call(".http_request_body", f.Arg("req")))
	f.Match("doc", f.FromExtern(f.Call(".json_parse", body)),
		func(doc Var) { f.Ret(f.Call("Api_Events__accept", doc)) },
		func(e Var) { f.Ret(f.Call("Api_Http__problem", Int(400), e)) })
}

// normalize emits the squeezing of white space: native recursion over the words, as the language does everything but self
// tail calls.
func (m *Module) normalize() {
	f := m.Func("Api_Events__rejoin", Ptr, Param{"words", Ptr}, Param{"i", I64})
	f.Call(".reduction_check")
	f.If(f.Cmp("sge", f.Arg("i"), f.Call(".list_length", f.Arg("words"))), func() { f.Ret(f.Str("")) }, nil)
	word := f.Let("word", f.as(f.Call(".list_get", f.Arg("words"), f.Arg("i")), Ptr))
	rest := f.Let("rest", f.Call("Api_Events__rejoin", f.Arg("words"), f.Op("add", f.Arg("i"), Int(1))))
	f.Ret(f.Concat(word, f.Str(" "), rest))

	f = m.Func("Api_Events__normalize", Ptr, Param{"text", Ptr})
	words := f.Let("words", f.Call(".string_split", f.Arg("text"), f.Str(" ")))
	f.Ret(f.Call(".string_trim", f.Call("Api_Events__rejoin", words, Int(0))))
}

// stats emits GET /stats: shares of the levels in percent.
func (m *Module) stats() {
	f := m.Func("Api_Stats__share", I64, Param{"count", I64}, Param{"total", I64})
	f.If(f.Cmp("eq", f.Arg("total"), Int(0)), func() { f.Ret(Int(0)) }, nil)
	f.Ret(f.Op("sdiv", f.Op("mul", f.Arg("count"), Int(100)), f.Arg("total")))

	f = m.Func("Api_Stats__depth", I64, Param{"levels", Ptr}, Param{"n", I64})
	f.If(f.Cmp("sge", f.Arg("n"), f.Call(".list_length", f.Arg("levels"))), func() { f.Ret(Int(0)) }, nil)
	rest := f.Call("Api_Stats__depth", f.Arg("levels"), f.Op("add", f.Arg("n"), Int(1)))
	f.Ret(f.Op("add", rest, Int(1)))

	f = m.Func("handle_stats", Ptr, Param{"req", Ptr})
	pid := f.Let("pid", f.Call("Api_Http__service", f.Str("project_service")))
	total := f.Let("total", f.Call("__service_projectservice_call_total", pid))
	levels := f.Let("levels", f.List(f.Str("error"), f.Str("warning"), f.Str("info")))
	obj := f.Let("obj", f.Call(".json_object_new"))
	f.Set(obj, f.Call(".json_object_put", obj, f.Str("levels"), f.Call(".json_from_int", f.Call("Api_Stats__depth", levels, Int(0)))))
	window := f.Let("window", f.Call("__service_projectservice_call_window", pid))
	f.Set(obj, f.Call(".json_object_put", obj, f.Str("window"), f.Call(".json_from_string", window)))
	i := f.Let("i", Int(0))
	f.While(func() Operand { return f.Cmp("slt", i, f.Call(".list_length", levels)) }, func() {
		level := f.Let("level", f.as(f.Call(".list_get", levels, i), Ptr))
		n := f.Call("__service_projectservice_call_level", pid, level)
		f.Set(obj, f.Call(".json_object_put", obj, level, f.Call(".json_from_int", f.Call("Api_Stats__share", n, total))))
		f.Set(i, f.Op("add", i, Int(1)))
	})
	f.Ret(f.Call("Api_Http__json", Int(200), obj))
}

// search emits GET /search?q=: words of the query, filtered by a closure that has an environment.
func (m *Module) search() {
	c := m.Func("Api_Search__closure_1", I64, Param{"env", Ptr}, Param{"word", I64})
	limit := c.Let("limit", c.At(c.Arg("env"), 0, I64))
	long := c.Cmp("sgt", c.Call(".string_length", c.Arg("word")), limit)
	c.Ret(c.as(long, I64))

	f := m.Func("Api_Search__words", Ptr, Param{"text", Ptr})
	trimmed := f.Call(".string_trim", f.Arg("text"))
	f.Ret(f.Call(".string_split", f.Call(".string_to_lower", trimmed), f.Str(" ")))

	f = m.Func("handle_search", Ptr, Param{"req", Ptr})
	q := f.Let("q", f.Call("Api_Http__query", f.Arg("req"), f.Str("q")))
	words := f.Let("words", f.Call("Api_Search__words", q))
	env := f.Let("env", f.Call(".gc_alloc_actor", Int(8), Int(8)))
	f.emit("store i64 2, ptr %s, align 8", env.value(f).Ref)
	kept := f.Let("kept", f.Call(".list_filter", words, Fn("Api_Search__closure_1"), env))
	f.Ret(f.Call(".http_response_new", Int(200), f.Call(".string_join", kept, f.Str(" "))))
}

// routes emits the router.
func (m *Module) routes() {
	f := m.Func("build_router", Ptr)
	r := f.Let("router", f.Call(".http_router"))
	for _, route := range []struct{ extern, pattern, handler string }{
		{".http_route_get", "/health", "handle_health"},
		{".http_route_get", "/orgs", "handle_list_orgs"},
		{".http_route_get", "/orgs/:id", "handle_get_org"},
		{".http_route_get", "/projects/:id", "handle_get_project"},
		{".http_route_get", "/users/:id", "handle_get_user"},
		{".http_route_get", "/stats", "handle_stats"},
		{".http_route_get", "/search", "handle_search"},
		{".http_route_post", "/events", "handle_post_event"},
	} {
		f.Set(r, f.Call(route.extern, r, f.Str(route.pattern), Fn(route.handler)))
	}
	f.Ret(r)
}
