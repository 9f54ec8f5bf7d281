package heuristics

import (
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/symbols"
)

// expected is what a case must lead to. Empty fields are not looked at.
type expected struct {
	id, kind       string
	symbol, extern string
	atLeast        float64 // confidence
	atMost         float64
}

type causeTest struct {
	name string
	make func(t *testing.T) *maker
	want expected
}

func check(t *testing.T, tests []causeTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.make(t)
			h := m.top()
			w := tt.want
			bad := h.ID != w.id || w.kind != "" && h.Kind != w.kind || w.symbol != "" && h.Blame.Symbol != w.symbol ||
				w.extern != "" && h.Blame.Extern != w.extern || h.Confidence < w.atLeast || w.atMost > 0 && h.Confidence > w.atMost
			if bad {
				t.Errorf("got %s/%s blame %q extern %q at %.2f, want %+v", h.ID, h.Kind, h.Blame.Symbol, h.Blame.Extern, h.Confidence, w)
				for _, c := range m.run().Causes {
					t.Logf("%s/%s %.2f score %.2f: %s", c.ID, c.Kind, c.Confidence, Score(&c), c.Title)
					for _, e := range c.Evidence {
						t.Logf("    %+.1f [%s] %s: %s", e.Weight, e.Group, e.ID, e.Text)
					}
				}
			}
			if h.Title == "" || h.Summary == "" {
				t.Errorf("no title or summary: %+v", h)
			}
		})
	}
}

// segv is a SIGSEGV whose stack is given; maperr is SEGV_MAPERR.
func segv(m *maker, names ...string) *maker { return m.signal(unix.SIGSEGV, 1).stack(names...) }

func TestNullValue(t *testing.T) {
	check(t, []causeTest{
		{"missing key", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "handle_row", "mesh_main", "main").null().chain(arg(0, 0), returned(1, "mesh_map_get"))
			m.call(1, set(provenance.ArgReturn, 0))
			return m
		}, expected{id: idNull, kind: kindMissingKey, symbol: "handle_row", extern: "mesh_map_get", atLeast: 0.8}},
		{"no reply", func(t *testing.T) *maker {
			m := segv(inMesh(t), "__service_org_call_get", "handle_row", "mesh_main").null().chain(returned(0, "mesh_service_call"))
			m.c.Fault.Offset = 16
			return m
		}, expected{id: idNull, kind: kindNoReply, symbol: "__service_org_call_get", extern: "mesh_service_call", atLeast: 0.8}},
		{"library function, no profile", func(t *testing.T) *maker {
			return segv(plain(t), "strlen@libc", "load_config", "main").null().chain(arg(0, 0), returned(1, "getenv@plt"))
		}, expected{id: idNull, kind: kindExternNull, symbol: "load_config", extern: "getenv@plt", atLeast: 0.8}},
		{"function of the program", func(t *testing.T) *maker {
			return segv(plain(t), "use", "main").null().chain(returned(0, "find"))
		}, expected{id: idNull, kind: kindOther, symbol: "use", atLeast: 0.8}},
		{"empty field", func(t *testing.T) *maker {
			return segv(plain(t), "walk", "main").null().chain(load(0, heapAddr+0x10))
		}, expected{id: idNull, kind: kindOther, symbol: "walk", atLeast: 0.5, atMost: 0.8}},
		{"source not known", func(t *testing.T) *maker {
			return segv(plain(t), "walk", "main").null()
		}, expected{id: idNull, kind: kindOther, symbol: "walk", atMost: 0.79}},
		{"debug build refuses it", func(t *testing.T) *maker {
			m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_string_length", "handle_row", "mesh_main")
			m.say("thread '<unnamed>' (4711) panicked at crates/mesh-rt/src/string.rs:12:5:", "null pointer dereference occurred")
			m.panics(PanicSite{Message: "null pointer dereference occurred", Origin: "rust", FromLine: 1})
			return m.chain(arg(2, 0), returned(3, "mesh_map_get"))
		}, expected{id: idNull, kind: kindMissingKey, symbol: "handle_row", extern: "mesh_map_get", atLeast: 0.8}},
	})
}

