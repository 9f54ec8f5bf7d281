package mesher

// foundation emits the services and actors that only the current, longer start-up sequence has.
func (m *Module) foundation() {
	m.service(streamManager())
	m.service(rateLimiter())
	m.service(eventProcessor())
	m.service(storageWriter())
	m.service(pipelineRegistry())
	m.ticker("stream_drain_ticker", 250, []Param{{"manager", I64}}, func(f *Func) {
		f.Call("__service_streammanager_cast_drain", f.Arg("manager"), Int(16))
	})
	m.ticker("health_checker", 10000, []Param{{"registry", I64}}, func(f *Func) {
		pool := f.Let("pool", f.Call("__service_pipelineregistry_call_pool", f.Arg("registry")))
		alive := f.FromExtern(f.Call(".pool_query", pool, f.Str("SELECT 1::text AS one"), f.List()))
		f.Match("alive", alive, func(Var) { f.Println("[Mesher] Health check: ok") },
			func(e Var) { f.Call(".println", f.Concat(f.Str("[Mesher] Health check: "), e)) })
	})
	m.ticker("spike_checker", 300000, []Param{{"project", I64}}, func(f *Func) {
		f.Call("__service_projectservice_call_total", f.Arg("project"))
	})
	m.ticker("alert_evaluator", 30000, []Param{{"project", I64}}, func(f *Func) {
		total := f.Let("total", f.Call("__service_projectservice_call_total", f.Arg("project")))
		f.Call(".println", f.Concat(f.Str("[Mesher] Alert evaluator: "), f.Call(".int_to_string", total), f.Str(" events")))
	})
	m.ticker("retention_cleaner", 86400000, []Param{{"pool", I64}}, func(f *Func) {
		sql := f.Str("DELETE FROM events WHERE received < now() - interval '90 days'")
		f.Match("swept", f.FromExtern(f.Call(".pool_execute", f.Arg("pool"), sql, f.List())), func(Var) {}, func(Var) {})
	})
	m.ticker("load_monitor", 5000, []Param{{"project", I64}, {"threshold", I64}}, loadMonitor)
}

// ticker emits an actor that does its work at an interval, in milliseconds.
func (m *Module) ticker(name string, every int64, params []Param, work func(f *Func)) {
	m.actor(name, params, func(f *Func) {
		f.Forever(func() {
			f.Call(".timer_sleep", Int(every))
			work(f)
		})
	})
}

func loadMonitor(f *Func) {
	total := f.Let("total", f.Call("__service_projectservice_call_total", f.Arg("project")))
	f.If(f.Cmp("sgt", total, f.Arg("threshold")), func() {
		f.Println("[Mesher] Load monitor: above threshold")
	}, func() {
		f.Call(".println", f.Concat(f.Str("[Mesher] Load monitor: "), f.Call(".int_to_string", total), f.Str(" events")))
	})
}

// streamManager buffers events for the open streams.
func streamManager() *Service {
	return &Service{
		Name: "StreamManager", Process: "stream_manager",
		State: []Param{{"buffer", Ptr}, {"sent", I64}},
		Start: func(f *Func) []Operand { return []Operand{f.Call(".list_new"), Int(0)} },
		Methods: []Method{
			{Name: "push", Cast: true, Params: []Param{{"level", I64}}, Body: func(f *Func, state Var) {
				f.SetField(state, 0, Ptr, f.Call(".list_append", f.Field(state, 0, Ptr), f.Arg("level")))
				f.Keep(state)
			}},
			{Name: "drain", Cast: true, Params: []Param{{"most", I64}}, Body: func(f *Func, state Var) {
				n := f.Let("n", f.Call(".list_length", f.Field(state, 0, Ptr)))
				f.If(f.Cmp("sgt", n, f.Arg("most")), func() { f.Set(n, f.Arg("most")) }, nil)
				f.SetField(state, 0, Ptr, f.Call(".list_drop", f.Field(state, 0, Ptr), n))
				f.SetField(state, 1, I64, f.Op("add", f.Field(state, 1, I64), n))
				f.Keep(state)
			}},
			{Name: "sent", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, f.Field(state, 1, I64)) }},
		},
	}
}

