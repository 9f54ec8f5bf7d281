package symbols

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"meshdiag/crash"
)

func itoa(n int) string { return strconv.Itoa(n) }

// nmFunctions lists what nm calls code, by address.
func nmFunctions(t *testing.T, exe string, args ...string) map[uint64][]string {
	t.Helper()
	out, err := exec.Command("nm", append(args, "--defined-only", exe)...).Output()
	if err != nil {
		t.Skip("no nm")
	}
	all := make(map[uint64][]string)
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) != 3 || !strings.Contains("tTwWiu", f[1]) {
			continue
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err == nil {
			name, _, _ := strings.Cut(f[2], "@")
			all[addr] = append(all[addr], name)
		}
	}
	return all
}

// TestNamesLikeNM looks up the start and the second byte of every function of a Rust program and of the C library, and
// finds each by name.
func TestNamesLikeNM(t *testing.T) {
	for path, args := range map[string][]string{buildCoro(t, "debug"): nil, systemLibrary(t, "libc.so.6"): {"-D"}} {
		s, m := fileModule(t, path)
		m.debugTried = true // nm looks into this file only
		all := nmFunctions(t, path, args...)
		bad := 0
		for addr, want := range all {
			sym, _, ok := s.Lookup(crash.PC(addr))
			// An entry point inside a sized function goes by the function's name.
			inside := ok && addr > sym.Start && addr < sym.Start+sym.Size
			if !ok || !inside && (!slices.Contains(want, sym.Name) || sym.Start != addr) {
				if bad++; bad < 5 {
					t.Errorf("%#x is %+v, should be one of %v", addr, sym, want)
				}
			}
			if found, _, ok := s.Find(want[0]); !ok || !slices.Contains(all[found.Start], want[0]) {
				if bad++; bad < 5 {
					t.Errorf("%s found at %#x, should be %#x", want[0], found.Start, addr)
				}
			}
		}
		if len(all) < 500 {
			t.Errorf("nm shows only %d functions in %s", len(all), path)
		}
	}
}

// TestReturnAddressBelongsToTheCaller: a call that never returns stands at its function's very end.
func TestReturnAddressBelongsToTheCaller(t *testing.T) {
	exe := buildC(t, "victim.c", "-O2", "-pthread")
	s, _ := fileModule(t, exe)
	sym, _, _ := s.Find("aborts")
	end := sym.Start + sym.Size
	if got, _, ok := s.Lookup(crash.ReturnAddress(end)); !ok || got.Name != "aborts" {
		t.Errorf("the return address at its end is in %q", got.Name)
	}
	if got, _, _ := s.Lookup(crash.PC(end)); got.Name == "aborts" {
		t.Errorf("the pc behind its end is in %q", got.Name)
	}
}

func TestFileSymbols(t *testing.T) {
	exe := buildC(t, "victim.c", "-O2", "-pthread")
	var want uint64
	for addr, list := range nmFunctions(t, exe) {
		if slices.Contains(list, "smashes") {
			want = addr
		}
	}
	got, err := FileSymbols(exe, []string{"smashes", "not_there", "sink"})
	if err != nil || !maps.Equal(got, map[string]uint64{"smashes": want}) {
		t.Errorf("got %#x, want smashes at %#x; %v", got, want, err)
	}
	libc := systemLibrary(t, "libc.so.6")
	if got, err := FileSymbols(libc, []string{"abort", "qsort"}); err != nil || len(got) != 2 {
		t.Errorf("libc: %v %v", got, err)
	}
	got, err = FileSymbols(buildCoro(t, "debug"), []string{"*4core9panicking9panic_fmt", "not_there"})
	if err != nil || len(got) != 1 {
		t.Errorf("rust: %v %v", got, err)
	}
	if _, err := FileSymbols("names_test.go", []string{"x"}); err == nil || !strings.Contains(err.Error(), "not an ELF file") {
		t.Errorf("a text file gives %v", err)
	}
	if _, err := FileSymbols("/nonexistent", nil); err == nil {
		t.Error("a missing file gives no error")
	}
}

