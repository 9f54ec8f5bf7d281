package mesher

// orgType and its neighbours are the program's record types.
const (
	orgType     Type = "%Organization" // id, name, slug: three words, returned in registers
	projectType Type = "%Project"      // id, org, name, platform, rate: five words, returned through a hidden pointer
	userType    Type = "%User"         // id, email
	windowType  Type = "%RateWindow"   // key, count, limit: {ptr, i64, i64}
)

func (m *Module) records() {
	m.Struct("Organization", Ptr, Ptr, Ptr)
	m.Struct("Project", Ptr, Ptr, Ptr, Ptr, I64)
	m.Struct("User", Ptr, Ptr)
	m.Struct("RateWindow", Ptr, I64, I64)
	m.toJSON("Organization", orgType, []string{"id", "name", "slug"})
	m.toJSON("Project", projectType, []string{"id", "org_id", "name", "platform", "rate"})
	m.toJSON("User", userType, []string{"id", "email"})
	m.fromRow("Organization", orgType, []string{"id", "name", "slug"})
	m.fromRow("Project", projectType, []string{"id", "org_id", "name", "platform", "rate"})
	m.fromRow("User", userType, []string{"id", "email"})
}

// toJSON emits the derived ToJson: one object with a member for each field.
func (m *Module) toJSON(name string, t Type, fields []string) {
	f := m.Func("ToJson__to_json__"+name, Ptr, Param{"self", t})
	self := f.Arg("self")
	obj := f.Let("obj", f.Call(".json_object_new"))
	for i, field := range fields {
		var v Value
		if field == "rate" {
			v = f.Call(".json_from_int", f.Field(self, i, I64))
		} else {
			v = f.Call(".json_from_string", f.Field(self, i, Ptr))
		}
		f.Set(obj, f.Call(".json_object_put", obj, f.Str(field), v))
	}
	f.Ret(obj)
}

// fromRow emits the derived FromRow: a boxed record, or the first error.
func (m *Module) fromRow(name string, t Type, fields []string) {
	f := m.Func("FromRow__from_row__"+name, Result, Param{"row", Ptr})
	self := Var{"self", t}
	f.slot(self.Name, t)
	for i, field := range fields {
		got := f.FromExtern(f.Call(".row_from_row_get", f.Arg("row"), f.Str(field)))
		f.Match(field, got, func(text Var) {
			if field != "rate" {
				f.SetField(self, i, Ptr, text)
				return
			}
			n := f.FromExtern(f.Call(".row_parse_int", text))
			f.Match("number", n, func(v Var) { f.SetField(self, i, I64, v) }, func(e Var) { f.Ret(f.Err(e)) })
		}, func(e Var) { f.Ret(f.Err(e)) })
	}
	f.Ret(f.Ok(f.Box(self)))
}

// storage emits the module Storage.Schema and the queries of Storage.Queries.
func (m *Module) storage() {
	m.createPartition()
	m.partitionsLoop()
	f := m.Func("create_partitions_ahead", Result, Param{"pool", I64}, Param{"days", I64})
	f.Ret(f.Call("Storage_Schema__create_partitions_loop", f.Arg("pool"), Int(0), f.Arg("days")))
	m.checkSchema()
	m.queryOne("Storage_Queries__find_org", "Organization", "SELECT id::text, name, slug FROM organizations WHERE slug = $1::text")
	m.queryOne("Storage_Queries__find_project", "Project",
		"SELECT id::text, org_id::text, name, platform, rate::text FROM projects WHERE name = $1::text")
	m.queryOne("Storage_Queries__find_user", "User", "SELECT id::text, email FROM users WHERE email = $1::text")
	m.queryList()
	m.insertEvent()
}

