package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/report"
	"meshdiag/report/schemacheck"
)

// TestKernelCallsHandler puts the handler into kernel.core_pattern as --install says and lets programs die. It asks for an
// environment variable because the pattern is the whole machine's: whatever else crashes meanwhile gets no core of its own.
func TestKernelCallsHandler(t *testing.T) {
	if os.Getenv("MESHDIAG_TEST_CORE_PATTERN") != "1" {
		t.Skip("it changes kernel.core_pattern of the machine for some seconds: run it as root with MESHDIAG_TEST_CORE_PATTERN=1")
	}
	if os.Geteuid() != 0 {
		t.Fatal("MESHDIAG_TEST_CORE_PATTERN=1 needs root")
	}
	k := newKernelTest(t)
	t.Run("stores and explains", k.storesAndExplains)
	t.Run("cgroup", k.tellsCgroup)
	t.Run("container", k.tellsNamespace)
	t.Run("budget", k.keepsBudget)
	t.Run("large", k.cutsLarge)
	t.Run("link", k.refusesLink)
	t.Run("held", k.measuresHold)
}

// kernelTest is a folder with meshdiag and a program that dies.
type kernelTest struct {
	dir, meshdiag, crash string
}

func newKernelTest(t *testing.T) *kernelTest {
	dir, err := os.MkdirTemp("/tmp", "md") // a core pattern has room for 127 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the program
		t.Fatal(err)
	}
	k := &kernelTest{dir, filepath.Join(dir, "meshdiag"), filepath.Join(dir, "crash")}
	for _, build := range [][]string{{"go", "build", "-o", k.meshdiag, "."}, {"gcc", "-g", "-O1", "-o", k.crash, "testdata/held.c"}} {
		cmd := exec.Command(build[0], build[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", build, err, out)
		}
	}
	return k
}

var printedPattern = regexp.MustCompile(`(?m)^  sysctl -w kernel.core_pattern='(.*)'$`)

// install types what --install prints. The pattern that was there comes back when the test ends, however it ends: a shell in
// a session of its own puts it back as soon as the pipe to it closes.
func (k *kernelTest) install(t *testing.T, store string, flags ...string) {
	t.Helper()
	before, err := os.ReadFile(corePattern)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(k.meshdiag, append([]string{"handler", "--install", "--dir", store}, flags...)...).Output()
	lines := printedPattern.FindAllStringSubmatch(string(out), -1)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	if lines[1][1] != strings.TrimSpace(string(before)) {
		t.Errorf("it would be undone with %q, and was %q", lines[1][1], before)
	}
	undo := exec.Command("sh", "-c", `read -r wait; printf %s "$0" > `+corePattern, strings.TrimSpace(string(before)))
	undo.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := undo.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := undo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		alive.Close()
		_ = undo.Wait() // read fails at the end of the pipe, which is what it waits for
		if now, err := os.ReadFile(corePattern); err != nil || string(now) != string(before) {
			t.Errorf("kernel.core_pattern is %q (%v), and was %q", now, err, before)
		}
	})
	if err := os.WriteFile(corePattern, []byte(lines[0][1]), 0); err != nil {
		t.Fatal(err)
	}
}

// die lets a command die of SIGSEGV and returns its PID and how long it took until it could be waited for. Its core limit is
// 0, as most programs' is.
func (k *kernelTest) die(t *testing.T, cmd *exec.Cmd) (pid int, took time.Duration) {
	t.Helper()
	start := time.Now()
	err := cmd.Run()
	took = time.Since(start)
	if cmd.ProcessState == nil || !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return cmd.Process.Pid, took
}