// TestLinkerStubs names the PLT stubs and GOT slots of programs linked in different ways.
func TestLinkerStubs(t *testing.T) {
	for _, flags := range [][]string{
		{"-O1"}, {"-O1", "-no-pie"}, {"-O1", "-Wl,-z,lazy"}, {"-O1", "-fcf-protection=full", "-Wl,-z,ibtplt"},
		{"-O1", "-fno-plt"}, {"-O1", "-fuse-ld=gold"},
	} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			exe := buildC(t, "data.c", append(flags, "-fno-builtin")...)
			c := runToFault(t, 0, exe)
			s := New(c, Options{})
			want := map[string]bool{"puts": true, "malloc": true, "strcpy": true, "strlen": true}
			for _, name := range calledNames(t, s) {
				delete(want, name)
			}
			if len(want) > 0 {
				t.Errorf("calls not named: %v", want)
			}
		})
	}
}

// calledNames decodes the calls of main, the slow way: every e8 or ff 15 in its code.
func calledNames(t *testing.T, s *Symbolizer) []string {
	t.Helper()
	sym, _, ok := s.Find("main")
	if !ok {
		t.Fatal("no main")
	}
	code, _, err := s.Code(sym.Start, int(sym.Size))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := 0; i+6 <= len(code); i++ {
		rel := func(at int) uint64 {
			c := cursor{buf: code, off: i + at}
			return uint64(int64(int32(c.u32())))
		}
		if code[i] == 0xe8 {
			target := sym.Start + uint64(i) + 5 + rel(1)
			if name, ok := s.PLTName(target); ok {
				if got, _, _ := s.Lookup(crash.PC(target)); got.Name != name+"@plt" || got.Source != FromPLT {
					t.Errorf("the stub of %s is called %q", name, got.Name)
				}
				if lo, _, how, _ := s.FuncRange(target + 1); lo != target || how != "plt" {
					t.Errorf("the stub of %s starts at %#x by %q, not at %#x", name, lo, how, target)
				}
				out = append(out, name)
			}
		}
		if code[i] == 0xff && code[i+1] == 0x15 {
			if name, ok := s.GOTName(sym.Start + uint64(i) + 6 + rel(2)); ok {
				out = append(out, name)
			}
		}
	}
	if _, ok := s.PLTName(sym.Start); ok {
		t.Error("main is called a stub")
	}
	return out
}

func TestUndefinedSymbols(t *testing.T) {
	for _, flags := range [][]string{{"-O0"}, {"-O0", "-no-pie"}} {
		s, m := fileModule(t, buildC(t, "data.c", flags...))
		weak := make(map[string]bool)
		for _, sym := range s.UndefinedSymbols(m) {
			if sym.Start != 0 {
				t.Errorf("%s has an address", sym.Name)
			}
			if _, twice := weak[sym.Name]; twice {
				t.Errorf("%s is listed twice", sym.Name)
			}
			weak[sym.Name] = sym.Weak
		}
		if isWeak, ok := weak["nobody_defines"]; !ok || !isWeak {
			t.Errorf("%v: nobody_defines is missing or not weak", flags)
		}
		if isWeak, ok := weak["puts"]; !ok || isWeak {
			t.Errorf("%v: puts is missing or weak", flags)
		}
		if _, ok := weak["main"]; ok {
			t.Error("main is called undefined")
		}
	}
}

func TestEachSymbol(t *testing.T) {
	exe := buildC(t, "data.c", "-O0")
	s, m := fileModule(t, exe)
	seen := make(map[string]bool)
	s.EachSymbol(m, func(sym Symbol) bool { seen[sym.Name] = sym.IsData; return true })
	if isData, ok := seen["main"]; !ok || isData {
		t.Error("main is missing or data")
	}
	if isData, ok := seen["filled"]; !ok || !isData {
		t.Error("filled is missing or code")
	}
	if _, ok := seen["nobody_defines"]; ok {
		t.Error("an undefined symbol is shown")
	}
	if !s.MentionsSymbol(m, "body_def") || s.MentionsSymbol(m, "nobody_declares") {
		t.Error("MentionsSymbol is wrong about nobody_defines")
	}
	if sym, ok := s.FindIn(m, "filled"); !ok || !sym.IsData {
		t.Errorf("FindIn: %+v", sym)
	}
	n := 0
	s.EachSymbol(m, func(Symbol) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("went on for %d symbols", n)
	}
}

