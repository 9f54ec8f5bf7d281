package symbols

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"meshdiag/crash"
)

// untilOwn cuts a list of names behind its last own function: what follows is the C library's business and
// depends on its version.
func untilOwn(list []string, last string) []string {
	if i := slices.Index(list, last); i >= 0 {
		return list[:i+1]
	}
	return list
}

// TestStacks unwinds programs that die in different ways. Names of the C library that depend on its version are given
// as "*" for any number of frames.
func TestStacks(t *testing.T) {
	cases := []struct {
		how, last string
		want      string
	}{
		{"null", "main", "leaf middle outer main"},
		{"qsort", "main", "leaf compare * sorts main"},
		{"handler", "main", "leaf on_signal __restore_rt * with_handler main"},
		{"altstack", "main", "leaf on_signal __restore_rt * with_handler main"},
		{"callnull", "main", "? calls_null main"},
		{"thread", "in_thread", "leaf middle outer in_thread"},
		{"alloca", "main", "leaf big_alloca main"},
		{"abort", "main", "* abort aborts main"},
	}
	builds := [][]string{{"-O0"}, {"-O2", "-fno-optimize-sibling-calls"}, {"-O2", "-fno-optimize-sibling-calls", "-Wl,--no-eh-frame-hdr"},
		{"-O2", "-fno-optimize-sibling-calls", "-static"}, {"-O2", "-fno-optimize-sibling-calls", "-no-pie"},
		{"-O2", "-fno-optimize-sibling-calls", "-static-pie"}}
	for _, flags := range builds {
		exe := buildC(t, "victim.c", append(flags, "-pthread")...)
		for _, c := range cases {
			t.Run(fmt.Sprint(flags, c.how), func(t *testing.T) {
				cr := runToFault(t, 0, exe, c.how)
				st := New(cr, Options{}).Unwind(&cr.Threads[0], nil, 0)
				list := names(st)
				for i := range list {
					list[i] = strings.TrimSuffix(list[i], ".cold") // gcc moves calls of abort out of main
				}
				got := strings.Join(untilOwn(list, c.last), " ")
				if !matchNames(c.want, got) || st.Truncated != "" {
					dump(t, st)
					t.Errorf("got %s, want %s", got, c.want)
				}
				checkFrames(t, &st)
			})
		}
	}
}

func matchNames(want, got string) bool {
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, ".+") + "$"
	return regexp.MustCompile(pattern).MatchString(got)
}

// checkFrames checks what holds for every stack that was unwound by table.
func checkFrames(t *testing.T, st *Stack) {
	t.Helper()
	for i, f := range st.Frames {
		if f.Index != i {
			t.Errorf("frame %d has index %d", i, f.Index)
		}
		if (f.Trust == TrustContext) != (i == 0 || f.Signal) || f.Trust == TrustScan || f.Trust == TrustFP {
			t.Errorf("frame %d (%s) has trust %s: %s", i, f.Symbol.Name, f.Trust, f.Why)
		}
		if f.Code.IsReturn == (f.Trust == TrustContext) && !strings.Contains(f.Symbol.Name, "restore_rt") {
			t.Errorf("frame %d (%s): return address %v", i, f.Symbol.Name, f.Code.IsReturn)
		}
		if sp := f.Regs[crash.RSP]; !sp.Known {
			t.Errorf("frame %d does not know its stack pointer", i)
		}
		if rax := f.Regs[crash.RAX]; rax.Known && f.Trust == TrustCFI && i > 0 && f.Why == "" {
			t.Errorf("frame %d claims to know rax, which no call preserves", i)
		}
		if i+1 < len(st.Frames) && (!f.CFA.Known || f.CFA.Value != st.Frames[i+1].Regs[crash.RSP].Value) {
			t.Errorf("frame %d: CFA %#x is not the caller's stack pointer", i, f.CFA.Value)
		}
	}
}

