package heuristics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/startup"
	"meshdiag/symbols"
	"meshdiag/waits"
)

// maker builds a Case by hand. Frame i stands at codeBase+i*frameStep; its function starts at the round address and the
// call that it is in ends 0x20 bytes further.
type maker struct {
	t *testing.T
	c Case
	r fakeReader
}

const (
	codeBase  = 0x401000
	frameStep = 0x100
	frameAt   = 0x20
	callSize  = 5
	exePath   = "/srv/app"
	pid       = 4711
	heapAddr  = 0x555555600000
)

// fakeReader classifies by table and by address ranges.
type fakeReader struct {
	kinds map[uint64]provenance.ValueKind
	mem   map[uint64]uint64
}

func (r fakeReader) Classify(v uint64) provenance.ValueInfo {
	k, ok := r.kinds[v]
	switch {
	case ok:
	case v == 0:
		k = provenance.LooksNull
	case v < nearNullLimit:
		k = provenance.LooksSmallInt
	case v >= heapAddr && v < heapAddr+1<<20:
		k = provenance.LooksHeap
	default:
		k = provenance.LooksUnmapped
	}
	return provenance.ValueInfo{Kind: k, Text: string(k)}
}

func (r fakeReader) ReadUint(addr uint64, _ int) (uint64, error) {
	if v, ok := r.mem[addr]; ok {
		return v, nil
	}
	return 0, errors.New("not readable")
}

func newCase(t *testing.T, prof string) *maker {
	t.Helper()
	m := &maker{t: t, r: fakeReader{map[uint64]provenance.ValueKind{}, map[uint64]uint64{}}}
	p, err := profile.Load(prof)
	if err != nil {
		t.Fatal(err)
	}
	m.c = Case{Profile: p, Reader: m.r, Callees: map[uint64]provenance.Callee{}, Startup: startup.Timeline{Last: -1}}
	m.c.Crash = &crash.Crash{Focus: -1, Memory: crash.NoMemory{}, Target: crash.Target{Path: "./app", ExePath: exePath, PID: pid}}
	return m
}

// inMesh is a case with the embedded profile, plain one without any.
func inMesh(t *testing.T) *maker { return newCase(t, "mesh") }
func plain(t *testing.T) *maker  { return newCase(t, profile.None) }

func (m *maker) signal(n unix.Signal, code int) *maker {
	s := &crash.Signal{Number: int(n), Code: code}
	m.c.Crash.Outcome = crash.Outcome{End: crash.EndSignal, Signal: s}
	m.thread(s)
	return m
}

func (m *maker) thread(s *crash.Signal) {
	m.c.Crash.Threads = []crash.Thread{{TID: pid, RegsOK: true, Signal: s, State: "t"}}
	m.c.Crash.Focus = 0
	m.c.Stacks = []symbols.Stack{{}}
}

func (m *maker) exit(code int) *maker {
	m.c.Crash.Outcome = crash.Outcome{End: crash.EndExit, ExitCode: code}
	return m
}

// ring makes the first thread wait for itself.
func (m *maker) ring(sure bool) *maker {
	m.c.Waits = &waits.Graph{
		Waits:  []waits.Wait{{Kind: waits.Lock, Call: "futex", Holders: []waits.Holder{{Sure: sure, Why: "it says so"}}}},
		Cycles: []waits.Cycle{{Threads: []int{0}, Proven: sure}},
	}
	return m
}

func (m *maker) stalled() *maker {
	m.c.Crash.Outcome = crash.Outcome{End: crash.EndStalled}
	m.thread(nil)
	return m
}

// stack names the focus thread's frames, innermost first. "name@libc" lies in libc, "name@scan" was found by a scan,
// "?" has no symbol and no module.
func (m *maker) stack(names ...string) *maker {
	frames, infos := m.frames(names)
	m.c.Stacks[0].Frames, m.c.Frames = frames, infos
	return m
}

func (m *maker) frames(names []string) ([]symbols.Frame, []FrameInfo) {
	exe := &symbols.Module{Path: exePath, Main: true}
	libc := &symbols.Module{Path: "/lib/x86_64-linux-gnu/libc.so.6"}
	var frames []symbols.Frame
	var infos []FrameInfo
	for i, n := range names {
		name, where, _ := strings.Cut(n, "@")
		f := symbols.Frame{Index: i, Module: exe, Trust: symbols.TrustCFI, Demangled: name,
			Symbol: symbols.Symbol{Name: name, Start: entry(i), Size: frameStep}}
		f.Code = crash.ReturnAddress(entry(i) + frameAt)
		if i == 0 {
			f.Code, f.Trust = crash.PC(entry(0)+frameAt), symbols.TrustContext
		}
		switch {
		case where == "libc":
			f.Module = libc
		case where == "scan":
			f.Trust = symbols.TrustScan
		case name == "?":
			f.Module, f.Symbol, f.Demangled = nil, symbols.Symbol{}, ""
		}
		path := ""
		if f.Module != nil {
			path = f.Module.Path
		}
		k := m.c.Profile.Classify(f.Symbol.Name, f.Demangled, path, f.Module == exe)
		frames = append(frames, f)
		infos = append(infos, FrameInfo{Kind: k.Kind, Part: k.Part, Readable: k.Readable, Rule: k.Rule,
			Extern: m.c.Profile.Extern(f.Symbol.Name)})
	}
	return frames, infos
}

func entry(frame int) uint64 { return codeBase + uint64(frame)*frameStep }

// siteOf is the address of the call that a frame is in.
func siteOf(frame int) uint64 { return entry(frame) + frameAt - callSize }

