package diagnose

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/report"
)

const (
	ownNull    = "null.c"                                 // NULL from a call in the function that failed
	passedNull = "../../../postmortem/testdata/threads.c" // NULL from its caller
)

// nullCore is what the kernel wrote of a program that died of NULL, as bytes to damage, with the report of the whole core.
func nullCore(t *testing.T, source string) (exe string, core []byte, whole *report.Report) {
	t.Helper()
	needPlainCores(t)
	exe = compile(t, &victim{Source: source, Flags: []string{"-pthread"}})
	path := kernelCore(t, exe)
	core, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return exe, core, coreReport(t, path)
}

func reportOf(t *testing.T, core []byte) *report.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(path, core, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Core(context.Background(), CoreOptions{Options: Options{Profile: "none", Version: "test"}, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// headersOf is the number of bytes in front of a core's memory.
func headersOf(core []byte) uint64 { return binary.LittleEndian.Uint64(core[64+56+8:]) }

// TestStackMissing checks that a stack that ends because the core does says so, and that a cause whose way back leads to
// callers nobody knows is less sure.
func TestStackMissing(t *testing.T) {
	_, core, whole := nullCore(t, passedNull)
	cut := reportOf(t, core[:headersOf(core)])
	st := cut.Threads[0]
	if len(st.Frames) != 1 || st.Truncated == nil || strings.Count(*st.Truncated, "cut short") != 1 {
		t.Errorf("%d frames, truncated %q", len(st.Frames), str(st.Truncated))
	}
	a, b := whole.Causes[0], cut.Causes[0]
	if b.ID != a.ID || b.Confidence >= a.Confidence {
		t.Errorf("%s at %.2f, of the whole core %s at %.2f", b.ID, b.Confidence, a.ID, a.Confidence)
	}
	if got := evidence(&b); !strings.Contains(got, "its callers could not be read") || strings.Contains(got, "no test of the value") {
		t.Errorf("evidence:\n%s", got)
	}
}

func evidence(c *report.Cause) string {
	var lines []string
	for _, e := range c.Evidence {
		lines = append(lines, e.Text)
	}
	return strings.Join(lines, "\n")
}

// TestCodeMissing checks what is said of a fault whose instruction is neither in the core nor in a file: nothing of its
// registers, and NULL before garbage.
func TestCodeMissing(t *testing.T) {
	exe, core, whole := nullCore(t, ownNull)
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, core)
	if r.Fault == nil || r.Fault.Instruction != nil {
		t.Fatalf("fault %+v", r.Fault)
	}
	var text bytes.Buffer
	if err := report.WriteText(&text, r, report.TextOptions{Width: 1000}); err != nil {
		t.Fatal(err)
	}
	// main and greet stand between the innermost frame and libc's, and nothing can tell that they are frames.
	if got := text.String(); !strings.Contains(got, "found by scan") || !strings.Contains(got, "into code that is not at hand: ") {
		t.Errorf("the stack does not say that frames may be missing:\n%s", got[strings.Index(got, "Stack of"):])
	}
	best := r.Causes[0]
	if best.ID != whole.Causes[0].ID || best.Confidence >= 0.7 {
		t.Errorf("%s at %.2f, with the program %s", best.ID, best.Confidence, whole.Causes[0].ID)
	}
	for _, c := range r.Causes {
		if got := evidence(&c); strings.Contains(got, "register") {
			t.Errorf("%s: a register is spoken of that nobody knows:\n%s", c.ID, got)
		}
		if got := strings.Join(c.Next, "\n"); strings.Contains(got, "objdump") || strings.Contains(got, "unnamed") {
			t.Errorf("%s: next %q, of a file that is not there", c.ID, c.Next)
		}
	}
	if got := strings.Join(best.Next, "\n"); !strings.Contains(got, "--exe") {
		t.Errorf("next %q does not say how to give the program", best.Next)
	}
}

// TestSignalUnexplained checks that a core without siginfo is still diagnosed, by what the instruction could not do.
func TestSignalUnexplained(t *testing.T) {
	_, core, whole := nullCore(t, ownNull)
	note := append([]byte("CORE\x00\x00\x00\x00"), 11, 0, 0, 0) // the name, and si_signo of the siginfo behind it
	at := bytes.Index(core, append([]byte("IGIS"), note...))
	if at < 0 {
		t.Fatal("the core has no siginfo")
	}
	core[at] = 'X'
	r := reportOf(t, core)
	if s := r.Outcome.Signal; s == nil || s.Name != "SIGSEGV" || s.Code != "" || s.Address != nil {
		t.Errorf("signal %+v", s)
	}
	if r.Fault == nil || str(r.Fault.Operand) != str(whole.Fault.Operand) || str(r.Fault.Class) != str(whole.Fault.Class) {
		t.Errorf("fault %+v, of the whole core %+v", r.Fault, whole.Fault)
	}
	if r.Causes[0].ID != whole.Causes[0].ID {
		t.Errorf("cause %s, of the whole core %s", r.Causes[0].ID, whole.Causes[0].ID)
	}
}

// TestUncheckedFile checks that a file that was taken without a look at its build ID is named: another build may lie there.
func TestUncheckedFile(t *testing.T) {
	exe, core, _ := nullCore(t, ownNull)
	le := binary.LittleEndian
	first := core[64+56:] // the executable is mapped lowest, its header in front
	if le.Uint64(first[32:]) == 0 {
		t.Fatal("the core has no header of the executable")
	}
	le.PutUint64(first[32:], 0)
	r := reportOf(t, core)
	if got := *r.Threads[0].Frames[0].Symbol; got != "greet" {
		t.Fatalf("frame 0 is %s", got)
	}
	want := "Taken without a build ID to check it by: " + exe + "."
	if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, want) {
		t.Errorf("warnings %q lack %q", got, want)
	}
}

// TestContradiction checks that a signal that does not belong to the instruction is a finding, and makes causes less sure.
func TestContradiction(t *testing.T) {
	_, core, whole := nullCore(t, ownNull)
	at := bytes.Index(core, append([]byte("IGISCORE\x00\x00\x00\x00"), 11, 0, 0, 0))
	if at < 0 {
		t.Fatal("the core has no siginfo")
	}
	address := core[at+12+16:] // si_addr
	if address[0] != 8 {
		t.Fatalf("si_addr begins with %#x", address[0])
	}
	address[4] = 0x41
	r := reportOf(t, core)
	if a, b := whole.Causes[0], r.Causes[0]; b.ID != "unknown" && b.Confidence >= 0.5 {
		t.Errorf("%s at %.2f, of the sound core %s at %.2f", b.ID, b.Confidence, a.ID, a.Confidence)
	}
	want := "does not access 0x4100000008, the address that the kernel reported"
	if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, want) {
		t.Errorf("warnings %q lack %q", got, want)
	}
	for _, x := range r.RuledOut {
		if strings.Contains(x.Why, "address 0") {
			t.Errorf("ruled out by an address that was not reported: %s", x.Why)
		}
	}
}

