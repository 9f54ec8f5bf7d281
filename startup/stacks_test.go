package startup

import (
	"slices"
	"testing"

	"meshdiag/crash"
	"meshdiag/provenance/insn"
	"meshdiag/symbols"
)

// afterCall is the return address of the nth call of callee in function, n from 0.
func afterCall(t *testing.T, sym *symbols.Symbolizer, function, callee string, n int) uint64 {
	t.Helper()
	s, _, ok := sym.Find(function)
	if !ok {
		t.Fatalf("no %s", function)
	}
	lo, hi, _, _ := sym.FuncRange(s.Start)
	code, _, err := sym.Code(lo, int(hi-lo))
	if err != nil {
		t.Fatal(err)
	}
	to, _, _ := sym.Find(callee)
	for off := 0; off < len(code); {
		in, err := insn.Decode(code[off:], lo+uint64(off))
		if err != nil {
			t.Fatal(err)
		}
		off += in.Len
		if in.Flow == insn.FlowCall && in.Target == to.Start {
			if n--; n < 0 {
				return lo + uint64(off)
			}
		}
	}
	t.Fatalf("%s does not call %s so often", function, callee)
	return 0
}

// A core has no output: the place in the entry function tells how far it was.
func TestPhaseFromTheStack(t *testing.T) {
	exe := compile(t, meshProgram, "gcc", append(wording(nil), "-O0")...)
	c, sym := mapped(t, exe)
	defer sym.Close()
	c.Output = crash.Output{}
	c.Threads = []crash.Thread{{TID: 100}}
	frame := func(function, callee string, n int) symbols.Frame {
		s, m, _ := sym.Find(function)
		return symbols.Frame{Symbol: s, Module: m, Trust: symbols.TrustCFI, Code: crash.ReturnAddress(afterCall(t, sym, function, callee, n))}
	}
	main := frame("mesh_main", "start_services", 0)
	tests := []struct {
		name   string
		frames []symbols.Frame
		last   string
	}{
		{"connecting", []symbols.Frame{frame("mesh_main", "mesh_pool_open", 0)}, "connecting"},
		{"before the first", []symbols.Frame{frame("mesh_main", "mesh_println", 0)}, ""},
		{"in the function below", []symbols.Frame{frame("start_services", "__service_projectservice_start", 0), main}, "org-service"},
		{"at its start", []symbols.Frame{frame("start_services", "mesh_println", 0), main}, "connecting"},
		{"printing a message is not having printed it", []symbols.Frame{frame("start_services", "__service_orgservice_start", 0), main}, "partitions"},
		{"serving", []symbols.Frame{frame("start_services", "mesh_http_serve", 0), main}, "http"},
		{"only the outer function is known", []symbols.Frame{main}, "connecting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := Read(c, sym, load(t, "mesh"), []symbols.Stack{{Frames: tt.frames}})
			last := ""
			if got.Last >= 0 {
				last = got.Steps[got.Last].ID
			}
			if last != tt.last || got.From != "stack" {
				t.Errorf("%q from %q, want %q (%s)", last, got.From, tt.last, got.Why)
			}
			if slices.ContainsFunc(got.Steps, func(s Step) bool { return s.Seen }) {
				t.Error("nothing was seen")
			}
		})
	}
	scanned := main
	scanned.Trust = symbols.TrustScan
	if got, _ := Read(c, sym, load(t, "mesh"), []symbols.Stack{{Frames: []symbols.Frame{scanned}}}); got.From != "" || got.Last != -1 || got.Why == "" {
		t.Errorf("a scanned frame dates nothing: %+v", got)
	}
}
