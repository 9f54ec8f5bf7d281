package symbols

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/crash"
)

func mainOf(t *testing.T, s *Symbolizer) *Module {
	t.Helper()
	m, ok := s.Main()
	if !ok {
		t.Fatal("no main module")
	}
	return m
}

func topName(t *testing.T, s *Symbolizer, c *crash.Crash) string {
	t.Helper()
	sym, _, _ := s.Lookup(crash.PC(c.Threads[0].Regs.RIP))
	return sym.Name
}

// TestDeletedExecutable: the file is gone, yet the living process still has it.
func TestDeletedExecutable(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	c := runToFault(t, 0, exe, "null")
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	c.Mappings, _ = readMaps(c.Target.PID)
	s := New(c, Options{})
	if m := mainOf(t, s); m.Problem != "" || topName(t, s, c) != "leaf" {
		t.Errorf("live: problem %q, top %q", m.Problem, topName(t, s, c))
	}

	// The same seen in a core: only the path is left.
	c.Target.Source = crash.SourceCore
	s = New(c, Options{})
	m := mainOf(t, s)
	if !strings.Contains(m.Problem, "deleted or replaced") || !strings.Contains(m.Problem, "no such file") || m.BuildID == "" {
		t.Errorf("core: problem %q, build ID %q", m.Problem, m.BuildID)
	}
	// Unwind tables are in memory, so the stack is whole; only names are missing.
	st := s.Unwind(&c.Threads[0], nil, 0)
	if len(st.Frames) < 5 || st.Truncated != "" || st.Frames[1].Trust != TrustCFI || st.Frames[1].Symbol.Name == "middle" {
		dump(t, st)
		t.Error("the stack must be walked from memory, without the names of a file that is not there")
	}
}

// TestReplacedExecutable: another build stands at the path. Its names must not be used.
func TestReplacedExecutable(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	other := buildC(t, "victim.c", "-O2", "-pthread")
	c := runToFault(t, 0, exe, "null")
	right := New(c, Options{})
	id := mainOf(t, right).BuildID
	if err := os.Rename(other, exe); err != nil {
		t.Fatal(err)
	}
	c.Target.Source = crash.SourceCore // nothing but the path to go by
	s := New(c, Options{})
	m := mainOf(t, s)
	if m.BuildID != id || !strings.Contains(m.Problem, "its build ID is") || !strings.Contains(m.Problem, id) {
		t.Errorf("build ID %s, problem %q", m.BuildID, m.Problem)
	}
	if name := topName(t, s, c); name == "leaf" || name == "middle" {
		t.Errorf("named %s from the wrong file", name)
	}
	if _, known := s.CompareCode(c.Threads[0].Regs.RIP, 16); known {
		t.Error("code was compared with the wrong file")
	}
	// The right one can be pointed to.
	copyOf := filepath.Join(t.TempDir(), "copy")
	data, _ := os.ReadFile("/proc/" + itoa(c.Target.PID) + "/exe")
	if err := os.WriteFile(copyOf, data, 0o755); err != nil {
		t.Fatal(err)
	}
	s = New(c, Options{Exe: copyOf})
	if m := mainOf(t, s); m.Problem != "" || !m.Verified || topName(t, s, c) != "leaf" {
		t.Errorf("with --exe: problem %q, top %q", m.Problem, topName(t, s, c))
	}
}

// coreLike hides the read-only file pages of a process, as a core with the default filter does.
type coreLike struct {
	c   *crash.Crash
	all crash.Memory
}

func (m coreLike) ReadMemory(buf []byte, addr uint64) (int, error) {
	if mp, ok := m.c.MappingAt(addr); ok && mp.Perms&crash.Write == 0 && mp.Path != "[vdso]" {
		return 0, &crash.UnreadableError{Addr: addr, Reason: "not in the core"}
	}
	return m.all.ReadMemory(buf, addr)
}

// TestCoreWithoutText: neither ELF headers nor code in memory; file and mappings must fit, and say so.
func TestCoreWithoutText(t *testing.T) {
	exe := buildC(t, "victim.c", "-O1", "-fno-optimize-sibling-calls", "-pthread")
	c := runToFault(t, 0, exe, "null")
	c.Memory = coreLike{c, c.Memory}
	c.Target.Source = crash.SourceCore
	s := New(c, Options{})
	m := mainOf(t, s)
	if m.Problem != "" || m.Verified || m.BiasAssumed {
		t.Errorf("problem %q, verified %v, bias assumed %v", m.Problem, m.Verified, m.BiasAssumed)
	}
	st := s.Unwind(&c.Threads[0], nil, 0)
	if got := strings.Join(untilOwn(names(st), "main"), " "); got != "leaf middle outer main" || st.Truncated != "" {
		dump(t, st)
		t.Errorf("stack is %s", got)
	}
	pc := c.Threads[0].Regs.RIP
	if b, source, err := s.Code(pc, 8); err != nil || source != CodeFromFile || len(b) != 8 {
		t.Errorf("code: %x from %q, %v", b, source, err)
	}
	if _, known := s.CompareCode(pc, 8); known {
		t.Error("memory that was not kept cannot be compared")
	}
}

