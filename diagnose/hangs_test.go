package diagnose

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/postmortem"
	"meshdiag/report"
	"meshdiag/report/schemacheck"
	"meshdiag/tracer"
)

// stallAfter is long enough for a small program to get stuck on a busy machine.
const stallAfter = time.Second

// TestHangs lets programs hang in the known ways. What the watchdog says of the run, the core that was saved of it says, too,
// and so does a core of another run that was saved with "meshdiag save" while the program lived.
func TestHangs(t *testing.T) {
	hangs := slices.DeleteFunc(allVictims(t), func(v victim) bool { return !v.Hangs })
	for _, v := range hangs {
		t.Run(v.name(), func(t *testing.T) {
			t.Parallel()
			exe := compile(t, &v)
			free := exec.Command(exe)
			if err := free.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = free.Process.Kill()
				_ = free.Wait()
			}()
			core := filepath.Join(t.TempDir(), "saved.core")
			live := diagnosedWith(t, RunOptions{Path: exe, StallAfter: stallAfter, SaveCore: core})
			if err := schemacheck.Report(live); err != nil {
				t.Errorf("the report breaks its schema: %v", err)
			}
			problems := append(grade(&v, live), gradeWaits(&v, live)...)
			if len(problems) > 0 {
				t.Errorf("%s\n%s", strings.Join(problems, "\n"), textOf(t, live))
			}
			compareReports(t, live, coreReport(t, core))
			compareWaits(t, live, coreReport(t, core))
			compareSnapshot(t, live, snapshotReport(t, free.Process.Pid))
		})
	}
}

// TestHangEndedFromOutside has the kernel dump a core of a program that hangs, as when systemd's watchdog ends it with SIGABRT.
func TestHangEndedFromOutside(t *testing.T) {
	needPlainCores(t)
	exe := compile(t, &victim{Source: "hangabba.c"})
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0"`, exe)
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it says that it begins
		t.Fatal(err)
	}
	untilAsleep(t, cmd.Process.Pid, 3)
	_ = cmd.Process.Signal(syscall.SIGABRT)
	_ = cmd.Wait()
	cores, _ := filepath.Glob(filepath.Join(dir, "core*"))
	if len(cores) != 1 {
		t.Fatalf("the kernel wrote %d cores", len(cores))
	}
	r := coreReport(t, cores[0])
	top := r.Causes[0]
	if r.Outcome.Kind != "killed" || top.ID != "hang" || str(top.Kind) != "deadlock" || top.Confidence < 0.7 || len(r.Waits.Cycles) != 1 {
		t.Error(textOf(t, r))
	}
}

// untilAsleep waits until a process has so many threads and all of them sleep.
func untilAsleep(t *testing.T, pid, threads int) {
	for range 500 {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		asleep := 0
		for _, path := range tasks {
			if data, _ := os.ReadFile(path); bytes.Contains(data, []byte(") S ")) {
				asleep++
			}
		}
		if asleep == threads && len(tasks) == threads {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d does not come to rest", pid)
}

func textOf(t *testing.T, r *report.Report) string {
	var text bytes.Buffer
	if err := report.WriteText(&text, r, report.TextOptions{Width: 120}); err != nil {
		t.Error(err)
	}
	return text.String()
}

// snapshotReport saves a core of a living process and reports on it.
func snapshotReport(t *testing.T, pid int) *report.Report {
	core := filepath.Join(t.TempDir(), "snapshot.core")
	var failed error
	err := tracer.Snapshot(pid, func(c *crash.Crash) { failed = postmortem.Save(core, c, postmortem.DefaultFilter) })
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return coreReport(t, core)
}

func gradeWaits(v *victim, r *report.Report) (problems []string) {
	if r.Waits == nil {
		return []string{"it is not said what the threads wait for"}
	}
	ring := ""
	for _, c := range r.Waits.Cycles {
		if ring = "probable"; c.Proven {
			ring = "proven"
		}
	}
	if ring != v.Ring {
		problems = append(problems, fmt.Sprintf("ring %q, want %q", ring, v.Ring))
	}
	if v.Pace != "" && !slices.ContainsFunc(r.Threads, func(s report.Stack) bool { return str(s.Wait.Pace) == v.Pace }) {
		problems = append(problems, "no thread has the pace "+v.Pace)
	}
	if v.Most > 0 && len(r.Causes) > 0 && r.Causes[0].Confidence > v.Most {
		problems = append(problems, fmt.Sprintf("confidence %.2f, want %.2f at most", r.Causes[0].Confidence, v.Most))
	}
	return problems
}

// compareSnapshot compares a run with another one, which was alive when its core was made. Only what the threads themselves
// prove makes a living process a hung one.
func compareSnapshot(t *testing.T, live, core *report.Report) {
	t.Helper()
	compareWaits(t, live, core)
	if live.Causes[0].ID == "panic" {
		return // its words were printed only
	}
	if len(core.Causes) == 0 {
		for _, c := range live.Waits.Cycles {
			t.Errorf("a living process has the ring %v, and the report of its core has no cause", c)
		}
		return
	}
	a, b := live.Causes[0], core.Causes[0]
	if a.ID != b.ID || str(a.Kind) != str(b.Kind) || str(a.Blame.Symbol) != str(b.Blame.Symbol) {
		t.Errorf("live: %s/%s %s, core of the living process: %s/%s %s\n%s", a.ID, str(a.Kind), str(a.Blame.Symbol), b.ID, str(b.Kind), str(b.Blame.Symbol), textOf(t, core))
	}
	if b.Confidence > a.Confidence {
		t.Errorf("the core of the living process is surer (%.2f) than the run (%.2f)", b.Confidence, a.Confidence)
	}
}

// compareWaits compares who waits for whom; thread ids differ from run to run.
func compareWaits(t *testing.T, live, core *report.Report) {
	t.Helper()
	if a, b := waitEssence(live), waitEssence(core); !slices.Equal(a, b) {
		t.Errorf("live: %q\ncore: %q", a, b)
	}
}

func waitEssence(r *report.Report) []string {
	if r.Waits == nil {
		return nil
	}
	role := map[int]string{}
	var facts []string
	for _, s := range r.Threads {
		fact := fmt.Sprintf("%s %s %s %v", s.Role, s.Wait.Kind, str(s.Wait.Primitive), s.Wait.FDs)
		if s.Wait.Kind != "running" { // a living process is not stepped to see what it reads
			fact += " " + str(s.Wait.Name)
		}
		if f := s.Wait.Holder; f != nil {
			fact += fmt.Sprintf(" alive=%v sure=%v", f.Alive, f.Sure)
		}
		role[s.TID] = fact
		facts = append(facts, fact)
	}
	slices.Sort(facts) // which of two threads began first is chance
	for _, c := range r.Waits.Cycles {
		var ring []string
		for _, m := range c.Members {
			if m.TID != nil {
				ring = append(ring, role[*m.TID])
			} else {
				ring = append(ring, *m.Actor)
			}
		}
		slices.Sort(ring)
		facts = append(facts, fmt.Sprintf("ring %v %q", c.Proven, ring))
	}
	for _, c := range r.Waits.Chains {
		facts = append(facts, fmt.Sprintf("chain %v %d ended=%v", c.Sure, len(c.Members), c.EndedTID != nil))
	}
	return facts
}