// rateLimiter counts requests by key.
func rateLimiter() *Service {
	return &Service{
		Name: "RateLimiter", Process: "rate_limiter",
		State: []Param{{"counts", Ptr}, {"window", I64}, {"most", I64}},
		Init:  []Param{{"window", I64}, {"most", I64}},
		Start: func(f *Func) []Operand {
			return []Operand{f.Call(".map_new_typed", Int(1)), f.Arg("window"), f.Arg("most")}
		},
		Methods: []Method{
			{Name: "allow", Params: []Param{{"key", Ptr}}, Ret: I64, Body: func(f *Func, state Var) {
				n := f.Let("n", f.Op("add", f.Call(".map_get", f.Field(state, 0, Ptr), f.Arg("key")), Int(1)))
				f.SetField(state, 0, Ptr, f.Call(".map_put", f.Field(state, 0, Ptr), f.Own(f.Arg("key")), n))
				f.Reply(state, f.Cmp("sle", n, f.Field(state, 2, I64)))
			}},
		},
	}
}

// eventProcessor hands accepted events on to the writer.
func eventProcessor() *Service {
	return &Service{
		Name: "EventProcessor", Process: "event_processor",
		State: []Param{{"pool", I64}, {"done", I64}},
		Init:  []Param{{"pool", I64}},
		Start: func(f *Func) []Operand { return []Operand{f.Arg("pool"), Int(0)} },
		Methods: []Method{
			{Name: "process", Params: []Param{{"level", Ptr}}, Ret: I64, Body: func(f *Func, state Var) {
				f.SetField(state, 1, I64, f.Op("add", f.Field(state, 1, I64), Int(1)))
				f.Reply(state, f.Call("Api_Events__severity", f.Arg("level")))
			}},
		},
	}
}

// storageWriter collects events of one project and writes them in batches.
func storageWriter() *Service {
	return &Service{
		Name: "StorageWriter", Process: "storage_writer",
		State: []Param{{"pool", I64}, {"project", Ptr}, {"batch", Ptr}},
		Init:  []Param{{"pool", I64}, {"project", Ptr}},
		Start: func(f *Func) []Operand { return []Operand{f.Arg("pool"), f.Arg("project"), f.Call(".list_new")} },
		Methods: []Method{
			{Name: "store", Cast: true, Params: []Param{{"message", Ptr}}, Body: func(f *Func, state Var) {
				f.SetField(state, 2, Ptr, f.Call(".list_append", f.Field(state, 2, Ptr), f.Own(f.Arg("message"))))
				f.Keep(state)
			}},
			{Name: "flush", Ret: I64, Body: func(f *Func, state Var) {
				n := f.Let("n", f.Call(".list_length", f.Field(state, 2, Ptr)))
				f.SetField(state, 2, Ptr, f.Call(".list_new"))
				f.Reply(state, n)
			}},
		},
	}
}

// pipelineRegistry keeps the pool and the other services' PIDs.
func pipelineRegistry() *Service {
	return &Service{
		Name: "PipelineRegistry", Process: "pipeline_registry",
		State: []Param{{"pool", I64}, {"limiter", I64}, {"processor", I64}, {"writer", I64}},
		Init:  []Param{{"pool", I64}, {"limiter", I64}, {"processor", I64}, {"writer", I64}},
		Start: func(f *Func) []Operand {
			return []Operand{f.Arg("pool"), f.Arg("limiter"), f.Arg("processor"), f.Arg("writer")}
		},
		Methods: []Method{
			{Name: "pool", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, f.Field(state, 0, I64)) }},
			{Name: "writer", Ret: I64, Body: func(f *Func, state Var) { f.Reply(state, f.Field(state, 3, I64)) }},
		},
	}
}
