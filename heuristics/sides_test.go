package heuristics

import (
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/profile"
	"meshdiag/provenance"
)

// What caller and callee show of each other: results that are no addresses, environments that are no elements, frames
// that a tail call took away.
func TestTwoSides(t *testing.T) {
	check(t, []causeTest{
		{"a result that is a byte on some ways out", func(t *testing.T) *maker {
			ret := returned(0, "Storage__lookup")
			ret.CalleeAddr = 0x600000
			m := segv(inMesh(t), "find_user", "mesh_main").null().chain(ret)
			m.c.Chain.Returned = []provenance.Step{
				{Kind: provenance.StepArith, Frame: -1, Symbol: "Storage__lookup", Insn: "mov al, 0x1"},
				{Kind: provenance.StepConst, Frame: -1, Symbol: "Storage__lookup", Insn: "xor eax, eax"}}
			return m.callee(0x600000, provenance.Callee{Symbol: "Storage__lookup", Returns: 8, ReturnsConst: true})
		}, expected{id: idABI, kind: kindAggAsPtr, symbol: "find_user"}},
		{"a runtime function that returns its result's tag", func(t *testing.T) *maker {
			ret := returned(0, "mesh_pool_open")
			ret.CalleeAddr = 0x600000
			m := segv(inMesh(t), "connect", "mesh_main").null().chain(ret)
			return m.callee(0x600000, provenance.Callee{Symbol: "mesh_pool_open", Returns: 4})
		}, expected{id: idABI, kind: kindAggAsPtr, symbol: "connect", extern: "mesh_pool_open"}},
		{"a NULL that the program's own callee passes on", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_length", "show", "mesh_main").null().chain(arg(0, 0), returned(1, "name_of"))
			m.c.Chain.Returned = []provenance.Step{{Kind: provenance.StepReturn, Frame: -1, Symbol: "name_of", Callee: "mesh_map_get", Tier: provenance.Certain}}
			return m
		}, expected{id: idNull, kind: kindMissingKey, symbol: "name_of", extern: "mesh_map_get", atLeast: 0.8}},
		{"half an address out of a function that has returned", func(t *testing.T) *maker {
			m := segv(inMesh(t), "show", "mesh_main").bad(provenance.ClassUnmapped, 0x55600040, provenance.LooksTruncated).chain(returned(0, "name_of"))
			m.c.Chain.Returned = []provenance.Step{{Kind: provenance.StepLoad, Frame: -1, Symbol: "name_of", Insn: "mov eax, dword ptr [rax+0x10]", Reg: "[rax+0x10]"}}
			return m
		}, expected{id: idABI, kind: kindTruncated, symbol: "name_of", atLeast: 0.8}},
		{"a number out of a field", func(t *testing.T) *maker {
			m := segv(inMesh(t), "show", "mesh_main").bad(provenance.ClassNearNull, 8, provenance.LooksSmallInt).chain(returned(0, "name_of"))
			m.c.Chain.Returned = []provenance.Step{{Kind: provenance.StepLoad, Frame: -1, Symbol: "name_of", Insn: "mov rax, qword ptr [rax+0x8]", Reg: "[rax+0x8]"}}
			return m
		}, expected{id: idABI, symbol: "name_of"}},
		{"the environment is walked as an element", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_map_get", "rows__closure_1", "mesh_list_map", "show_rows", "mesh_main")
			m.bad(provenance.ClassPastEnd, 0xef0, provenance.LooksSmallInt)
			m.c.Fault.BaseOK = true
			env := set(provenance.ArgParam, heapAddr+0x80)
			m.call(1, env, goodPt)
			m.call(2, goodPt, env).Indirect = true
			m.call(3, goodPt, set(provenance.ArgGlobal, entry(1)), set(provenance.ArgReturn, heapAddr+0x80))
			return m.callee(entry(1), provenance.Callee{Lo: entry(1), Reads: reads(deref, plainR).Reads})
		}, expected{id: idABI, kind: kindCallback, symbol: "rows__closure_1", extern: "mesh_list_map"}},
		{"a walk over an end in the runtime", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_map_get", "show_rows", "mesh_main").bad(provenance.ClassPastEnd, 0xef0, provenance.LooksSmallInt)
			m.c.Fault.BaseOK, m.c.Fault.Region = true, "1 byte behind the end of the heap"
			m.call(1, goodPt, goodPt)
			return m
		}, expected{id: idWild, symbol: "show_rows", atMost: 0.79}},
		{"a function whose frame a tail call took away", func(t *testing.T) *maker {
			m := segv(inMesh(t), "mesh_string_concat", "mesh_list_map", "show_rows", "mesh_main").null()
			k := m.call(1, goodPt, unset)
			k.Indirect, k.Callee, k.Target = true, "rows__closure_1", 0x700000
			return m
		}, expected{id: idNull, symbol: "rows__closure_1"}},
		{"a pointer to a local is no hidden result", func(t *testing.T) *maker {
			out := provenance.Step{Kind: provenance.StepOut, Frame: 1, Callee: "set_tag", Symbol: "main", Addr: entry(1) + 8, Arg: -1}
			m := plain(t).signal(unix.SIGSEGV, 0x80).stack("read_box", "main").bad(provenance.ClassNonCanonical, 0x2e7372657474656c, provenance.LooksText)
			m.chain(load(0, 0x7fff3ad05c78), out)
			k := m.earlier(1, "set_tag")
			k.SRet, k.Site = true, out.Addr
			k.Prepared[0] = set(provenance.ArgStack, 0x7fff3ad05c78)
			return m.callee(k.Target, provenance.Callee{Symbol: "set_tag"})
		}, expected{id: idWild}},
		{"a crossing inside the runtime says nothing about arguments", func(t *testing.T) *maker {
			m := segv(inMesh(t), "_ZN7mesh_rt3map8position17h0123456789abcdefE", "mesh_map_get", "show", "mesh_main")
			m.bad(provenance.ClassUnmapped, 0x7a3f00, provenance.LooksUnmapped).chain(arg(0, 1), origin(provenance.StepUninit, 1))
			m.call(1, goodPt, unset)
			m.call(2, goodPt, goodPt)
			return m.callee(entry(0), reads(deref, deref))
		}, expected{id: idWild, atMost: 0.79}},
	})
}

