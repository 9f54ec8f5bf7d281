package profile

import (
	"testing"

	"github.com/ianlancetaylor/demangle"
)

func loaded(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClassify(t *testing.T) {
	const exe, libc = "/srv/mesher", "/usr/lib/x86_64-linux-gnu/libc.so.6"
	tests := []struct {
		profile, symbol, module string
		kind                    FrameKind
		role                    Role
		part, actor, readable   string // "" is not compared for readable
	}{
		// What the compiler makes.
		{"mesh", "mesh_main", exe, KindProgram, "", PartEntry, "", "fn main"},
		{"mesh", "main", exe, KindProgram, "", PartStart, "", "generated C main"},
		{"mesh", "start_services", exe, KindProgram, "", "function", "", "start_services"},
		{"mesh", "load_monitor", exe, KindProgram, "", "function", "", "load_monitor"},
		{"mesh", "Storage_Schema__create_partitions_loop", exe, KindProgram, "", "function", "", "Storage_Schema.create_partitions_loop"},
		{"mesh", "Ingestion_Pipeline__closure_12", exe, KindProgram, "", PartClosure, "", "Ingestion_Pipeline: closure 12"},
		{"mesh", "__closure_3", exe, KindProgram, "", PartClosure, "", "closure 3"},
		{"mesh", "__actor_load_monitor_body", exe, KindProgram, RoleActor, PartActorBody, "load_monitor", "load_monitor (actor body)"},
		{"mesh", "__service_orgservice_loop", exe, KindProgram, RoleService, PartServiceLoop, "orgservice", "orgservice (service loop)"},
		{"mesh", "__service_orgservice_handle_call_get_org", exe, KindProgram, RoleService, PartHandler, "orgservice", "orgservice.get_org (call handler)"},
		{"mesh", "__service_orgservice_handle_cast_drop", exe, KindProgram, RoleService, PartHandler, "orgservice", "orgservice.drop (cast handler)"},
		{"mesh", "__service_orgservice_call_get_org", exe, KindProgram, "", PartCallHelper, "orgservice", "orgservice.get_org (client side of a call)"},
		{"mesh", "__service_orgservice_cast_drop", exe, KindProgram, "", PartCallHelper, "orgservice", ""},
		{"mesh", "__service_orgservice_start", exe, KindProgram, "", "service start", "", ""},
		{"mesh", "__json_decode__Event", exe, KindProgram, "", PartDerived, "", "Event: JSON decoding (derived)"},
		{"mesh", "ToJson__to_json__Event", exe, KindProgram, "", PartDerived, "", "Event: ToJson.to_json"},
		{"mesh", "Event____table__", exe, KindProgram, "", PartDerived, "", "Event: table name (derived)"},
		// Its runtime.
		{"mesh", "mesh_map_get", exe, KindRuntime, "", "runtime function", "", "mesh_map_get"},
		{"mesh", "mesh_map_get@plt", exe, KindRuntime, "", "runtime function", "", ""},
		{"mesh", "mesh_panic", exe, KindRuntime, "", PartPanic, "", ""},
		{"mesh", "mesh_http_serve", exe, KindRuntime, "", PartAcceptLoop, "", ""},
		{"mesh", "_ZN7mesh_rt4http6server24connection_handler_entry17h0123456789abcdefE", exe, KindRuntime, RoleHTTP, PartHTTPEntry, "", ""},
		{"mesh", "_ZN7mesh_rt2ws6server19ws_connection_entry17h0123456789abcdefE", exe, KindRuntime, RoleWS, PartWSEntry, "", ""},
		{"mesh", "_ZN7mesh_rt5actor4heap9ActorHeap7collect17h0123456789abcdefE", exe, KindRuntime, "", PartCollector, "", ""},
		{"mesh", "_ZN7mesh_rt5actor4heap9ActorHeap4mark17h0123456789abcdefE", exe, KindRuntime, "", PartCollector, "", ""},
		{"mesh", "_ZN7mesh_rt5actor4heap9ActorHeap5alloc17h0123456789abcdefE", exe, KindRuntime, "", PartAllocator, "", ""},
		{"mesh", "_ZN7mesh_rt5actor9scheduler11worker_loop17h0123456789abcdefE", exe, KindRuntime, RoleWorker, PartScheduler, "", ""},
		{"mesh", "_ZN7mesh_rt5sched11worker_loop17h0123456789abcdefE", exe, KindRuntime, RoleWorker, PartScheduler, "", ""},
		{"mesh", "_ZN7mesh_rt5sched13spawn_workers17h0123456789abcdefE", exe, KindRuntime, "", "runtime internals", "", ""},
		{"mesh", "_ZN7mesh_rt2db4pool8checkout17h0123456789abcdefE", exe, KindRuntime, "", "runtime internals", "", ""},
		{"mesh", "_ZN8postgres6client6Client5query17h0123456789abcdefE", exe, KindRuntime, "", "library inside the runtime", "", ""},
		{"mesh", "sqlite3VdbeExec", exe, KindRuntime, "", "library inside the runtime", "", ""},
		{"mesh", "_ZN10corosensei9coroutine39Coroutine$LT$Input$C$Yield$C$Return$GT$10with_stack14coroutine_func17h0123456789abcdefE", exe, KindOther, "", PartCoroutineEntry, "", ""},
		{"mesh", "stack_init_trampoline", exe, KindOther, "", PartCoroutineEntry, "", ""},
		// The older name of the same runtime.
		{"snow", "snow_main", exe, KindProgram, "", PartEntry, "", "fn main"},
		{"snow", "snow_map_get", exe, KindRuntime, "", "runtime function", "", ""},
		{"snow", "_ZN7snow_rt5actor4heap9ActorHeap7collect17h0123456789abcdefE", exe, KindRuntime, "", PartCollector, "", ""},
		{"snow", "mesh_map_get", exe, KindProgram, "", "function", "", ""},
		// Every program.
		{"none", "main", "/bin/prog", KindOther, "", "", "", "main"},
		{"none", "", "", KindOther, "", "", "", ""},
		{"none", "mesh_map_get", exe, KindOther, "", "", "", ""},
		{"none", "_ZN3std9panicking20rust_panic_with_hook17h0123456789abcdefE", exe, KindStd, "", PartPanic, "", ""},
		{"none", "_ZN4core9panicking9panic_fmt17h0123456789abcdefE", exe, KindStd, "", PartPanic, "", ""},
		{"none", "_ZN4core3ptr49drop_in_place$LT$alloc..vec..Vec$LT$u8$GT$$GT$17h0123456789abcdefE", exe, KindStd, "", "", "", ""},
		{"none", "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE", exe, KindStd, "", "", "", ""},
		{"none", "_ZN53_$LT$mycrate..Thing$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE", exe, KindOther, "", "", "", ""},
		{"none", "_ZN7mycrate4main17h0123456789abcdefE", exe, KindOther, "", "", "", "mycrate::main"},
		{"none", "_RNvNtCs5l0EXMQXRMU_4core9panicking9panic_fmt", exe, KindStd, "", PartPanic, "", ""},
		{"none", "_RNvNtCs5l0EXMQXRMU_3std2rt10lang_start", exe, KindStd, "", PartStart, "", ""},
		{"none", "_ZN3std3sys6thread4unix7cgroups8quota_v117h0123456789abcdefE", exe, KindStd, "", "", "", ""},
		{"none", "_RNvCs5l0EXMQXRMU_7mycrate4main", exe, KindOther, "", "", "", "mycrate::main"},
		{"none", "_RNvCs5l0EXMQXRMU_7___rustc10rust_panic", exe, KindStd, "", PartPanic, "", ""},
		{"none", "_ZN4core6Engine5startEi", exe, KindOther, "", "", "", ""}, // a C++ namespace of that name
		{"none", "_ZNSt6vectorIiSaIiEE2atEm", exe, KindStd, "", "", "", ""},
		{"none", "_ZNKSt6vectorIiSaIiEE14_M_range_checkEm", exe, KindStd, "", "", "", ""},
		{"none", "_ZSt9terminatev", "/usr/lib/libstdc++.so.6", KindStd, "", PartAbort, "", ""},
		{"none", "_ZN3app5StackD2Ev", exe, KindOther, "", "", "", ""},
		{"none", "_Znwm", "/usr/lib/libstdc++.so.6", KindStd, "", PartAllocator, "", ""},
		{"none", "__pthread_kill_implementation", libc, KindLibc, "", PartAbort, "", ""},
		{"none", "__stack_chk_fail@plt", exe, KindLibc, "", PartAbort, "", ""},
		{"none", "_int_free", libc, KindLibc, "", PartAllocator, "", ""},
		{"none", "anything_in_libc", libc + " (deleted)", KindLibc, "", "", "", ""},
		{"none", "", libc, KindLibc, "", "", "", ""},
		{"none", "_dl_fixup", "/lib64/ld-linux-x86-64.so.2", KindLibc, "", PartLoader, "", ""},
		{"none", "__vdso_clock_gettime", "[vdso]", KindLibc, "", "", "", ""},
		{"none", "memcpy", exe, KindLibc, "", "", "", ""},
		{"none", "memcpy", "/opt/libfoo.so", KindOther, "", "", "", ""},
		{"none", "_Unwind_RaiseException", "/lib/libgcc_s.so.1", KindLibc, "", PartUnwinder, "", ""},
		{"none", "__asan_report_load8", exe, KindOther, "", PartSanitizer, "", ""},
		{"none", "start_thread", libc, KindLibc, "", PartStart, "", ""},
		{"none", "work.cold", exe, KindOther, "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.profile+"/"+tt.symbol, func(t *testing.T) {
			p := loaded(t, tt.profile)
			got := p.Classify(tt.symbol, demangle.Filter(tt.symbol), tt.module, tt.module == exe || tt.module == "/bin/prog")
			if got.Kind != tt.kind || got.Role != tt.role || got.Part != tt.part || got.Actor != tt.actor {
				t.Errorf("kind %q role %q part %q actor %q, want %q %q %q %q (rule %v)", got.Kind, got.Role, got.Part, got.Actor,
					tt.kind, tt.role, tt.part, tt.actor, ruleID(got.Rule))
			}
			if tt.readable != "" && got.Readable != tt.readable {
				t.Errorf("readable %q, want %q", got.Readable, tt.readable)
			}
		})
	}
}

