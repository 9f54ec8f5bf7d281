package mesher

// Sequence is one of the two known start-up sequences.
type Sequence string

const (
	Plan    Sequence = "plan"    // the plan document's nine messages
	Current Sequence = "current" // the longer one of today's program
)

// DefaultURL is the database that the program connects to; MESHER_DATABASE_URL in the environment replaces it.
const DefaultURL = "postgres://mesh:mesh@localhost:5432/mesher"

// Program returns the sound Mesher, with the prefix mesh_.
func Program(seq Sequence) *Module {
	m := NewModule()
	m.records()
	m.storage()
	m.rates()
	m.users()
	m.service(orgService())
	m.service(projectService())
	m.service(userService())
	m.api()
	m.sockets()
	m.config()
	if seq == Current {
		m.foundation()
		m.startCurrent()
	} else {
		m.startPlan()
	}
	m.meshMain()
	m.cMain()
	return m
}

// config emits the reading of the environment.
func (m *Module) config() {
	f := m.Func("Config__text", Ptr, Param{"name", Ptr}, Param{"fallback", Ptr})
	f.Match("set", f.FromExtern(f.Call(".env_get", f.Arg("name"))), func(v Var) { f.Ret(v) }, func(Var) { f.Ret(f.Arg("fallback")) })
	f = m.Func("Config__number", I64, Param{"name", Ptr}, Param{"fallback", I64})
	f.Match("set", f.FromExtern(f.Call(".env_get", f.Arg("name"))), func(v Var) {
		f.Match("number", f.FromExtern(f.Call(".string_to_int", v)), func(n Var) { f.Ret(n) }, func(Var) { f.Ret(f.Arg("fallback")) })
	}, func(Var) { f.Ret(f.Arg("fallback")) })
}

// partitions emits the partition step; an error is printed and the program goes on.
func (f *Func) partitions(pool Var) {
	f.Match("ahead", f.Call("create_partitions_ahead", pool, Int(7)),
		func(Var) { f.Println("[Mesher] Partitions created (7 days ahead)") },
		func(e Var) { f.Call(".println", f.Concat(f.Str("[Mesher] Partition error: "), e)) })
}

// start starts a service and says so.
func (f *Func) start(name, message string, args ...Operand) Var {
	pid := f.Let(name, f.Call("__service_"+name+"_start", args...))
	f.Println("[Mesher] " + message)
	return pid
}

func (m *Module) startPlan() {
	f := m.Func("start_services", Void, Param{"pool", I64})
	pool := f.Arg("pool")
	f.partitions(pool)
	f.Println("[Mesher] Running in standalone mode (no distribution)")
	f.start("orgservice", "OrgService started", pool)
	f.start("projectservice", "ProjectService started", pool)
	f.start("userservice", "UserService started", pool)
	f.Println("[Mesher] Foundation ready")
	f.servers()
	f.RetVoid()
}

func (m *Module) startCurrent() {
	f := m.Func("start_services", Void, Param{"pool", I64})
	pool := f.Arg("pool")
	f.Println("[Mesher] Running in standalone mode (no distribution)")
	f.partitions(pool)
	f.start("orgservice", "OrgService started", pool)
	project := f.start("projectservice", "ProjectService started", pool)
	f.start("userservice", "UserService started", pool)
	stream := f.start("streammanager", "StreamManager started")
	f.Spawn("stream_drain_ticker", stream)
	f.Println("[Mesher] StreamManager drain ticker started (250ms interval)")
	limiter := f.start("ratelimiter", "RateLimiter started (60s window, 1000 max)", Int(60), Int(1000))
	processor := f.start("eventprocessor", "EventProcessor started", pool)
	writer := f.start("storagewriter", "StorageWriter started (default project)", pool, f.Str("default"))
	f.Println("[Mesher] Running in standalone mode (skipping global registration)")
	registry := f.start("pipelineregistry", "PipelineRegistry started and registered", pool, limiter, processor, writer)
	f.Spawn("health_checker", registry)
	f.Println("[Mesher] Health checker started (10s interval)")
	f.Spawn("spike_checker", project)
	f.Println("[Mesher] Spike checker started (5 min interval)")
	f.Spawn("alert_evaluator", project)
	f.Println("[Mesher] Alert evaluator started (30s interval)")
	f.Spawn("retention_cleaner", pool)
	f.Println("[Mesher] Retention cleaner started (24h interval)")
	f.Spawn("load_monitor", project, Int(100))
	f.Println("[Mesher] Load monitor started (5s interval, threshold: 100 events)")
	f.Println("[Mesher] Foundation ready")
	f.servers()
	f.RetVoid()
}

// servers starts both servers; the HTTP server keeps the main thread.
func (f *Func) servers() {
	ws := f.Let("ws_port", f.Call("Config__number", f.Str("MESHER_WS_PORT"), Int(8081)))
	f.Call(".println", f.Concat(f.Str("[Mesher] WebSocket server starting on :"), f.Call(".int_to_string", ws)))
	f.Call(".ws_serve", Fn("ws_on_connect"), Null, Fn("ws_on_message"), Null, Fn("ws_on_close"), Null, ws)
	http := f.Let("http_port", f.Call("Config__number", f.Str("MESHER_HTTP_PORT"), Int(8080)))
	router := f.Let("router", f.Call("build_router"))
	f.Call(".println", f.Concat(f.Str("[Mesher] HTTP server starting on :"), f.Call(".int_to_string", http)))
	f.Call(".http_serve", router, http)
}

// meshMain is the user's main function; it carries the runtime's prefix and is program code all the same.
func (m *Module) meshMain() {
	f := m.Func("mesh_main", Void)
	f.Println("[Mesher] Connecting to PostgreSQL...")
	url := f.Let("url", f.Call("Config__text", f.Str("MESHER_DATABASE_URL"), f.Str(DefaultURL)))
	opened := f.FromExtern(f.Call(".pool_open", url, Int(2), Int(10), Int(5000)))
	f.Match("pool", opened, func(pool Var) {
		f.Match("schema", f.Call("check_schema", pool), func(Var) {
			f.Call("start_services", pool)
		}, func(e Var) {
			f.Call(".println", f.Concat(f.Str("[Mesher] Schema check failed: "), e))
		})
	}, func(Var) {
		f.Println("[Mesher] Failed to connect to PostgreSQL")
	})
	f.RetVoid()
}

// cMain is the generated C main: the runtime is set up, every function registered by name, the user's main run.
func (m *Module) cMain() {
	named := append([]*Func(nil), m.funcs...)
	f := m.Func("main", I32, Param{"argc", I32}, Param{"argv", Ptr})
	f.Call(".rt_init")
	f.Call(".rt_init_actor", Value{I32, "0"})
	for _, fn := range named {
		f.Call(".register_function", Fn(m.constant(fn.Name)), Int(int64(len(fn.Name))), Fn(fn.Name))
	}
	f.Call("mesh_main")
	f.Call(".rt_run_scheduler")
	f.Ret(Value{I32, "0"})
}