func TestSignalStackIsASwitch(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	for how, want := range map[string]string{"altstack": "signal stack", "handler": ""} {
		c := runToFault(t, 0, exe, how)
		st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
		for _, f := range st.Frames {
			if f.Signal && f.Switch != want {
				t.Errorf("%s: switch %q, want %q", how, f.Switch, want)
			}
			if f.Signal && !f.Regs[crash.RAX].Known {
				t.Errorf("%s: a signal frame saves all registers, rax is unknown", how)
			}
		}
	}
}

// TestRestoredRegisters checks a callee-saved register of an outer frame against what the program stored there.
func TestRestoredRegisters(t *testing.T) {
	exe := buildC(t, "registers.c", "-O1")
	c := runToFault(t, 0, exe)
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	if got := strings.Join(untilOwn(names(st), "main"), " "); got != "clobber marked main" {
		dump(t, st)
		t.Fatalf("stack is %s", got)
	}
	for reg, want := range map[crash.RegNum]uint64{crash.RBX: 0x1111, crash.R12: 0x2222, crash.R13: 0x3333, crash.R14: 0x4444} {
		if got := st.Frames[1].Regs[reg]; !got.Known || got.Value != want || got.How != RegCFI {
			t.Errorf("%s in marked is %+v, want %#x by cfi", reg, got, want)
		}
		if got := st.Frames[0].Regs[reg]; got.Value != 0xdead || got.How != RegContext {
			t.Errorf("%s in clobber is %+v", reg, got)
		}
	}
}

func TestSmashedStackIsSaid(t *testing.T) {
	exe := buildC(t, "victim.c", "-O1", "-fno-stack-protector", "-fno-builtin", "-pthread")
	c := runToFault(t, 0, exe, "smash")
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	for _, part := range []string{"0x4141414141414141", "AAAAAAAA", "is not code", "overwritten"} {
		if !strings.Contains(st.Truncated, part) {
			t.Errorf("%q does not tell %q", st.Truncated, part)
		}
	}
	if got := strings.Join(names(st), " "); got != "smash" {
		t.Errorf("frames %s: what the garbage led to must not be shown", got)
	}
}

// TestReturnedIntoNowhere: the return address was canonical but is no code, so the ret worked and then nothing did.
func TestReturnedIntoNowhere(t *testing.T) {
	exe := buildC(t, "badret.c", "-O1", "-fno-stack-protector")
	c := runToFault(t, 0, exe)
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	if len(st.Frames) < 2 || st.Frames[1].Trust != TrustScan || !strings.Contains(st.Frames[1].Why, "a return took 0x123456") {
		dump(t, st)
		t.Fatal("the caller behind the overwritten return address must be a guess, and say so")
	}
	if st.Frames[1].Symbol.Name != "main" {
		t.Errorf("found %s", st.Frames[1].Symbol.Name)
	}
	if !strings.Contains(st.Frames[2].Why, "frame 1") {
		t.Errorf("frame 2 rests on a guess and does not say so: %q", st.Frames[2].Why)
	}
}

// TestTailJumpToNull: the call before the return address goes to a function that is gone from the stack.
func TestTailJumpToNull(t *testing.T) {
	exe := buildC(t, "victim.c", "-O2", "-pthread")
	c := runToFault(t, 0, exe, "jumpnull")
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	if got := strings.Join(untilOwn(names(st), "main"), " "); got != "? calls_jumper main" {
		dump(t, st)
		t.Fatalf("stack is %s", got)
	}
	if why := st.Frames[1].Why; !strings.Contains(why, "jumps_null") {
		t.Errorf("Why is %q", why)
	}
}

func TestCallToNullKeepsRegisters(t *testing.T) {
	exe := buildC(t, "victim.c", "-O2", "-fno-optimize-sibling-calls", "-pthread")
	c := runToFault(t, 0, exe, "callnull")
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	if rdi := st.Frames[1].Regs[crash.RDI]; !rdi.Known || rdi.Value != 7 {
		t.Errorf("the argument 7 is still in rdi: %+v", rdi)
	}
}