func TestABIMismatch(t *testing.T) {
	check(t, []causeTest{
		{"arity", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_concat", "render", "mesh_main").bad(provenance.ClassUnmapped, 0x7a3f00, provenance.LooksUnmapped)
			m.chain(arg(0, 1), origin(provenance.StepUninit, 1))
			m.call(1, goodPt, unset)
			return m.callee(entry(0), reads(deref, deref))
		}, expected{id: idABI, kind: kindArity, symbol: "render", extern: "mesh_string_concat", atLeast: 0.8}},
		{"arity between two functions of the program", func(t *testing.T) *maker {
			m := segv(plain(t), "area", "draw", "main").bad(provenance.ClassUnmapped, 0x7a3f00, provenance.LooksUnmapped)
			m.chain(arg(0, 2), origin(provenance.StepUninit, 1))
			m.call(1, goodPt, goodPt, unset)
			return m.callee(entry(0), reads(deref, plainR, deref))
		}, expected{id: idABI, kind: kindArity, symbol: "draw", atLeast: 0.8}},
		{"swapped arguments", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_list_get", "first_row", "mesh_main").bad(provenance.ClassNearNull, 3, provenance.LooksSmallInt)
			m.chain(arg(0, 0), constant(1, 3))
			m.call(1, set(provenance.ArgConst, 3), goodPt)
			return m.callee(entry(0), reads(deref, plainR))
		}, expected{id: idABI, kind: kindType, symbol: "first_row", extern: "mesh_list_get"}},
		{"float for integer", func(t *testing.T) *maker {
			m := segv(plain(t), "take", "give", "main").bad(provenance.ClassUnmapped, 0x7a3f00, provenance.LooksUnmapped)
			m.chain(arg(0, 0))
			m.call(1, unset).FloatArgs = 1
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI}},
		{"constant as pointer", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "check", "mesh_main").bad(provenance.ClassNearNull, 42, provenance.LooksSmallInt)
			m.chain(arg(0, 0), constant(1, 42))
			m.call(1, set(provenance.ArgConst, 42))
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, kind: kindIntPointer, symbol: "check", extern: "mesh_string_length", atLeast: 0.6}},
		{"number of a call as pointer", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "check", "mesh_main").bad(provenance.ClassNearNull, 7, provenance.LooksSmallInt)
			m.chain(arg(0, 0), returned(1, "mesh_actor_self"))
			m.call(1, set(provenance.ArgReturn, 7))
			return m
		}, expected{id: idABI, kind: kindIntPointer, symbol: "check", atLeast: 0.6}},
		{"constant as pointer, debug build", func(t *testing.T) *maker {
			m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_string_length", "check", "mesh_main")
			m.panics(PanicSite{Message: "misaligned pointer dereference: address must be a multiple of 0x8 but is 0x2a", Origin: "rust", FromLine: 1})
			m.call(3, set(provenance.ArgConst, 42)).Callee = "mesh_string_length"
			return m
		}, expected{id: idABI, kind: kindIntPointer, symbol: "check", extern: "mesh_string_length", atLeast: 0.6}},
		{"pointer as aggregate", func(t *testing.T) *maker {
			ret := returned(1, "mesh_pool_open")
			ret.Reg = "rdx"
			m := segv(inMesh(t), "mesh_string_length", "connect", "mesh_main").bad(provenance.ClassNearNull, 0x50, provenance.LooksSmallInt)
			m.chain(arg(0, 0), ret)
			k := m.earlier(1, "mesh_pool_open")
			k.RetRead, k.RetPair, k.Site = 1, true, ret.Addr
			return m.callee(k.Target, provenance.Callee{Symbol: "mesh_pool_open", Returns: 8})
		}, expected{id: idABI, kind: kindPtrAsAgg, symbol: "connect", extern: "mesh_pool_open", atLeast: 0.7}},
		{"pointer as aggregate, payload 0", func(t *testing.T) *maker {
			ret := returned(1, "mesh_pool_open")
			ret.Reg = "rdx"
			m := segv(inMesh(t), "mesh_string_length", "connect", "mesh_main").null().chain(arg(0, 0), ret)
			k := m.earlier(1, "mesh_pool_open")
			k.RetRead, k.RetPair, k.Site = 1, true, ret.Addr
			return m.callee(k.Target, provenance.Callee{Symbol: "mesh_pool_open", Returns: 8})
		}, expected{id: idABI, kind: kindPtrAsAgg, symbol: "connect", extern: "mesh_pool_open", atLeast: 0.6}},
		{"aggregate as pointer", func(t *testing.T) *maker {
			ret := returned(1, "Storage__lookup")
			m := segv(inMesh(t), "mesh_result_unwrap", "connect", "mesh_main").bad(provenance.ClassNearNull, 1, provenance.LooksSmallInt)
			m.chain(arg(0, 0), ret)
			k := m.earlier(1, "Storage__lookup")
			k.RetRead, k.Site = 8, ret.Addr
			return m.callee(k.Target, provenance.Callee{Symbol: "Storage__lookup", Returns: 1, RetPair: true})
		}, expected{id: idABI, kind: kindAggAsPtr, symbol: "connect", atLeast: 0.6}},
		{"aggregate passed as two words", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_result_unwrap", "connect", "mesh_main").bad(provenance.ClassNearNull, 1, provenance.LooksSmallInt)
			m.chain(arg(0, 0), load(1, 0x7fff0010))
			tag := set(provenance.ArgLoaded, 1)
			tag.Width = 1
			m.call(1, tag, goodPt)
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, kind: kindAggAsPtr, symbol: "connect", extern: "mesh_result_unwrap"}},
		{"truncated result", func(t *testing.T) *maker {
			ret := returned(1, "mesh_string_new")
			m := segv(inMesh(t), "mesh_string_length", "greet", "mesh_main").bad(provenance.ClassUnmapped, 0x55600040, provenance.LooksTruncated)
			m.chain(arg(0, 0), ret)
			k := m.earlier(1, "mesh_string_new")
			k.RetRead, k.Site = 4, ret.Addr
			return m.callee(k.Target, provenance.Callee{Symbol: "mesh_string_new", Returns: 8})
		}, expected{id: idABI, kind: kindTruncated, symbol: "greet", extern: "mesh_string_new", atLeast: 0.8}},
		{"wrong offset", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "show_user", "mesh_main").bad(provenance.ClassNearNull, 17, provenance.LooksSmallInt)
			m.r.mem[heapAddr+0x28] = heapAddr + 0x100
			m.chain(arg(0, 0), load(1, heapAddr+0x20))
			m.call(1, set(provenance.ArgLoaded, 17))
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, kind: kindOffset, symbol: "show_user"}},
		{"dropped result", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "greet", "mesh_main").null().chain(arg(0, 0), constant(1, 0))
			m.call(1, set(provenance.ArgConst, 0))
			m.earlier(1, "mesh_string_new")
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, kind: kindDropped, symbol: "greet", extern: "mesh_string_new", atLeast: 0.7}},
		{"callback convention", func(t *testing.T) *maker {
			m := segv(inMesh(t), "rows__closure_1", "mesh_list_map", "show_rows", "mesh_main").bad(provenance.ClassNearNull, 5, provenance.LooksSmallInt)
			m.chain(arg(0, 1), origin(provenance.StepUninit, 1))
			m.call(1, goodPt, unset).Indirect = true
			return m.callee(entry(0), reads(deref, deref))
		}, expected{id: idABI, kind: kindCallback, symbol: "show_rows", extern: "mesh_list_map", atLeast: 0.6}},
		{"callback with the arguments in another order", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_map_get", "rows__closure_1", "mesh_list_map", "show_rows", "mesh_main").bad(provenance.ClassNearNull, 0x30, provenance.LooksSmallInt)
			m.chain(arg(0, 0), arg(1, 1), origin(provenance.StepArg, 2))
			m.call(1, goodPt, goodPt)
			m.call(2, goodPt, goodPt).Indirect = true
			m.callee(entry(1), reads(plainR, plainR))
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, symbol: "rows__closure_1"}},
		{"one argument too many in front", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_json_encode", "reply", "mesh_main").null().chain(arg(0, 0), constant(1, 0))
			m.call(1, set(provenance.ArgConst, 0), goodPt)
			return m.callee(entry(0), reads(deref))
		}, expected{id: idABI, kind: kindArity, symbol: "reply", extern: "mesh_json_encode"}},
		{"first argument left out", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_pool_open", "mesh_main", "main").bad(provenance.ClassNearNull, 2, provenance.LooksSmallInt).chain(arg(0, 0), constant(1, 2))
			m.call(1, set(provenance.ArgConst, 2), set(provenance.ArgConst, 10), set(provenance.ArgConst, 5000))
			return m.callee(entry(0), reads(deref, plainR, plainR, plainR))
		}, expected{id: idABI, kind: kindArity, symbol: "mesh_main", extern: "mesh_pool_open"}},
		{"a runtime with swapped parameters", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_process_register", "start_all", "mesh_main").bad(provenance.ClassNearNull, 4, provenance.LooksSmallInt).chain(arg(0, 1))
			m.call(1, goodPt, set(provenance.ArgReturn, 4))
			return m.callee(entry(0), reads(plainR, deref))
		}, expected{id: idABI, kind: kindType, symbol: "start_all", extern: "mesh_process_register"}},
		{"half of a word in memory", func(t *testing.T) *maker {
			m := segv(inMesh(t), "show", "mesh_main").bad(provenance.ClassUnmapped, 0x55600040, provenance.LooksTruncated).chain(load(0, heapAddr+0x10))
			m.r.mem[heapAddr+0x10] = 0x555555600040
			return m
		}, expected{id: idABI, kind: kindTruncated, symbol: "show", atLeast: 0.8}},
		{"the length word of a reply", func(t *testing.T) *maker {
			l := load(0, heapAddr+0x18)
			l.Reg = "[rax+0x8]"
			m := segv(inMesh(t), "show", "mesh_main").bad(provenance.ClassNearNull, 8, provenance.LooksSmallInt).chain(l)
			m.r.mem[heapAddr+0x20] = heapAddr + 0x100
			m.c.Chain.Base = &provenance.Chain{Steps: []provenance.Step{returned(0, "mesh_service_call")}}
			return m
		}, expected{id: idABI, kind: kindOffset, symbol: "show", extern: "mesh_service_call", atLeast: 0.8}},
		{"an address refused as an index", func(t *testing.T) *maker {
			m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_list_get", "pick", "mesh_main")
			return m.panics(PanicSite{Message: "mesh_list_get: index 93824993001536 out of bounds (len 3)", Origin: "rust", FromLine: 0})
		}, expected{id: idABI, kind: kindType, symbol: "pick", extern: "mesh_list_get"}},
		{"an address as a size, one word for three", func(t *testing.T) *maker {
			m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_json_from_string", "to_json", "reply", "mesh_main")
			m.call(4, goodPt)
			m.callee(entry(3), reads(plainR, plainR, plainR))
			return m.panics(PanicSite{Message: "memory allocation of 93824993001536 bytes failed", Origin: "rust", FromLine: 0})
		}, expected{id: idABI, kind: kindPtrAsAgg, symbol: "reply", extern: "mesh_json_from_string"}},
		{"text as a size", func(t *testing.T) *maker {
			m := inMesh(t).signal(unix.SIGABRT, -6).stack("abort@libc", "rust_panic", "mesh_string_concat", "render", "mesh_main")
			m.say("memory allocation of 8031924123371070824 bytes failed")
			return m.panics(PanicSite{Message: "memory allocation of 8031924123371070824 bytes failed", Origin: "rust", FromLine: 0})
		}, expected{id: idABI}},
	})
}