// TestThirtyTwoBit checks that the code of a 32-bit program is not read as if it were x86-64: the same bytes mean other
// instructions.
func TestThirtyTwoBit(t *testing.T) {
	dir := t.TempDir()
	source, exe := filepath.Join(dir, "old.c"), filepath.Join(dir, "old")
	if err := os.WriteFile(source, []byte("void _start(void) { *(volatile int *)8 = 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-fno-pic", "-o", exe, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := diagnosedWith(t, RunOptions{Path: exe})
	if s := r.Outcome.Signal; s == nil || s.Name != "SIGSEGV" || str(s.Address) != "0x8" {
		t.Fatalf("signal %+v", s)
	}
	if r.Fault == nil || r.Fault.Instruction != nil || r.Fault.Operand != nil {
		t.Errorf("fault %+v", r.Fault)
	}
	if got := str(r.Threads[0].Truncated); !strings.Contains(got, "32-bit code") {
		t.Errorf("truncated %q", got)
	}
	if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, "32-bit") || strings.Contains(got, "64-bit little-endian") {
		t.Errorf("warnings %q", got)
	}
}

// TestMissingLibraries checks that libraries that are not there take one sentence, as long as no stack leads through them.
func TestMissingLibraries(t *testing.T) {
	needPlainCores(t)
	dir := t.TempDir()
	args := []string{"-O1", "-o", filepath.Join(dir, "null"), "testdata/victims/null.c", "-Wl,--no-as-needed", "-Wl,-rpath," + dir}
	var libs []string
	for _, name := range []string{"one", "two", "three"} {
		lib := filepath.Join(dir, "lib"+name+".so")
		if out, err := exec.Command("gcc", "-shared", "-o", lib, "-x", "c", "/dev/null").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		libs = append(libs, lib)
	}
	if out, err := exec.Command("gcc", append(args, libs...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	core := kernelCore(t, filepath.Join(dir, "null"))
	for _, lib := range libs {
		if err := os.Remove(lib); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	for _, w := range coreReport(t, core).Warnings {
		if strings.Contains(w, "cannot be used") {
			said = append(said, w)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "3 files that no stack leads through cannot be used, among them ") {
		t.Errorf("warnings %q", said)
	}
}

// TestFilesAreUnmapped checks that a report keeps no file open: whoever makes many of them would run out of mappings.
func TestFilesAreUnmapped(t *testing.T) {
	exe, _, _ := nullCore(t, ownNull)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(maps), exe) {
		t.Errorf("%s is still mapped", exe)
	}
}
