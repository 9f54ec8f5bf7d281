package startup

import (
	"encoding/binary"
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
			roles := Roles(c, nil, []symbols.Stack{stackOf(tt.stack...)}, p)
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
			if r := Roles(c, nil, []symbols.Stack{{}}, load(t, tt.profile))[0]; r.Role != tt.want {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A smashed stack still holds, at its far end, where the actor began.
func TestRoleByTheFarEndOfTheStack(t *testing.T) {
	const top = 0x11000 + 512<<10
	page := make([]byte, 4096)
	word := func(fromTop int, v uint64) { binary.LittleEndian.PutUint64(page[4096-fromTop:], v) }
	word(16, codeAt+3)  // worker
	word(64, codeAt+11) // entry of the connection
	word(72, codeAt+7)  // a service's client side: says nothing
	word(80, 0x4141414141414141)
	names := namedCode{codeAt: {"_ZN7mesh_rt5sched11worker_loop17hfedcba9876543210E"}, codeAt + 4: {"__service_org_call_get"},
		codeAt + 8: {"_ZN7mesh_rt4http6server24connection_handler_entry17h0123456789abcdefE"}}
	th := crash.Thread{TID: 7, RegsOK: true}
	th.Regs.RSP = top - 256
	c := &crash.Crash{Target: crash.Target{PID: 1}, Threads: []crash.Thread{th}, Memory: crash.Pages{top - 4096: page}, Mappings: []crash.Mapping{
		{Range: crash.Range{Start: 0x10000, End: 0x11000}, PermsOK: true},
		{Range: crash.Range{Start: 0x11000, End: top}, Perms: crash.Read | crash.Write, PermsOK: true},
		{Range: crash.Range{Start: codeAt, End: codeAt + 4096}, Perms: crash.Read | crash.Exec, PermsOK: true, Path: "/srv/mesher"},
	}}
	r := Roles(c, names, []symbols.Stack{stackOf("?libc/garbage")}, load(t, "mesh"))[0]
	if r.Role != profile.RoleHTTP || !strings.Contains(r.Why, "far end") {
		t.Errorf("%+v", r)
	}
	c.Memory = crash.NoMemory{}
	if r := Roles(c, names, nil, load(t, "mesh"))[0]; r.Role != profile.RoleActor {
		t.Errorf("%+v", r)
	}
}

// namedCode has functions of four bytes each.
type namedCode map[uint64][]string

func (n namedCode) Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool) {
	at := a.Lookup() &^ 3
	if name, ok := n[at]; ok {
		return symbols.Symbol{Name: name[0], Start: at, Size: 4}, &symbols.Module{Path: "/srv/mesher", Main: true}, true
	}
	return symbols.Symbol{}, nil, false
}
func (namedCode) Find(string) (symbols.Symbol, *symbols.Module, bool) {
	return symbols.Symbol{}, nil, false
}
func (namedCode) FuncRange(uint64) (lo, hi uint64, how string, ok bool) { return 0, 0, "", false }
func (namedCode) Code(uint64, int) ([]byte, string, error)              { return nil, "", nil }
func (namedCode) PLTName(uint64) (string, bool)                         { return "", false }
func (namedCode) GOTName(uint64) (string, bool)                         { return "", false }

// Frames of threads that the report does not show have no readable names yet.
func TestRolesOfMangledNames(t *testing.T) {
	st := stackOf("libc/nanosleep", "_ZN7mesh_rt5sched11worker_loop17hfedcba9876543210E")
	for i := range st.Frames {
		st.Frames[i].Demangled = ""
	}
	c := &crash.Crash{Target: crash.Target{PID: 1}, Threads: []crash.Thread{{TID: 7}}}
	if r := Roles(c, nil, []symbols.Stack{st}, load(t, "mesh"))[0]; r.Role != profile.RoleWorker {
		t.Errorf("%+v", r)
	}
}

// The thread with the entry function on its stack prints, even where it is not the leader.
func TestThePrinterNeedNotBeTheLeader(t *testing.T) {
	c := &crash.Crash{Target: crash.Target{PID: 1}, Threads: []crash.Thread{{TID: 1}, {TID: 2}}}
	roles := Roles(c, nil, []symbols.Stack{stackOf("libc/pthread_join"), stackOf("mesh_println", "mesh_main")}, load(t, "mesh"))
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