func (m *Module) createPartition() {
	f := m.Func("Storage_Schema__create_partition", Result, Param{"pool", I64}, Param{"offset", I64})
	pool := f.Arg("pool")
	sql := f.Str("SELECT to_char(current_date + $1::text::int, 'YYYYMMDD') AS day, (current_date + $1::text::int)::text AS lo, (current_date + $1::text::int + 1)::text AS hi")
	rows := f.FromExtern(f.Call(".pool_query", pool, sql, f.List(f.Call(".int_to_string", f.Arg("offset")))))
	f.Match("rows", rows, func(rows Var) {
		row := f.Let("row", f.Call(".list_head", rows))
		day := f.Let("day", f.Call(".map_get", row, f.Str("day")))
		lo := f.Let("lo", f.Call(".map_get", row, f.Str("lo")))
		hi := f.Let("hi", f.Call(".map_get", row, f.Str("hi")))
		ddl := f.Let("ddl", f.Concat(f.Str("CREATE TABLE IF NOT EXISTS events_"), f.as(day, Ptr),
			f.Str(" PARTITION OF events FOR VALUES FROM ('"), f.as(lo, Ptr), f.Str("') TO ('"), f.as(hi, Ptr), f.Str("')")))
		f.Ret(f.FromExtern(f.Call(".pool_execute", pool, ddl, f.List())))
	}, func(e Var) { f.Ret(f.Err(e)) })
}

// partitionsLoop is a self tail call in the source, which the compiler turns into a loop.
func (m *Module) partitionsLoop() {
	f := m.Func("Storage_Schema__create_partitions_loop", Result, Param{"pool", I64}, Param{"day", I64}, Param{"days", I64})
	day := f.Arg("day")
	f.While(func() Operand { return f.Cmp("slt", day, f.Arg("days")) }, func() {
		r := f.Call("Storage_Schema__create_partition", f.Arg("pool"), day)
		f.Match("made", r, func(Var) {}, func(e Var) { f.Ret(f.Err(e)) })
		f.Set(day, f.Op("add", day, Int(1)))
	})
	f.Ret(f.Ok(day))
}

// checkSchema asks for the migration and for the one extension that the schema needs.
func (m *Module) checkSchema() {
	f := m.Func("check_schema", Result, Param{"pool", I64})
	pool := f.Arg("pool")
	sql := f.Str("SELECT version::text FROM _mesh_migrations WHERE version = 20260216120000")
	f.Match("rows", f.FromExtern(f.Call(".pool_query", pool, sql, f.List())), func(rows Var) {
		f.If(f.Cmp("eq", f.Call(".list_length", rows), Int(0)), func() {
			f.Ret(f.Err(f.Str("migration 20260216120000 has not been applied")))
		}, nil)
	}, func(e Var) { f.Ret(f.Err(e)) })
	digest := f.Str("SELECT encode(digest('mesher'::text, 'sha256'), 'hex') AS sum")
	f.Ret(f.FromExtern(f.Call(".pool_query", pool, digest, f.List())))
}

// queryOne emits a query for one record by a text key: Ok(record), or Err(reason).
func (m *Module) queryOne(name, record, sql string) {
	f := m.Func(name, Result, Param{"pool", I64}, Param{"key", Ptr})
	rows := f.FromExtern(f.Call(".pool_query", f.Arg("pool"), f.Str(sql), f.List(f.Arg("key"))))
	f.Match("rows", rows, func(rows Var) {
		f.If(f.Cmp("eq", f.Call(".list_length", rows), Int(0)), func() {
			f.Ret(f.Err(f.Str("not found")))
		}, nil)
		row := f.Let("row", f.Call(".list_head", rows))
		f.Ret(f.Call("FromRow__from_row__"+record, row))
	}, func(e Var) { f.Ret(f.Err(e)) })
}

// queryList emits the listing of all organizations.
func (m *Module) queryList() {
	f := m.Func("Storage_Queries__list_orgs", Result, Param{"pool", I64})
	sql := f.Str("SELECT id::text, name, slug FROM organizations ORDER BY slug")
	f.Ret(f.FromExtern(f.Call(".pool_query", f.Arg("pool"), sql, f.List())))
}

func (m *Module) insertEvent() {
	f := m.Func("insert_event", Result, Param{"pool", I64}, Param{"project", Ptr}, Param{"level", Ptr}, Param{"message", Ptr})
	sql := f.Str("INSERT INTO events (project, level, message) VALUES ($1::text, $2::text, $3::text)")
	params := f.List(f.Arg("project"), f.Arg("level"), f.Arg("message"))
	f.Ret(f.FromExtern(f.Call(".pool_execute", f.Arg("pool"), sql, params)))
}