// TestPatchedCode: memory differs from the file, and that is a finding.
func TestPatchedCode(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	c := runToFault(t, 0, exe, "null")
	pc := c.Threads[0].Regs.RIP
	if differs, known := New(c, Options{}).CompareCode(pc, 32); differs || !known {
		t.Fatalf("untouched code: differs %v, known %v", differs, known)
	}
	page := make([]byte, 4096)
	_, _ = c.Memory.ReadMemory(page, pc&^4095)
	page[pc&4095] ^= 0xff
	c.Memory = crash.Layers{crash.Pages{pc &^ 4095: page}, c.Memory}
	if differs, known := New(c, Options{}).CompareCode(pc, 32); !differs || !known {
		t.Errorf("patched code: differs %v, known %v", differs, known)
	}
}

func TestModuleRanges(t *testing.T) {
	exe := buildC(t, "data.c", "-O0")
	c := runToFault(t, 0, exe)
	s := New(c, Options{})
	m := mainOf(t, s)
	for name, isData := range map[string]bool{"zeroed": true, "filled": true, "main": false} {
		sym, in, ok := s.Find(name)
		if !ok || in != m || sym.IsData != isData {
			t.Fatalf("%s: %+v %v", name, sym, ok)
		}
		if at, ok := s.ModuleAt(sym.Start + sym.Size - 1); !ok || at != m {
			t.Errorf("%s lies in no module", name)
		}
	}
	zeroed, _, _ := s.Find("zeroed")
	if sym, _, ok := s.LookupData(zeroed.Start + 100000); !ok || sym.Name != "zeroed" {
		t.Errorf("inside zeroed: %+v %v", sym, ok)
	}
	if _, _, ok := s.Find("no_such_symbol"); ok {
		t.Error("found a symbol that is not there")
	}
	if _, ok := s.ModuleAt(0); ok {
		t.Error("NULL lies in a module")
	}
}

// TestSeparateDebugInfo: names and lines from a file that the stripped program points to.
func TestSeparateDebugInfo(t *testing.T) {
	for _, way := range []string{"debuglink", "build-id"} {
		t.Run(way, func(t *testing.T) {
			exe := buildC(t, "victim.c", "-O0", "-g", "-pthread")
			debug := exe + ".debug"
			run(t, "objcopy", "--only-keep-debug", exe, debug)
			run(t, "strip", exe)
			var o Options
			if way == "debuglink" {
				run(t, "objcopy", "--add-gnu-debuglink="+debug, exe)
			} else {
				f, err := openELF(exe)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				o.DebugDirs = []string{dir}
				to := filepath.Join(dir, ".build-id", f.id[:2], f.id[2:]+".debug")
				f.close()
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(debug, to); err != nil {
					t.Fatal(err)
				}
			}
			c := runToFault(t, 0, exe, "null")
			s := New(c, o)
			st := s.Unwind(&c.Threads[0], nil, 0)
			s.Describe(&st)
			f := st.Frames[1]
			if f.Symbol.Name != "middle" || f.Symbol.Source != FromDebug || len(f.Inlined) != 1 || f.Inlined[0].Line == 0 ||
				filepath.Base(f.Inlined[0].File) != "victim.c" {
				t.Errorf("frame 1: %+v %+v", f.Symbol, f.Inlined)
			}
		})
	}
}

// TestStripped: without any symbols a static function is not named after its neighbour.
func TestStripped(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread", "-rdynamic")
	run(t, "strip", exe)
	c := runToFault(t, 0, exe, "null")
	s := New(c, Options{})
	if name := topName(t, s, c); name != "leaf" {
		t.Errorf("exported leaf is called %q", name)
	}
	bare := buildC(t, "victim.c", "-O0", "-pthread")
	run(t, "strip", bare)
	c = runToFault(t, 0, bare, "null")
	s = New(c, Options{})
	if name := topName(t, s, c); name != "" {
		t.Errorf("a function without a name is called %q", name)
	}
	if lo, hi, how, ok := s.FuncRange(c.Threads[0].Regs.RIP); !ok || how != "fde" || hi-lo < 10 || hi-lo > 200 {
		t.Errorf("its range is %#x-%#x by %q", lo, hi, how)
	}
}

func run(t *testing.T, argv ...string) {
	t.Helper()
	if b, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, b)
	}
}

// TestFileCutShort: the file loses its end while it is mapped. Names go, the process must not.
func TestFileCutShort(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-g", "-pthread")
	s, _ := fileModule(t, exe)
	main, _, _ := s.Find("main")
	s, m := fileModule(t, exe) // anew: what was read before would still be known
	if err := os.Truncate(exe, 4096); err != nil {
		t.Fatal(err)
	}
	if sym, _, ok := s.Lookup(crash.PC(main.Start)); ok {
		t.Errorf("named %s from a part that is gone", sym.Name)
	}
	if !strings.Contains(m.Problem, "damaged") {
		t.Errorf("problem is %q", m.Problem)
	}
	s.Lines(crash.PC(main.Start))
	s.Unwind(&crash.Thread{RegsOK: true, Regs: crash.Regs{RIP: main.Start}}, nil, 0)
}