// TestDeepRecursion: the whole depth is counted, the middle is left out, both ends are there.
func TestDeepRecursion(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	c := runToFault(t, 0, exe, "recurse")
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 200)
	if len(st.Frames) != 200 || st.Depth < 100000 || st.Elided != st.Depth-200 || st.ElidedAt != 136 || st.Truncated != "" {
		t.Fatalf("%d frames, depth %d, elided %d at %d, %q", len(st.Frames), st.Depth, st.Elided, st.ElidedAt, st.Truncated)
	}
	if f := st.Frames[199]; f.Symbol.Name != "_start" || f.Index != st.Depth-1 {
		t.Errorf("the outermost frame is %d %s", f.Index, f.Symbol.Name)
	}
	if f := st.Frames[st.ElidedAt]; f.Index != st.ElidedAt+st.Elided {
		t.Errorf("the first frame after the gap has index %d", f.Index)
	}
}

// TestFewFrames: even a short excerpt of a deep stack has both ends.
func TestFewFrames(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	c := runToFault(t, 0, exe, "recurse", "50")
	s := New(c, Options{})
	whole := s.Unwind(&c.Threads[0], nil, 0)
	for _, n := range []int{1, 2, 7, 20, whole.Depth, whole.Depth + 1} {
		st := s.Unwind(&c.Threads[0], nil, n)
		kept := min(n, whole.Depth)
		if len(st.Frames) != kept || st.Depth != whole.Depth || st.Elided != whole.Depth-kept || st.Frames[0].Index != 0 {
			t.Fatalf("%d: %d frames, depth %d, elided %d", n, len(st.Frames), st.Depth, st.Elided)
		}
		if last := st.Frames[kept-1]; n > 1 && last.Symbol.Name != "_start" {
			t.Errorf("%d: the last frame is %s", n, last.Symbol.Name)
		}
		for i, f := range st.Frames {
			if want := whole.Frames[f.Index]; f.Code != want.Code || st.Elided > 0 && (i >= st.ElidedAt) != (f.Index >= st.ElidedAt+st.Elided) {
				t.Errorf("%d: frame %d is the wrong one", n, i)
			}
		}
	}
}

// TestBackwards: a frame pointer that was overwritten leads down the stack instead of up.
func TestBackwards(t *testing.T) {
	c := runToFault(t, 0, buildC(t, "badrbp.c", "-O0"))
	st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
	if len(st.Frames) > 3 || !strings.Contains(st.Truncated, "overwritten") {
		dump(t, st)
		t.Errorf("truncated %q", st.Truncated)
	}
}

// TestWithoutTables: programs without unwind tables fall back to frame pointers, and to a scan, and say so.
func TestWithoutTables(t *testing.T) {
	none := []string{"-O0", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-pthread"}
	cases := []struct {
		name  string
		flags []string
		trust Trust
	}{
		{"frame pointers", append([]string{"-fno-omit-frame-pointer"}, none...), TrustFP},
		{"scan", append([]string{"-fomit-frame-pointer", "-O1"}, none[1:]...), TrustScan},
		{"debug_frame", append([]string{"-fomit-frame-pointer", "-g"}, none...), TrustCFI},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := runToFault(t, 0, buildC(t, "victim.c", tc.flags...), "null")
			st := New(c, Options{}).Unwind(&c.Threads[0], nil, 0)
			got := strings.Join(untilOwn(names(st), "main"), " ")
			if got != "leaf middle outer main" || st.Truncated != "" {
				dump(t, st)
				t.Fatalf("got %s", got)
			}
			f := st.Frames[2]
			if f.Trust != tc.trust || (f.Trust != TrustCFI) != strings.Contains(f.Why, "no unwind entry") {
				t.Errorf("trust %s because %q", f.Trust, f.Why)
			}
		})
	}
}

