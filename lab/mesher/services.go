package mesher

// The services of the program. State is passed by value between loop and handlers, as the language does.

// orgService caches organizations by slug.
func orgService() *Service {
	return &Service{
		Name: "OrgService", Process: "org_service",
		State: []Param{{"pool", I64}, {"cache", Ptr}, {"hits", I64}},
		Init:  []Param{{"pool", I64}},
		Start: func(f *Func) []Operand {
			cache := f.Call(".map_new_typed", Int(1))
			return []Operand{f.Arg("pool"), cache, Int(0)}
		},
		Methods: []Method{
			{Name: "get", Params: []Param{{"slug", Ptr}}, Ret: Ptr, Body: orgGet},
			{Name: "list", Ret: Ptr, Body: func(f *Func, state Var) {
				f.Match("rows", f.Call("Storage_Queries__list_orgs", f.Field(state, 0, I64)),
					func(rows Var) { f.Reply(state, rows) },
					func(e Var) { f.Call(".io_eprintln", e); f.Reply(state, f.List()) })
			}},
			{Name: "hits", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, f.Field(state, 2, I64)) }},
			{Name: "touch", Cast: true, Params: []Param{{"slug", Ptr}}, Body: func(f *Func, state Var) {
				f.SetField(state, 1, Ptr, f.Call(".map_delete", f.Field(state, 1, Ptr), f.Arg("slug")))
				f.Keep(state)
			}},
		},
	}
}

// orgGet answers from the cache, or from the database; NULL is the answer for "no such organization".
func orgGet(f *Func, state Var) {
	slug := f.Arg("slug")
	cache := f.Field(state, 1, Ptr)
	f.If(f.Call(".map_has_key", cache, slug), func() {
		f.SetField(state, 2, I64, f.Op("add", f.Field(state, 2, I64), Int(1)))
		f.Reply(state, f.Call(".map_get", f.Field(state, 1, Ptr), slug))
	}, nil)
	f.Match("org", f.Call("Storage_Queries__find_org", f.Field(state, 0, I64), slug), func(org Var) {
		f.SetField(state, 1, Ptr, f.Call(".map_put", f.Field(state, 1, Ptr), f.Own(slug), org))
		f.Reply(state, org)
	}, func(Var) { f.Reply(state, Null) })
}

// projectService holds the projects and counts events by level.
func projectService() *Service {
	return &Service{
		Name: "ProjectService", Process: "project_service",
		State: []Param{{"pool", I64}, {"levels", Ptr}, {"events", I64}, {"window", "%RateWindow"}},
		Init:  []Param{{"pool", I64}},
		Start: func(f *Func) []Operand {
			levels := f.Let("levels", f.Call(".map_new_typed", Int(1)))
			for _, level := range []string{"error", "warning", "info"} {
				f.Set(levels, f.Call(".map_put", levels, f.Str(level), Int(0)))
			}
			window := f.Let("window", f.Call("new_window", f.Str("default"), Int(1000)))
			return []Operand{f.Arg("pool"), levels, Int(0), window}
		},
		Methods: []Method{
			{Name: "get", Params: []Param{{"name", Ptr}}, Ret: Ptr, Body: func(f *Func, state Var) {
				f.Match("project", f.Call("Storage_Queries__find_project", f.Field(state, 0, I64), f.Arg("name")),
					func(p Var) { f.Reply(state, p) }, func(Var) { f.Reply(state, Null) })
			}},
			{Name: "record", Params: []Param{{"project", Ptr}, {"level", Ptr}, {"message", Ptr}}, Ret: I64, Body: projectRecord},
			{Name: "total", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, f.Field(state, 2, I64)) }},
			{Name: "level", Params: []Param{{"level", Ptr}}, Ret: I64, Body: func(f *Func, state Var) {
				f.Reply(state, f.Call(".map_get", f.Field(state, 1, Ptr), f.Arg("level")))
			}},
			{Name: "window", Ret: Ptr, Body: func(f *Func, state Var) {
				f.Reply(state, f.Call("Services_Rate__describe", f.Field(state, 3, windowType)))
			}},
			{Name: "reset", Cast: true, Params: []Param{{"limit", I64}}, Body: func(f *Func, state Var) {
				f.SetField(state, 3, windowType, f.Call("new_window", f.Str("default"), f.Arg("limit")))
				f.Keep(state)
			}},
		},
	}
}

