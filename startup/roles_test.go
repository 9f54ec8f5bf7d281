package startup

import (
	"strings"
	"testing"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// stackOf makes a stack of functions, innermost first, of the executable. A name that begins with "?" was found by
// scanning; one with a slash is "module/function".
func stackOf(names ...string) symbols.Stack {
	exe, libc := &symbols.Module{Path: "/srv/mesher", Main: true}, &symbols.Module{Path: "/lib/libc.so.6"}
	var st symbols.Stack
	for i, n := range names {
		f := symbols.Frame{Index: i, Trust: symbols.TrustCFI, Module: exe}
		if strings.HasPrefix(n, "?") {
			f.Trust, n = symbols.TrustScan, n[1:]
		}
		if rest, ok := strings.CutPrefix(n, "libc/"); ok {
			f.Module, n = libc, rest
		}
		f.Symbol.Name, f.Demangled = n, n
		st.Frames = append(st.Frames, f)
	}
	return st
}

const (
	workerLoop = "mesh_rt::actor::scheduler::worker_loop"
	coroutine  = "corosensei::coroutine::Coroutine<I,Y,R,S>::with_stack::coroutine_func"
	httpEntry  = "mesh_rt::http::server::connection_handler_entry"
	wsEntry    = "mesh_rt::ws::server::ws_connection_entry"
)

func TestRoles(t *testing.T) {
	const leader = 100
	tests := []struct {
		name, profile string
		tid           int
		comm          string
		stack         []string
		role          profile.Role
		actor         string
		frame         int
		prints        bool
	}{
		{"main in its accept loop", "mesh", leader, "mesher", []string{"libc/accept", "mesh_http_serve", "start_services", "mesh_main", "main"}, profile.RoleMain, "", 3, true},
		{"main without frames", "mesh", leader, "mesher", nil, profile.RoleMain, "", -1, true},
		{"main calls a service", "mesh", leader, "mesher", []string{"mesh_service_call", "__service_orgservice_call_get", "mesh_main", "main"}, profile.RoleMain, "", 2, true},
		{"handler of a service", "mesh", 7, "mesher", []string{"mesh_map_get", "__service_orgservice_handle_call_get", "__service_orgservice_loop", coroutine, "stack_init_trampoline", workerLoop, "libc/start_thread"}, profile.RoleService, "orgservice", 1, false},
		{"service calls another", "mesh", 7, "mesher", []string{"mesh_service_call", "__service_userservice_call_get", "__service_orgservice_handle_call_x", "__service_orgservice_loop", coroutine}, profile.RoleService, "orgservice", 2, false},
		{"typed actor", "mesh", 7, "mesher", []string{"__actor_load_monitor_body", "load_monitor", coroutine, workerLoop}, profile.RoleActor, "load_monitor", 0, false},
		{"actor by the function its stack begins with", "mesh", 7, "mesher", []string{"mesh_timer_sleep", "tick", "load_monitor", coroutine, workerLoop}, profile.RoleActor, "load_monitor", 2, false},
		{"coroutine of unknown content", "mesh", 7, "mesher", []string{"mesh_string_new", coroutine}, profile.RoleActor, "", 1, false},
		{"HTTP handler", "mesh", 7, "mesher", []string{"mesh_list_get", "handle_search", httpEntry, coroutine, workerLoop}, profile.RoleHTTP, "", 2, false},
		{"WebSocket handler", "mesh", 7, "mesher", []string{"ws_on_message", wsEntry, coroutine, workerLoop}, profile.RoleWS, "", 1, false},
		{"idle worker", "mesh", 7, "mesher", []string{"libc/clock_nanosleep", workerLoop, "libc/start_thread"}, profile.RoleWorker, "", 1, false},
		{"accept thread by its name", "mesh", 7, "ws-accept-8081", []string{"libc/accept"}, profile.RoleOther, "", -1, false},
		{"unknown thread", "mesh", 7, "x", []string{"libc/read"}, profile.RoleOther, "", -1, false},
		{"scanned frames tell only when nothing else does", "mesh", 7, "mesher", []string{"libc/abort", "?__service_orgservice_loop"}, profile.RoleService, "orgservice", 1, false},
		{"a good frame beats a scanned one", "mesh", 7, "mesher", []string{workerLoop, "?__service_orgservice_loop"}, profile.RoleWorker, "", 0, false},
		{"no profile: the leader is main", "none", leader, "prog", []string{"main"}, profile.RoleMain, "", -1, false},
		{"no profile: names mean nothing", "none", 7, "ws-accept-8081", []string{"__service_orgservice_loop"}, profile.RoleOther, "", -1, false},
		{"no profile: a coroutine is a coroutine", "none", 7, "prog", []string{"work", coroutine}, profile.RoleActor, "", 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &crash.Crash{Memory: crash.NoMemory{}, Focus: 0, Target: crash.Target{PID: leader}, Threads: []crash.Thread{{TID: tt.tid, Name: tt.comm}}}
			p := load(t, tt.profile)
			roles := Roles(c, []symbols.Stack{stackOf(tt.stack...)}, p)
			r := roles[0]
			if r.Role != tt.role || r.Actor != tt.actor || r.FrameIndex != tt.frame || r.Prints != tt.prints || r.Why == "" {
				t.Errorf("%+v, want %s %q frame %d prints %v", r, tt.role, tt.actor, tt.frame, tt.prints)
			}
			if Explains(c, roles, 0) != tt.prints {
				t.Error("the phase explains what happened to the thread that prints it, and to no other")
			}
		})
	}
}