func TestDispatchAndLinking(t *testing.T) {
	check(t, []causeTest{
		{"NULL in a table", func(t *testing.T) *maker {
			m := jump(segv(inMesh(t), "?", "__service_org_loop", "mesh_rt_spawn"), 0, provenance.ClassNull)
			k := m.call(1)
			k.Indirect, k.Callee, k.Insn = true, "", "call rax"
			return m
		}, expected{id: idDispatch, kind: kindNullFunc, symbol: "__service_org_loop", atLeast: 0.7}},
		{"data as function", func(t *testing.T) *maker {
			m := jump(segv(inMesh(t), "?", "__service_org_loop", "mesh_rt_spawn"), heapAddr, provenance.ClassProtection)
			k := m.call(1)
			k.Indirect, k.Callee, k.Insn = true, "", "call rax"
			return m
		}, expected{id: idDispatch, kind: kindDataFunc, symbol: "__service_org_loop", atLeast: 0.7}},
		{"wrong function", func(t *testing.T) *maker {
			m := segv(inMesh(t), "__service_user_handle_call_get", "__service_org_loop", "mesh_rt_spawn").bad(provenance.ClassNearNull, 9, provenance.LooksSmallInt)
			m.chain(arg(0, 2), origin(provenance.StepUninit, 1))
			m.call(1, goodPt, goodPt).Indirect = true
			return m.callee(entry(0), reads(deref, plainR, deref))
		}, expected{id: idDispatch, kind: kindWrongFunc, symbol: "__service_org_loop", atLeast: 0.5}},
		{"weak extern, named slot", func(t *testing.T) *maker {
			m := jump(segv(inMesh(t), "?", "report_stats", "mesh_main"), 0, provenance.ClassNull)
			k := m.call(1)
			k.Indirect, k.Callee, k.Insn = true, "mesh_pool_stats", "call qword ptr [rip+0x2fd2]"
			return m
		}, expected{id: idMissing, kind: kindNullCall, symbol: "report_stats", extern: "mesh_pool_stats", atLeast: 0.8}},
		{"weak extern, direct call to the image's base", func(t *testing.T) *maker {
			m := jump(segv(plain(t), "?", "report_stats", "main"), 0x400000, provenance.ClassProtection)
			m.c.Crash.Mappings = []crash.Mapping{{Range: crash.Range{Start: 0x400000, End: 0x401000}, Path: exePath, Perms: crash.Read, PermsOK: true}}
			k := m.call(1)
			k.Callee, k.Target = "", 0x400000
			return m
		}, expected{id: idMissing, kind: kindNullCall, symbol: "report_stats", atLeast: 0.7}},
		{"weak extern, slot named by the fault", func(t *testing.T) *maker {
			m := jump(segv(inMesh(t), "?", "report_stats", "mesh_main"), 0, provenance.ClassNull)
			m.c.Fault.BranchInsn, m.c.Fault.Slot = "call qword ptr [rip+0x2fd2]", "mesh_pool_stats"
			return m
		}, expected{id: idMissing, kind: kindNullCall, symbol: "report_stats", extern: "mesh_pool_stats", atLeast: 0.8}},
		{"pointer in a register, by the fault's own words", func(t *testing.T) *maker {
			m := jump(segv(inMesh(t), "?", "__service_org_loop", "mesh_rt_spawn"), 0, provenance.ClassNull)
			m.c.Fault.BranchInsn = "call rax"
			return m
		}, expected{id: idDispatch, kind: kindNullFunc, symbol: "__service_org_loop", atLeast: 0.7}},
		{"the caller's good call, and a jump through a pointer behind it", func(t *testing.T) *maker {
			m := jump(segv(plain(t), "?", "main", "_start"), 0x1010, provenance.ClassNearNull)
			m.c.Fault.BranchInsn, m.c.Fault.TailCall = "call 0x401100", true
			m.call(1).Callee = "trampoline"
			return m
		}, expected{id: idDispatch, kind: kindDataFunc, symbol: "trampoline", atLeast: 0.4}},
		{"the faulting instruction is the call itself", func(t *testing.T) *maker {
			m := jump(segv(plain(t), "fire", "main"), 0x5a5a5a5a5a5a5a5a, provenance.ClassNonCanonical)
			m.c.Fault.PC, m.c.Fault.Branch, m.c.Fault.BranchInsn = entry(0)+frameAt, entry(0)+frameAt, "call rdx"
			m.call(1).Callee = "fire"
			return m
		}, expected{id: idDispatch, kind: kindDataFunc, symbol: "fire", atLeast: 0.5}},
		{"symbol lookup error", func(t *testing.T) *maker {
			return inMesh(t).exit(127).say("./app: symbol lookup error: ./app: undefined symbol: mesh_pool_stats")
		}, expected{id: idMissing, kind: kindLoad, symbol: "mesh_pool_stats", extern: "mesh_pool_stats", atLeast: 0.8}},
		{"library missing", func(t *testing.T) *maker {
			return plain(t).exit(127).say("./app: error while loading shared libraries: libmesh_rt.so: cannot open shared object file: No such file or directory")
		}, expected{id: idMissing, kind: kindLoad, symbol: "libmesh_rt.so", atLeast: 0.8}},
	})
}