func (k *kernelTest) program(args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -c 0; exec "$0" "$@"`, k.crash}, args...)...)
	cmd.Dir = "/"
	return cmd
}

// report waits for the report of a process; the handler makes it after the kernel has let the process go.
func (k *kernelTest) report(t *testing.T, store string, pid int) (r *report.Report, stem string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found, _ := filepath.Glob(filepath.Join(store, "crash."+strconv.Itoa(pid)+".*.json"))
		if len(found) == 1 {
			data, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := schemacheck.Validate(data); err != nil {
				t.Error(err)
			}
			r = new(report.Report)
			if err := json.Unmarshal(data, r); err != nil {
				t.Fatal(err)
			}
			return r, strings.TrimSuffix(found[0], ".json")
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(store, "handler.log"))
			t.Fatalf("no report of process %d:\n%s", pid, log)
		}
	}
}

func (k *kernelTest) storesAndExplains(t *testing.T) {
	store := filepath.Join(k.dir, "new", "store") // the handler makes it
	k.install(t, store)
	cmd := k.program("1", "--password=hunter2")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	before := time.Now()
	pid, _ := k.die(t, cmd)
	r, stem := k.report(t, store, pid)
	if len(r.Causes) == 0 || r.Causes[0].ID != "null-value" || r.Threads[0].Frames[0].File == nil {
		t.Errorf("causes %+v", r.Causes)
	}
	if got := strings.Join(r.Target.Args, " "); got != k.crash+" 1 --password=***" {
		t.Errorf("arguments %q", got)
	}
	p := r.Process
	host, _ := os.Hostname()
	if *p.PID != pid || p.HostPID != nil || *p.UID != 65534 || *p.GID != 65534 || *p.PPID != os.Getpid() || *p.Hostname != host || *p.DiedAtSource != "handler" {
		t.Errorf("process %+v", p)
	}
	if at, err := time.Parse(time.RFC3339, *p.DiedAt); err != nil || at.Before(before.Add(-2*time.Second)) || at.After(time.Now()) {
		t.Errorf("died at %s (%v), it was about %v", *p.DiedAt, err, before)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, ".core.zst": 0o600, ".txt": 0o600, ".json": 0o600} {
		path := stem + name
		if name == "" {
			path = store
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != mode || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	out, err := exec.Command(k.meshdiag, "core", "--profile", "none", stem+".core.zst").CombinedOutput()
	if !strings.Contains(string(out), "area") || !strings.Contains(string(out), "as the kernel told meshdiag handler") {
		t.Errorf("meshdiag core: %v\n%s", err, out)
	}
	if out, err = exec.Command(k.meshdiag, "core", "--list").Output(); !strings.Contains(string(out), stem+".core.zst") {
		t.Errorf("meshdiag core --list, which finds the folder by the pattern: %v\n%s", err, out)
	}
}

// tellsCgroup lets a program die in a cgroup with the name of a service.
func (k *kernelTest) tellsCgroup(t *testing.T) {
	group := ""
	for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(mount + "/cgroup.procs"); err == nil {
			group = mount + "/mdtest.slice"
			break
		}
	}
	if group == "" {
		t.Skip("no unified cgroup hierarchy is mounted")
	}
	service := group + "/mdtest.service"
	if err := os.MkdirAll(service, 0o755); err != nil {
		t.Skipf("no cgroup can be made here: %v", err)
	}
	t.Cleanup(func() { os.Remove(service); os.Remove(group) })
	store := filepath.Join(k.dir, "cgroup")
	k.install(t, store)
	cmd := exec.Command("sh", "-c", `echo $$ > "$1" && exec "$0" 1`, k.crash, service+"/cgroup.procs")
	cmd.Dir = "/"
	pid, _ := k.die(t, cmd)
	r, _ := k.report(t, store, pid)
	if p := r.Process; p.Unit == nil || *p.Unit != "mdtest.service" || *p.Cgroup != "/mdtest.slice/mdtest.service" {
		t.Errorf("process %+v", p)
	}
}

// tellsNamespace lets a program die in namespaces in which it is process 1 of user 0, as in a container.
func (k *kernelTest) tellsNamespace(t *testing.T) {
	store := filepath.Join(k.dir, "namespace")
	k.install(t, store)
	cmd := exec.Command(k.crash, "1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 70000, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 70000, Size: 1}},
		Credential: &syscall.Credential{}}
	pid, _ := k.die(t, cmd)
	r, _ := k.report(t, store, pid)
	if p := r.Process; *p.PID != 1 || *p.UID != 0 || p.HostPID == nil || *p.HostPID != pid || p.HostUID == nil || *p.HostUID != 70000 || p.PPID != nil {
		t.Errorf("process %s", asJSON(p))
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// keepsBudget lets five programs die where there is room for two cores. Where other programs of the machine died meanwhile, it
// tries again.
func (k *kernelTest) keepsBudget(t *testing.T) {
	const tries = 5
	for try := range tries {
		store := filepath.Join(k.dir, "budget"+strconv.Itoa(try))
		alone := t.Run("try "+strconv.Itoa(try), func(t *testing.T) {
			k.install(t, store, "--keep-total", "5M")
			last := 0
			for range 5 {
				last, _ = k.die(t, k.program("2"))
				k.report(t, store, last)
			}
			others, cores, sum := k.stored(t, store)
			if others {
				return
			}
			if sum > 5<<20 || cores != 2 {
				t.Errorf("%d cores and %d bytes are kept", cores, sum)
			}
			if newest, _ := filepath.Glob(filepath.Join(store, fmt.Sprintf("crash.%d.*.core.zst", last))); len(newest) != 1 {
				t.Error("the newest is not among them")
			}
		})
		if others, _, _ := k.stored(t, store); !alone || !others {
			return
		}
	}
	t.Skipf("other programs of this machine died during each of %d tries", tries)
}

// stored counts the cores and bytes in a store, and says whether there are cores of other programs.
func (k *kernelTest) stored(t *testing.T, store string) (others bool, cores int, sum int64) {
	t.Helper()
	entries, err := os.ReadDir(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".core.zst") {
			cores++
		}
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
		others = others || !strings.HasPrefix(e.Name(), "crash.") && e.Name() != "handler.log"
	}
	return others, cores, sum
}

// cutsLarge checks that a core beyond --max-size keeps what matters, and that the kernel stops writing.
func (k *kernelTest) cutsLarge(t *testing.T) {
	store := filepath.Join(k.dir, "large")
	k.install(t, store, "--max-size", "1M")
	pid, _ := k.die(t, k.program("64"))
	r, stem := k.report(t, store, pid)
	if info, err := os.Stat(stem + ".core.zst"); err != nil || info.Size() > 2<<20 {
		t.Errorf("%v bytes are stored (%v)", info.Size(), err)
	}
	if s := r.Outcome.Signal; s == nil || s.Name != "SIGSEGV" || !strings.Contains(strings.Join(r.Warnings, "\n"), "cut short") {
		t.Errorf("outcome %+v, warnings %q", r.Outcome, r.Warnings)
	}
}

func (k *kernelTest) refusesLink(t *testing.T) {
	real := filepath.Join(k.dir, "real")
	link := filepath.Join(k.dir, "link")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	k.install(t, link)
	k.die(t, k.program("1")) // and it is not held up by a handler that does not read
	if entries, err := os.ReadDir(real); err != nil || len(entries) > 0 {
		t.Errorf("behind the link: %v (%v)", entries, err)
	}
}

// measuresHold prints how long a dying process is kept by the handler: until its core is stored, and not for its report.
func (k *kernelTest) measuresHold(t *testing.T) {
	plain := map[string]time.Duration{}
	sizes := []string{"1", "64", "512"}
	for _, size := range sizes {
		plain[size] = k.median(t, size)
	}
	for _, flags := range [][]string{nil, {"--max-size", "64M"}} {
		store := filepath.Join(k.dir, "held"+strconv.Itoa(len(flags)))
		t.Run(strings.Join(append([]string{"flags"}, flags...), " "), func(t *testing.T) {
			k.install(t, store, flags...)
			for _, size := range sizes {
				with := k.median(t, size)
				t.Logf("%4s MiB that do not compress: %v without a core, %v with it in the store: held for %v", size, plain[size], with, with-plain[size])
			}
		})
	}
}

// median is how long the program takes to its end.
func (k *kernelTest) median(t *testing.T, size string) time.Duration {
	var all []time.Duration
	for range 3 {
		_, took := k.die(t, k.program(size))
		all = append(all, took)
	}
	slices.Sort(all)
	return all[1]
}
