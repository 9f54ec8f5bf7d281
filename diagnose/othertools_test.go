package diagnose

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"meshdiag/report"
)

// comparedFrames is how many frames of a stack other tools are asked for: of an endless recursion that is enough.
const comparedFrames = 40

// sameInOtherTools is the law of written cores: gdb and eu-stack show the same frames of a core that meshdiag saved and of the
// one that the kernel then made of the same process. Where the kernel made none, they agree on where the process was.
func sameInOtherTools(t *testing.T, exe, saved, kernel string) {
	t.Helper()
	gdb, eu := gdbFrames(t, exe, saved, kernel), euStack(t, saved, exe)
	if len(gdb[0]) == 0 || !strings.Contains(eu, fmt.Sprintf("#0  0x%016x", gdb[0][0])) {
		t.Errorf("gdb shows %#x, and eu-stack\n%s", gdb[0], eu)
	}
	if kernel == "" {
		return
	}
	if !slices.Equal(gdb[0], gdb[1]) {
		t.Errorf("gdb shows of the saved core\n%#x\nand of the kernel's\n%#x", gdb[0], gdb[1])
	}
	if want := euStack(t, kernel, exe); eu != want {
		t.Errorf("eu-stack shows of the saved core\n%s\nand of the kernel's\n%s", eu, want)
	}
}

// compareWithTools holds the stack of the thread that died in a report against what gdb and eu-stack make of the same core,
// as far as neither gives up: the end of a coroutine's stack is nothing that they know.
func compareWithTools(t *testing.T, core string, r *report.Report) {
	t.Helper()
	gdb, eu := gdbFrames(t, r.Target.Path, core), euStack(t, core, r.Target.Path)
	if len(gdb[0]) == 0 || !strings.Contains(eu, fmt.Sprintf("#0  0x%016x", gdb[0][0])) {
		t.Fatalf("gdb shows %#x, and eu-stack\n%s", gdb[0], eu)
	}
	if r.Outcome.Kind == "panicked" || len(r.Causes) > 0 && str(r.Causes[0].Kind) == "caught-panic" {
		return // the report tells the stack from where the panic began, and the core is of its end
	}
	var ours []string
	for _, f := range r.Threads[0].Frames {
		if f.Trust == "scan" {
			break
		}
		ours = append(ours, f.PC)
	}
	var theirs []string
	for _, pc := range gdb[0] {
		theirs = append(theirs, fmt.Sprintf("%#x", pc))
	}
	ours, theirs = slices.Compact(ours), slices.Compact(theirs) // functions inlined at one place, and endless recursion
	theirs = withoutTailCalls(theirs, ours)
	n := min(len(ours), len(theirs))
	if n == 0 || !slices.Equal(ours[:n], theirs[:n]) {
		t.Errorf("the report's frames are\n%s\nand those of gdb\n%s", ours, theirs)
	}
	t.Logf("%d frames are the same; the report has %d, gdb %d", n, len(ours), len(theirs))
}

// withoutTailCalls leaves out frames that gdb shows for functions that have jumped on, by what the debug information says of
// calls. They are not on the stack; one stands between two frames that are.
func withoutTailCalls(theirs, ours []string) []string {
	var real []string
	for i, pc := range theirs {
		k := len(real)
		if k < len(ours) && pc != ours[k] && i+1 < len(theirs) && theirs[i+1] == ours[k] {
			continue
		}
		real = append(real, pc)
	}
	return real
}

var gdbValue = regexp.MustCompile(`(?m)^(?:\$[0-9]+ = 0x([0-9a-f]+)|(next core))$`)

// gdbFrames asks gdb for the program counter of each frame of the thread that died, in each of the cores that has a name.
func gdbFrames(t *testing.T, exe string, cores ...string) [][]uint64 {
	t.Helper()
	args := []string{"-batch", "-nx", "-iex", "set debuginfod enabled off", "-ex", "set backtrace past-main on", exe}
	for _, core := range cores {
		if core != "" {
			args = append(args, "-ex", "core-file "+core, "-ex", fmt.Sprintf("frame apply %d -q p/x $pc", comparedFrames), "-ex", `echo next core\n`)
		}
	}
	out, err := exec.Command("gdb", args...).Output()
	if err != nil {
		t.Fatalf("gdb: %v\n%s", err, out)
	}
	frames := make([][]uint64, len(cores)+1)
	at := 0
	for _, m := range gdbValue.FindAllStringSubmatch(string(out), -1) {
		if m[2] != "" {
			at++
			continue
		}
		pc, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		frames[at] = append(frames[at], pc)
	}
	return frames
}

// euStack is what eu-stack shows of the first thread, which is the one that died: the others went on between the two cores.
func euStack(t *testing.T, core, exe string) string {
	t.Helper()
	out, err := exec.Command("eu-stack", "-n", strconv.Itoa(comparedFrames), "--core="+core, "--executable="+exe).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); err != nil && !(ok && exit.ExitCode() == 1) { // 1: a stack that it could not follow to its end
		t.Fatalf("eu-stack: %v\n%s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "\nTID ")
	text, _, _ = strings.Cut(text, "\nTID ")
	if !strings.Contains(text, "#0 ") {
		t.Errorf("eu-stack shows no frame:\n%s", text)
	}
	return text
}