func TestMemory(t *testing.T) {
	check(t, []causeTest{
		{"non-canonical", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGSEGV, crash.SIKernel).stack("walk", "main")
			return m.bad(provenance.ClassNonCanonical, 0xdead000000000000, provenance.LooksNonCanonical)
		}, expected{id: idWild, symbol: "walk", atMost: 0.79}},
		{"one byte behind a mapping", func(t *testing.T) *maker {
			m := segv(plain(t), "copy_all", "main").bad(provenance.ClassPastEnd, heapAddr+1<<20, provenance.LooksUnmapped)
			m.c.Fault.Region = "[heap], 1 byte behind its end"
			return m
		}, expected{id: idWild, symbol: "copy_all", atMost: 0.79}},
		{"write to a constant", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGSEGV, 2).stack("set_name", "main").bad(provenance.ClassProtection, 0x404000, provenance.LooksRodata)
			m.c.Fault.Access = provenance.AccessWrite
			return m
		}, expected{id: idReadOnly, symbol: "set_name", atLeast: 0.8}},
		{"free-list link", func(t *testing.T) *maker {
			at := uint64(heapAddr + 0x2a0)
			m := segv(plain(t), "walk", "main").bad(provenance.ClassUnmapped, at>>12, provenance.LooksUnmapped)
			return m.chain(load(0, at))
		}, expected{id: idFreed, symbol: "walk"}},
		{"double free", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "free@libc", "drop_all", "main")
			m.panics(PanicSite{Message: "free(): double free detected in tcache 2", Origin: "glibc", FromLine: 0, Cause: idHeap})
			return m.say("free(): double free detected in tcache 2")
		}, expected{id: idHeap, symbol: "drop_all", atLeast: 0.8}},
		{"double free in a core", func(t *testing.T) *maker {
			return plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "__libc_message@libc", "free@libc", "drop_all", "main")
		}, expected{id: idHeap, symbol: "drop_all", atLeast: 0.6}},
		{"fault inside the allocator", func(t *testing.T) *maker {
			m := segv(plain(t), "_int_malloc@libc", "malloc@libc", "make_node", "main").bad(provenance.ClassNonCanonical, 0x4141414141414141, provenance.LooksText)
			return m.chain(load(0, heapAddr+8))
		}, expected{id: idHeap, symbol: "make_node"}},
		{"canary", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "__stack_chk_fail@libc", "read_name", "main")
			m.panics(PanicSite{Message: "stack smashing detected", Origin: "glibc", FromLine: 0, Cause: idStackSmash})
			return m.say("*** stack smashing detected ***: terminated")
		}, expected{id: idStackSmash, symbol: "read_name", atLeast: 0.8}},
		{"overwritten return address", func(t *testing.T) *maker {
			m := segv(plain(t), "?", "junk@scan", "main@scan").bad(provenance.ClassNonCanonical, 0x4141414141414141, provenance.LooksText)
			m.c.Fault.BranchBad, m.c.Fault.BadRet = true, true
			return m
		}, expected{id: idStackSmash, atLeast: 0.8}},
		{"file cut short", func(t *testing.T) *maker {
			return plain(t).signal(unix.SIGBUS, 2).stack("read_index", "main").bad(provenance.ClassPastFile, 0x7f0000001000, provenance.LooksFile)
		}, expected{id: idPastFile, symbol: "read_index", atLeast: 0.8}},
		{"division by zero", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGFPE, 1).stack("mean", "main").bad(provenance.ClassArithmetic, 0, provenance.LooksNull)
			m.c.Fault.Insn = "idiv ecx"
			return m
		}, expected{id: idArithmetic, symbol: "mean", atLeast: 0.8}},
		{"aligned vector access", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGSEGV, crash.SIKernel).stack("sum4", "main").bad(provenance.ClassMisaligned, heapAddr+8, provenance.LooksHeap)
			m.c.Fault.Insn = "movaps xmm0, xmmword ptr [rdi]"
			return m
		}, expected{id: idMisaligned, symbol: "sum4", atLeast: 0.7}},
		{"ud2", func(t *testing.T) *maker {
			m := plain(t).signal(unix.SIGILL, 2).stack("decide", "main").bad(provenance.ClassIllegal, 0, "")
			m.c.Fault.Insn = "ud2"
			return m
		}, expected{id: idIllegal, symbol: "decide", atLeast: 0.8}},
	})
}