// After an overflow the frames may be gone; the stack's place and size are not.
func TestRoleByTheStackItRunsOn(t *testing.T) {
	const rw = crash.Read | crash.Write
	maps := func(size uint64) []crash.Mapping {
		return []crash.Mapping{
			{Range: crash.Range{Start: 0x1000, End: 0x2000}, Perms: rw, PermsOK: true},
			{Range: crash.Range{Start: 0x10000, End: 0x11000}, PermsOK: true},
			{Range: crash.Range{Start: 0x11000, End: 0x11000 + size}, Perms: rw, PermsOK: true},
		}
	}
	tests := []struct {
		name    string
		profile string
		rsp     uint64
		size    uint64
		want    profile.Role
	}{
		{"inside", "mesh", 0x12000, 512 << 10, profile.RoleActor},
		{"in the guard page", "mesh", 0x10ff8, 512 << 10, profile.RoleActor},
		{"a stack of an older runtime", "mesh", 0x12000, 64 << 10, profile.RoleActor},
		{"of the older language", "snow", 0x12000, 64 << 10, profile.RoleActor},
		{"another size", "mesh", 0x12000, 256 << 10, profile.RoleOther},
		{"no guard page below", "mesh", 0x1800, 512 << 10, profile.RoleOther},
		{"nowhere", "mesh", 0x9999999, 512 << 10, profile.RoleOther},
		{"no profile", "none", 0x12000, 512 << 10, profile.RoleOther},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th := crash.Thread{TID: 7, RegsOK: true}
			th.Regs.RSP = tt.rsp
			c := &crash.Crash{Target: crash.Target{PID: 1}, Threads: []crash.Thread{th}, Mappings: maps(tt.size)}
			if r := Roles(c, []symbols.Stack{{}}, load(t, tt.profile))[0]; r.Role != tt.want {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The thread with the entry function on its stack prints, even where it is not the leader.
func TestThePrinterNeedNotBeTheLeader(t *testing.T) {
	c := &crash.Crash{Target: crash.Target{PID: 1}, Threads: []crash.Thread{{TID: 1}, {TID: 2}}}
	roles := Roles(c, []symbols.Stack{stackOf("libc/pthread_join"), stackOf("mesh_println", "mesh_main")}, load(t, "mesh"))
	if roles[0].Prints || !roles[1].Prints || roles[1].Role != profile.RoleMain {
		t.Errorf("%+v", roles)
	}
	if ok, why := Explanation(c, roles, 0); ok || why == "" {
		t.Error(why)
	}
	if Explains(c, roles, -1) || Explains(c, roles, 5) {
		t.Error("no thread, no explanation")
	}
}
