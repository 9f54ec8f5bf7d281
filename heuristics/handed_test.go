package heuristics

import (
	"strings"
	"testing"

	"meshdiag/provenance"
)

// A callback that the runtime kept is called long after the call that gave it: only the program's code shows who did.
func TestHandedOver(t *testing.T) {
	const get, post = "mesh_http_route_get", "mesh_http_route_post"
	call := func(m *maker, caller, extern string, bad bool, code, known [6]bool) Handover {
		e := m.c.Profile.Extern(extern)
		if e == nil {
			t.Fatalf("the profile does not know %s", extern)
		}
		h := Handover{Symbol: caller, Extern: e, Site: 0x401000, Arg: -1, Code: code, Known: known}
		if bad {
			h.Arg = 2
		}
		return h
	}
	third := [6]bool{2: true}
	for _, tt := range []struct {
		name           string
		calls          func(*maker) []Handover
		symbol, extern string
		most           float64
		title          string
	}{
		{"one function gives NULL where others give code", func(m *maker) []Handover {
			return []Handover{call(m, "build_router", get, true, [6]bool{}, third), call(m, "build_router", get, false, third, third)}
		}, "build_router", get, 1, "build_router gave mesh_http_route_get no function"},
		{"two functions do", func(m *maker) []Handover {
			return []Handover{call(m, "build_router", get, true, [6]bool{}, third), call(m, "more_routes", get, true, [6]bool{}, third),
				call(m, "build_router", get, false, third, third)}
		}, "", get, 0.97, "called a NULL function pointer"},
		{"NULL where nobody gives code", func(m *maker) []Handover {
			return []Handover{call(m, "build_router", get, true, [6]bool{}, third), call(m, "build_router", post, false, third, third)}
		}, "", "", 0.95, "called a NULL function pointer"},
		{"NULL beside code, where nobody gives code", func(m *maker) []Handover {
			return []Handover{call(m, "build_router", get, true, [6]bool{1: true}, [6]bool{1: true, 2: true})}
		}, "", "", 0.95, "called a NULL function pointer"},
		{"nobody gives NULL", func(m *maker) []Handover {
			return []Handover{call(m, "build_router", get, false, third, third)}
		}, "", "", 0.95, "called a NULL function pointer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := jump(segv(inMesh(t), "?", "mesh_rt::http::router::Router::dispatch", "start_thread@libc"), 0, provenance.ClassNull)
			m.chain(load(1, heapAddr))
			m.c.Fault.BranchInsn = "call r12"
			m.c.Handed = tt.calls(m)
			h := m.top()
			if h.ID != idDispatch || h.Kind != kindNullFunc || h.Confidence > tt.most || !strings.Contains(h.Title, tt.title) {
				t.Errorf("%s/%s %.2f: %s", h.ID, h.Kind, h.Confidence, h.Title)
			}
			if tt.symbol != "" && h.Blame.Symbol != tt.symbol || tt.symbol == "" && (h.Blame.Symbol == "build_router" || h.Blame.Symbol == "more_routes") ||
				tt.extern != "" && h.Blame.Extern != tt.extern {
				t.Errorf("blames %+v", h.Blame)
			}
		})
	}
}

// A call whose argument is not known may have given the value just as well.
func TestHandedOverUnknown(t *testing.T) {
	confidence := func(others int) float64 {
		m := jump(segv(inMesh(t), "?", "mesh_rt::ws::server::ws_connection_entry", "start_thread@libc"), 0x5020, provenance.ClassUnmapped)
		m.chain(load(1, heapAddr))
		e := m.c.Profile.Extern("mesh_ws_serve")
		m.c.Handed = []Handover{{Symbol: "start_services", Extern: e, Site: 0x401000, Arg: 2, Known: [6]bool{2: true}}}
		for i := range others {
			m.c.Handed = append(m.c.Handed, Handover{Symbol: "serve", Extern: e, Site: 0x402000 + uint64(i), Arg: -1})
		}
		h := m.top()
		if h.Blame.Symbol != "start_services" {
			t.Errorf("blames %+v", h.Blame)
		}
		return h.Confidence
	}
	if alone, doubtful := confidence(0), confidence(2); doubtful >= alone {
		t.Errorf("%.2f alone, %.2f beside calls that are not known", alone, doubtful)
	}
}

// A number that the program passes where a number belongs is not the one that was used as an address.
func TestHandedNumber(t *testing.T) {
	for arg, want := range map[int]string{0: "", 1: "handle_health"} { // mesh_http_response_new(i64, ptr)
		m := segv(inMesh(t), "mesh_rt::http::server::connection_handler_entry", "start_thread@libc").bad(provenance.ClassNearNull, 200, provenance.LooksSmallInt)
		m.chain(load(0, heapAddr))
		m.c.Handed = []Handover{{Symbol: "handle_health", Extern: m.c.Profile.Extern("mesh_http_response_new"), Site: 0x401000, Arg: arg, Known: [6]bool{true, true}}}
		if h := m.top(); h.ID != idABI || h.Blame.Symbol == "handle_health" != (want != "") {
			t.Errorf("in argument %d: %s blames %+v", arg, h.ID, h.Blame)
		}
	}
}