func TestStackOverflow(t *testing.T) {
	guard := func(t *testing.T, prof string, size uint64, kind string) *maker {
		m := newCase(t, prof).signal(unix.SIGSEGV, 2)
		m.c.Fault = &provenance.Fault{Class: provenance.ClassGuardPage, Insn: "call f", Implicit: true, AddressOK: true, Address: 0x7f0000000ff8}
		m.c.Stack = provenance.StackUse{Region: crash.Range{Start: 0x7f0000001000, End: 0x7f0000001000 + size}, Kind: kind, Overflow: true, Left: -8}
		return m
	}
	check(t, []causeTest{
		{"recursion", func(t *testing.T) *maker {
			m := guard(t, "mesh", 512<<10, "coroutine").stack("mesh_string_concat", "depth", "walk", "depth", "walk")
			m.c.Stack.Repeat = &provenance.Repeat{Symbols: []string{"mesh_string_concat", "depth", "walk"}, Count: 400, Bytes: 1200}
			m.c.Stack.Depth = 1200
			return m
		}, expected{id: idOverflow, kind: kindRecursion, symbol: "depth", atLeast: 0.8}},
		{"one huge frame", func(t *testing.T) *maker {
			m := guard(t, "mesh", 512<<10, "coroutine").stack("fill", "__actor_report_body")
			m.c.Stack.Largest = []provenance.FrameSize{{Frame: 1, Symbol: "__actor_report_body", Bytes: 600 << 10}}
			m.c.Stack.Depth = 5
			return m
		}, expected{id: idOverflow, kind: kindFrameGrowth, symbol: "__actor_report_body", atLeast: 0.8}},
		{"stack of an old runtime", func(t *testing.T) *maker {
			m := guard(t, "mesh", 64<<10, "coroutine").stack("fill", "__actor_report_body")
			m.c.Stack.Largest = []provenance.FrameSize{{Frame: 1, Symbol: "fill", Bytes: 8 << 10}}
			m.c.Stack.Depth = 12
			return m
		}, expected{id: idOverflow, kind: kindSmallStack, symbol: "fill", atLeast: 0.8}},
		{"deep chain", func(t *testing.T) *maker {
			m := guard(t, "none", 8<<20, "main").stack("a", "b", "c")
			m.c.Stack.Largest = []provenance.FrameSize{{Frame: 1, Symbol: "b", Bytes: 80 << 10}}
			m.c.Stack.Depth = 300
			return m
		}, expected{id: idOverflow, kind: kindDeepChain, symbol: "c", atLeast: 0.8}},
		{"frames that explain little of the stack", func(t *testing.T) *maker {
			m := guard(t, "none", 8<<20, "main").stack("a", "b", "c")
			f := m.c.Stacks[0].Frames
			m.c.Stack.Used, m.c.Stack.Depth = 8<<20, 3
			f[0].Regs[crash.RSP] = symbols.Reg{Value: 0x7ffff0000000, Known: true}
			f[2].CFA = symbols.Reg{Value: 0x7ffff0000200, Known: true}
			return m
		}, expected{id: idOverflow, kind: "", symbol: "a", atMost: 0.85}},
		{"Rust's own words", func(t *testing.T) *maker {
			return plain(t).signal(unix.SIGABRT, -6).stack("abort@libc", "app_depth").
				say("thread 'main' has overflowed its stack", "fatal runtime error: stack overflow, aborting")
		}, expected{id: idOverflow, kind: kindRecursion, symbol: "app_depth", atLeast: 0.7}},
	})
}