// TestVDSO names functions of the page that the kernel maps without a file.
func TestVDSO(t *testing.T) {
	c := runToFault(t, 0, buildC(t, "data.c", "-O0"))
	s := New(c, Options{})
	for _, m := range s.Modules() {
		if m.Path != "[vdso]" {
			continue
		}
		found := false
		s.EachSymbol(m, func(sym Symbol) bool {
			if strings.Contains(sym.Name, "clock_gettime") && !sym.IsData {
				found = true
				got, _, ok := s.Lookup(crash.PC(sym.Start + 1))
				if !ok || !strings.Contains(got.Name, "clock_gettime") {
					t.Errorf("looked up %+v", got)
				}
				if _, off, ok := s.CFA(sym.Start); !ok || off != 8 {
					t.Errorf("no row at its start: %v %d", ok, off)
				}
			}
			return true
		})
		if !found || m.BuildID == "" {
			t.Errorf("clock_gettime found: %v, build ID %q, problem %q", found, m.BuildID, m.Problem)
		}
		return
	}
	t.Skip("no vDSO here")
}

func TestDemangle(t *testing.T) {
	cases := []struct {
		in, want string
		lang     Language
	}{
		{"main", "main", LangUnknown},
		{"mesh_list_get", "mesh_list_get", LangUnknown},
		{"_ZN7mesh_rt2gc9ActorHeap7collect17h0123456789abcdefE", "mesh_rt::gc::ActorHeap::collect", LangRust},
		{"_ZN3std3sys9backtrace28__rust_begin_short_backtrace17he0e706cda86eac4eE", "std::sys::backtrace::__rust_begin_short_backtrace", LangRust},
		{"_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h1234567890abcdefE", "core::ptr::drop_in_place<alloc::string::String>", LangRust},
		{"_ZN4coro4main28_$u7b$$u7b$closure$u7d$$u7d$17hc215798adf5961d5E", "coro::main::{{closure}}", LangRust},
		{"_ZN4coro4main17hc215798adf5961d5E.llvm.1234567890", "coro::main", LangRust},
		{"_RNvNvMs0_NtNtNtCsjrHSEGnQ3l9_3std3sys6thread4unixNtB7_6Thread3new12thread_start", "std::sys::thread::unix::Thread::new::thread_start", LangRust},
		{"_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function", LangRust},
		{"_ZN4shop3dieEPi", "shop::die(int*)", LangCPP},
		{"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int>::push_back(int const&)", LangCPP},
		{"_ZN4shop3dieEPi.cold", "shop::die(int*) [cold]", LangCPP},
		{"_ZN4shop3dieEPi@plt", "shop::die(int*)@plt", LangCPP},
		{"malloc@plt", "malloc@plt", LangUnknown},
		{"msort_with_tmp.part.0", "msort_with_tmp.part.0", LangUnknown},
		{"_Znonsense", "_Znonsense", LangUnknown},
		{"_Rubbish", "_Rubbish", LangUnknown},
		{"_start", "_start", LangUnknown},
		{"", "", LangUnknown},
	}
	for _, c := range cases {
		if got, lang := Demangle(c.in); got != c.want || lang != c.lang {
			t.Errorf("Demangle(%q) = %q, %q; want %q, %q", c.in, got, lang, c.want, c.lang)
		}
	}
	for in, want := range map[string]string{"main.cold": "main", "_ZN4shop3dieEPi.part.0": "shop::die(int*)"} {
		if got := sourceName(in); got != want {
			t.Errorf("sourceName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWithoutClone(t *testing.T) {
	for symbol, want := range map[string]string{
		"count": "count", "count.constprop.0": "count", "main.cold": "main", "f.part.0.cold": "f", "g.isra.0.part.3": "g",
		"_ZN3std2rt4main17h0123456789abcdefE.llvm.5579":                      "_ZN3std2rt4main17h0123456789abcdefE",
		"_ZN4core3ptr28drop_in_place$LT$deep..L$GT$$GT$17h008ccb54694b8a7dE": "_ZN4core3ptr28drop_in_place$LT$deep..L$GT$$GT$17h008ccb54694b8a7dE",
		"kept.cold.not": "kept.cold.not", ".cold": ".cold", "": "",
	} {
		if got := WithoutClone(symbol); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
}