// A collector that takes a number for an object reads the header before it; one whose list was overwritten follows it.
func TestHandleAgainstDamagedList(t *testing.T) {
	in := func(t *testing.T, insn string, offset int64) *maker {
		m := segv(inMesh(t), "x", "mesh_reduction_check", "save", "mesh_main").bad(provenance.ClassNearNull, 3, provenance.LooksSmallInt)
		m.c.Frames[0] = FrameInfo{Kind: profile.KindRuntime, Part: profile.PartCollector, Readable: "collect"}
		m.c.Fault.Insn, m.c.Fault.Register, m.c.Fault.Offset = insn, "r13", offset
		return m
	}
	check(t, []causeTest{
		{"header", func(t *testing.T) *maker { return in(t, "movzx eax, byte ptr [r13-0xc]", -12) }, expected{id: idHandle}},
		{"list", func(t *testing.T) *maker { return in(t, "mov r13, qword ptr [r13+0x8]", 8) }, expected{id: idHeap}},
	})
}

func TestSetsByte(t *testing.T) {
	for insn, want := range map[string]bool{"mov al, 0x1": true, "mov byte ptr [rsp+0x10], cl": true, "sete dl": true,
		"mov eax, 0x1": false, "mov rax, qword ptr [rdi]": false, "ret": false, "": false} {
		if got := setsByte(insn); got != want {
			t.Errorf("%q: %v", insn, got)
		}
	}
}

func TestDisplaced(t *testing.T) {
	tests := []struct {
		operand, reg string
		off          int64
		ok           bool
	}{
		{"[rax+0x10]", "rax", 16, true}, {"[rbp-0x8]", "rbp", -8, true}, {"[rdi]", "rdi", 0, true}, {"qword ptr [rax+0x8]", "rax", 8, true},
		{"[r13+rbx*8+0x10]", "r13", 0, false}, {"rax", "", 0, false}, {"", "", 0, false}, {"[]", "", 0, false},
	}
	for _, tt := range tests {
		reg, off, ok := displaced(tt.operand)
		if ok != tt.ok || ok && (reg != tt.reg || off != tt.off) {
			t.Errorf("%q: %q %d %v", tt.operand, reg, off, ok)
		}
	}
}