// bad sets the fault: a read through a register with that value.
func (m *maker) bad(class provenance.Class, value uint64, looks provenance.ValueKind) *maker {
	text := string(looks)
	if value == 0 {
		text = "NULL"
	}
	m.c.Fault = &provenance.Fault{Access: provenance.AccessRead, Class: class, PC: entry(0) + frameAt, Insn: "mov rax, qword ptr [rdi]",
		Operand: "qword ptr [rdi]", Register: "rdi", Value: value, ValueOK: true, Address: value, AddressOK: true, Looks: looks, Describe: text}
	return m
}

func (m *maker) null() *maker { return m.bad(provenance.ClassNull, 0, provenance.LooksNull) }

func (m *maker) chain(steps ...provenance.Step) *maker {
	all := append([]provenance.Step{{Kind: provenance.StepFault, Tier: provenance.Certain, Arg: -1}}, steps...)
	for i := range all {
		s := &all[i]
		if s.Tier == "" {
			s.Tier = provenance.Certain
		}
		if s.Symbol == "" && s.Frame < len(m.c.Stacks[0].Frames) {
			s.Symbol = m.c.Stacks[0].Frames[s.Frame].Symbol.Name
		}
	}
	m.c.Chain = &provenance.Chain{Steps: all, Origin: all[len(all)-1].Kind, Tier: provenance.Certain}
	return m
}

func arg(frame, n int) provenance.Step {
	return provenance.Step{Kind: provenance.StepArg, Frame: frame, Arg: n}
}

func returned(frame int, callee string) provenance.Step {
	return provenance.Step{Kind: provenance.StepReturn, Frame: frame, Callee: callee, Reg: "rax", Arg: -1, Addr: entry(frame) + 8}
}

func constant(frame int, value uint64) provenance.Step {
	return provenance.Step{Kind: provenance.StepConst, Frame: frame, Value: value, ValueOK: true, Arg: -1}
}

func load(frame int, mem uint64) provenance.Step {
	return provenance.Step{Kind: provenance.StepLoad, Frame: frame, Mem: mem, MemOK: true, Arg: -1}
}

func origin(kind provenance.StepKind, frame int) provenance.Step {
	return provenance.Step{Kind: kind, Frame: frame, Arg: -1}
}

// call is the active call in a caller's frame, with the arguments that it sets.
func (m *maker) call(frame int, args ...provenance.ArgUse) *provenance.Call {
	k := provenance.Call{Frame: frame, Site: siteOf(frame), Insn: "call f", Target: entry(frame - 1)}
	if st := m.c.Stacks[0].Frames; frame > 0 && frame-1 < len(st) {
		k.Callee = st[frame-1].Symbol.Name
	}
	copy(k.Prepared[:], args)
	m.c.Calls = append(m.c.Calls, k)
	return &m.c.Calls[len(m.c.Calls)-1]
}

// earlier is a call that a frame made before and that has returned.
func (m *maker) earlier(frame int, callee string) *provenance.Call {
	m.c.Calls = append(m.c.Calls, provenance.Call{Frame: frame, Site: entry(frame) + 8, Insn: "call " + callee, Callee: callee,
		Target: 0x500000 + uint64(len(m.c.Calls))*frameStep, RetKnown: true})
	return &m.c.Calls[len(m.c.Calls)-1]
}

// callee describes the code of a function by its symbol.
func (m *maker) callee(target uint64, f provenance.Callee) *maker {
	f.Known = true
	m.c.Callees[target] = f
	return m
}

func set(kind provenance.ArgKind, v uint64) provenance.ArgUse {
	return provenance.ArgUse{Set: true, Kind: kind, Value: v, ValueOK: true, Width: 8}
}

var (
	unset  = provenance.ArgUse{}
	goodPt = set(provenance.ArgGlobal, heapAddr+0x40)
	deref  = provenance.ParamUse{Read: true, Width: 8, Deref: true}
	plainR = provenance.ParamUse{Read: true, Width: 8}
)

func reads(uses ...provenance.ParamUse) provenance.Callee {
	var f provenance.Callee
	copy(f.Reads[:], uses)
	return f
}

// say prints lines: they are read by the profile's rules, as package startup does.
func (m *maker) say(lines ...string) *maker {
	for i, l := range lines {
		at := time.Duration(i) * time.Millisecond
		m.c.Crash.Output.Lines = append(m.c.Crash.Output.Lines, crash.OutputLine{At: at, Stream: crash.Stderr, Text: l, Whole: true})
		got, ok := m.c.Profile.Match(l, string(crash.Stderr))
		if !ok {
			continue
		}
		r := got.Rule
		m.c.Messages = append(m.c.Messages, startup.Message{Rule: r.ID, Meaning: r.Meaning, Cause: r.Cause, Kind: r.Kind, Fatal: r.Fatal,
			Text: got.Text, Groups: got.Groups, Next: r.Next, Line: startup.Line{At: at, Text: l}})
	}
	m.c.Crash.Output.Observed = true
	return m
}

func (m *maker) panics(p PanicSite) *maker {
	m.c.Panics = append(m.c.Panics, p)
	return m
}

func (m *maker) run() Diagnosis {
	m.t.Helper()
	d := Run(&m.c)
	if len(d.Failed) > 0 {
		m.t.Fatalf("heuristics panicked: %v", d.Failed)
	}
	return d
}

// top is the first cause; a test fails when there is none.
func (m *maker) top() Hypothesis {
	m.t.Helper()
	d := m.run()
	if len(d.Causes) == 0 {
		m.t.Fatal("no causes")
	}
	return d.Causes[0]
}

// jump makes the fault one of a branch that went to addr.
func jump(m *maker, addr uint64, class provenance.Class) *maker {
	m.bad(class, addr, provenance.LooksNull)
	m.c.Fault.Access, m.c.Fault.BranchBad, m.c.Fault.PC = provenance.AccessExecute, true, addr
	return m
}