func ruleID(r *NameRule) string {
	if r == nil {
		return "none"
	}
	return r.ID
}

func TestClassifyRemembersPerModule(t *testing.T) {
	var p *Profile
	if k := p.Classify("memset", "", "/bin/prog", true).Kind; k != KindLibc {
		t.Errorf("in the executable: %s", k)
	}
	if k := p.Classify("memset", "", "/opt/libown.so", false).Kind; k != KindOther {
		t.Errorf("in a library of the user's: %s", k)
	}
}

// An answer given before the readable name was known is not kept for later.
func TestClassifyRemembersPerReadableName(t *testing.T) {
	p := loaded(t, "mesh")
	const symbol = "_ZN7mesh_rt5sched11worker_loop17hfedcba9876543210E"
	if c := p.Classify(symbol, "", "/srv/m", true); c.Part == PartScheduler {
		t.Errorf("known without its readable name: %+v", c)
	}
	if c := p.Classify(symbol, "mesh_rt::sched::worker_loop", "/srv/m", true); c.Part != PartScheduler {
		t.Errorf("%+v", c)
	}
}

func TestClassifyThread(t *testing.T) {
	p := loaded(t, "mesh")
	tests := []struct {
		name string
		role Role
		ok   bool
	}{
		{"ws-accept-8081", RoleOther, true},
		{"mesh-node-reade", RoleOther, true},
		{"mesher", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		c, ok := p.ClassifyThread(tt.name)
		if ok != tt.ok || c.Role != tt.role {
			t.Errorf("%q: %q %v", tt.name, c.Role, ok)
		}
	}
	if _, ok := (*Profile)(nil).ClassifyThread("ws-accept-8081"); ok {
		t.Error("without a profile nothing is known of thread names")
	}
}