// projectRecord writes an event: 1 when it was stored, 0 when the rate limit or the database refused it.
func projectRecord(f *Func, state Var) {
	level := f.Arg("level")
	window := f.Let("window", f.Call("Services_Rate__advance", f.Field(state, 3, windowType)))
	f.SetField(state, 3, windowType, window)
	f.If(f.Cmp("sgt", f.Field(window, 1, I64), f.Field(window, 2, I64)), func() { f.Reply(state, Int(0)) }, nil)
	stored := f.Call("insert_event", f.Field(state, 0, I64), f.Arg("project"), level, f.Arg("message"))
	f.Match("stored", stored, func(Var) {
		n := f.Op("add", f.Call(".map_get", f.Field(state, 1, Ptr), level), Int(1))
		f.SetField(state, 1, Ptr, f.Call(".map_put", f.Field(state, 1, Ptr), f.Own(level), n))
		f.SetField(state, 2, I64, f.Op("add", f.Field(state, 2, I64), Int(1)))
		f.Reply(state, Int(1))
	}, func(e Var) {
		f.Call(".io_eprintln", f.Concat(f.Str("[Mesher] Event not stored: "), e))
		f.Reply(state, Int(0))
	})
}

// rates emits the helpers of the rate window, a struct of three words.
func (m *Module) rates() {
	f := m.Func("new_window", windowType, Param{"key", Ptr}, Param{"limit", I64})
	f.Ret(f.Make(windowType, f.Arg("key"), Int(0), f.Arg("limit")))
	f = m.Func("Services_Rate__advance", windowType, Param{"window", windowType})
	w := f.Arg("window")
	f.SetField(w, 1, I64, f.Op("add", f.Field(w, 1, I64), Int(1)))
	f.Ret(w)
	f = m.Func("Services_Rate__describe", Ptr, Param{"window", windowType})
	w = f.Arg("window")
	f.Ret(f.Concat(f.Field(w, 0, Ptr), f.Str(" "), f.Call(".int_to_string", f.Field(w, 1, I64)),
		f.Str("/"), f.Call(".int_to_string", f.Field(w, 2, I64))))
}

// userService answers for accounts.
func userService() *Service {
	return &Service{
		Name: "UserService", Process: "user_service",
		State: []Param{{"pool", I64}, {"domain", Ptr}},
		Init:  []Param{{"pool", I64}},
		Start: func(f *Func) []Operand {
			return []Operand{f.Arg("pool"), f.Call("Services_User__domain_of", f.Str("admin@example.org"))}
		},
		Methods: []Method{
			{Name: "lookup", Params: []Param{{"email", Ptr}}, Ret: Ptr, Body: func(f *Func, state Var) {
				f.Match("user", f.Call("Storage_Queries__find_user", f.Field(state, 0, I64), f.Arg("email")),
					func(u Var) { f.Reply(state, u) }, func(Var) { f.Reply(state, Null) })
			}},
			{Name: "role", Params: []Param{{"email", Ptr}}, Ret: I64, Body: userRole},
			{Name: "forget", Cast: true, Params: []Param{{"email", Ptr}}, Body: func(f *Func, state Var) { f.Keep(state) }},
		},
	}
}

// userRole classifies an account by its domain: 0 outsider, 1 member.
func userRole(f *Func, state Var) {
	domain := f.Call("Services_User__domain_of", f.Arg("email"))
	same := f.Call(".string_eq", domain, f.Field(state, 1, Ptr))
	f.Reply(state, same)
}

func (m *Module) users() {
	f := m.Func("Services_User__domain_of", Ptr, Param{"email", Ptr})
	parts := f.Let("parts", f.Call(".string_split", f.Arg("email"), f.Str("@")))
	f.Ret(f.as(f.Call(".list_last", parts), Ptr))
}