func TestGCTracedHandle(t *testing.T) {
	collector := "_ZN7mesh_rt5actor4heap9ActorHeap4mark17h0123456789abcdefE"
	inCollector := func(t *testing.T, value uint64, looks provenance.ValueKind) *maker {
		m := inMesh(t).signal(unix.SIGSEGV, 1).stack("x", "mesh_reduction_check", "save", "mesh_main")
		m.c.Stacks[0].Frames[0].Symbol.Name = collector
		m.c.Frames[0] = FrameInfo{Kind: profile.KindRuntime, Part: profile.PartCollector, Readable: "ActorHeap::mark"}
		class := provenance.ClassUnmapped
		if value < nearNullLimit {
			class = provenance.ClassNearNull
		}
		return m.bad(class, value, looks).chain(load(0, heapAddr+0x80))
	}
	check(t, []causeTest{
		{"the handle that a call was given", func(t *testing.T) *maker {
			m := inCollector(t, 0x7f0000002010, provenance.LooksUnmapped)
			k := m.earlier(2, "mesh_pool_query")
			k.Prepared[0] = set(provenance.ArgLoaded, 0x7f0000002020)
			return m
		}, expected{id: idHandle, symbol: "save", extern: collector, atLeast: 0.6}},
		{"a number in the collector", func(t *testing.T) *maker {
			return inCollector(t, 3, provenance.LooksSmallInt)
		}, expected{id: idHandle, atMost: 0.79}},
		{"garbage in the collector is a damaged list", func(t *testing.T) *maker {
			return inCollector(t, 0x4141414141414141, provenance.LooksText)
		}, expected{id: idHeap, symbol: "save"}},
	})
}