// TestCoroutine: corosensei's unwind rows lead from the coroutine to its resumer.
func TestCoroutine(t *testing.T) {
	for _, profile := range []string{"debug", "release"} {
		for _, where := range []string{"main", "thread"} {
			t.Run(profile+"/"+where, func(t *testing.T) {
				c := runToFault(t, 0, buildCoro(t, profile), where)
				s := New(c, Options{})
				st := s.Unwind(&c.Threads[0], nil, 0)
				s.Describe(&st)
				checkCoroutine(t, &st)
			})
		}
	}
}

func checkCoroutine(t *testing.T, st *Stack) {
	t.Helper()
	if lang := st.Frames[1].Language; lang != LangRust {
		t.Errorf("language %q", lang)
	}
	order := []string{"coro::deepest", "coro::actor_body", "stack_init_trampoline", "coro::resume_it", "coro::worker"}
	switches := 0
	for _, f := range st.Frames {
		if len(order) > 0 && f.Demangled == order[0] {
			order = order[1:]
		}
		if f.Switch != "" {
			switches++
			if f.Switch != "coroutine" || f.Signal {
				t.Errorf("frame %d: switch %q, signal %v", f.Index, f.Switch, f.Signal)
			}
		}
		if f.Trust != TrustContext && f.Trust != TrustCFI {
			t.Errorf("frame %d has trust %s: %s", f.Index, f.Trust, f.Why)
		}
	}
	if len(order) > 0 || switches != 1 || st.Truncated != "" {
		dump(t, *st)
		t.Errorf("missing %v, %d switches, truncated %q", order, switches, st.Truncated)
	}
}

var gdbFrame = regexp.MustCompile(`^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) \(`)

// TestStacksLikeGDB compares the functions of whole stacks, inlined ones too, with gdb's backtrace.
func TestStacksLikeGDB(t *testing.T) {
	gdb, err := exec.LookPath("gdb")
	if err != nil {
		t.Skip("no gdb")
	}
	cases := []struct {
		name string
		argv []string
	}{
		{"c", []string{buildC(t, "victim.c", "-O2", "-g", "-pthread"), "alloca"}},
		{"c-static", []string{buildC(t, "victim.c", "-O2", "-g", "-pthread", "-static"), "null"}},
		{"c-thread", []string{buildC(t, "victim.c", "-O2", "-g", "-pthread"), "thread"}},
		{"c++", []string{buildC(t, "throws.cc", "-O2", "-g")}},
		{"c++-O0", []string{buildC(t, "throws.cc", "-O0", "-g")}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			out, _ := exec.Command(gdb, append([]string{"-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex", "run",
				"-ex", "bt", "--args"}, tc.argv...)...).CombinedOutput()
			var want []string
			for _, line := range strings.Split(string(out), "\n") {
				if m := gdbFrame.FindStringSubmatch(line); m != nil {
					want = append(want, m[1])
				}
			}
			c := runToFault(t, 0, tc.argv...)
			s := New(c, Options{})
			st := s.Unwind(&c.Threads[0], nil, 0)
			s.Describe(&st)
			got := sourceFunctions(&st)
			want, got = untilLibc(want), untilLibc(got)
			if len(want) == 0 || !slices.Equal(want, got) {
				t.Errorf("gdb:  %q\nours: %q\n%s", want, got, out)
			}
		})
	}
}

// untilLibc cuts what lies outside main or a thread's function: gdb hides or names it by its own rules.
func untilLibc(list []string) []string {
	for _, last := range []string{"main", "in_thread"} {
		list = untilOwn(list, last)
	}
	return list
}

// sourceFunctions lists the functions of a stack like a debugger: inlined ones too, without parameters.
func sourceFunctions(st *Stack) []string {
	var out []string
	for _, f := range st.Frames {
		if len(f.Inlined) == 0 {
			name, _, _ := strings.Cut(f.Demangled, "(")
			out = append(out, name)
		}
		for _, l := range f.Inlined {
			name, _, _ := strings.Cut(l.Function, "(")
			out = append(out, name)
		}
	}
	return out
}
