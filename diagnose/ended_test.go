package diagnose

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"meshdiag/report"
)

// ending is a program that ends for a reason outside of its code, or seems to.
type ending struct {
	name    string
	source  string // C, or a script for sh when it begins with #!
	outcome string
	cause   string   // id/kind of the first one; "" there is none with 40 % or more
	say     []string // in cause, or in outcome.detail
	never   []string // cause ids that nothing may point to
}

const limitsHead = `#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void limit(int what, long soft, long hard) { struct rlimit r = {soft, hard}; setrlimit(what, &r); }
static void died(const char *what) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(1); }
`

var endings = []ending{
	{"processor time, soft limit", limitsHead + `int main(void) { limit(RLIMIT_CPU, 1, 9); for (;;) ; }`, "killed", "killed/cpu-limit",
		[]string{"1 s are allowed (ulimit -t)", "its soft limit is 1 s"}, []string{"out-of-memory"}},
	{"processor time, hard limit", limitsHead + `int main(void) { limit(RLIMIT_CPU, 1, 1); for (;;) ; }`, "killed", "killed/cpu-limit",
		[]string{"1 s are allowed (ulimit -t)", "its hard limit is 1 s"}, []string{"out-of-memory"}},
	{"file size", limitsHead + `int main(void) { limit(RLIMIT_FSIZE, 4096, 4096); FILE *f = fopen("big", "w"); setbuf(f, 0); for (;;) if (fputs("0123456789", f) < 0) return 1; }`,
		"killed", "killed/file-size-limit", []string{"4.0 KiB (ulimit -f)", "/big, which has 4 KiB"}, nil},
	{"seccomp kills", limitsHead + seccomp("SECCOMP_RET_KILL_PROCESS"), "crashed", "killed/seccomp", []string{"forbids the system call getppid (number 110)"}, nil},
	{"seccomp traps", limitsHead + seccomp("SECCOMP_RET_TRAP"), "crashed", "killed/seccomp", []string{"forbids the system call getppid (number 110)", "SYS_SECCOMP"}, nil},
	{"alarm without a handler", limitsHead + `int main(void) { struct itimerval t = {{0, 0}, {0, 20000}}; setitimer(ITIMER_REAL, &t, 0); pause(); }`, "killed", "killed/timer",
		[]string{"does not handle SIGALRM", "a timer that the program itself had set"}, nil},
	{"POSIX timer without a handler", limitsHead + `int main(void) { timer_t t; struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
struct itimerspec s = {{0, 0}, {0, 20000000}}; timer_create(CLOCK_MONOTONIC, &e, &t); timer_settime(t, 0, &s, 0); pause(); }`, "killed", "killed/timer",
		[]string{"does not handle SIGUSR2", "timer_create"}, nil},
	{"signal to itself", limitsHead + `int main(void) { kill(getpid(), SIGUSR1); pause(); }`, "killed", "killed/itself", []string{"It sent SIGUSR1 to itself"}, nil},
	{"signal of a child that is gone", "#!/bin/sh\n/bin/kill -USR1 $$\nsleep 9\n", "killed", "killed/", []string{"its own child process", "/bin/kill -USR1"}, nil},
	{"SIGKILL by a child", "#!/bin/sh\nsh -c 'kill -KILL $PPID'\nsleep 9\n", "killed", "killed/", []string{"Nobody is told who sends SIGKILL"}, nil},
	{"pipe without a reader", limitsHead + `int main(void) { int p[2]; if (pipe(p)) return 1; close(p[0]); dup2(p[1], 1); for (;;) if (write(1, "x", 1) < 0) return 1; }`, "killed", "broken-pipe/",
		[]string{"It wrote to its standard output, a pipe that nobody has open for reading"}, nil},
	{"Unix socket whose other end is gone", limitsHead + `#include <sys/socket.h>
int main(void) { int p[2]; if (socketpair(AF_UNIX, SOCK_STREAM, 0, p)) return 1; close(p[0]); for (;;) if (write(p[1], "x", 1) < 0) return 1; }`, "killed", "broken-pipe/",
		[]string{"a Unix socket that was connected with process", "(app)"}, nil},
	{"TCP connection that was reset", limitsHead + `#include <sys/socket.h>
#include <netinet/in.h>
int main(void) { struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}; socklen_t n = sizeof a; int l = socket(AF_INET, SOCK_STREAM, 0);
bind(l, (void *)&a, n); listen(l, 1); getsockname(l, (void *)&a, &n); int c = socket(AF_INET, SOCK_STREAM, 0); connect(c, (void *)&a, n); close(accept(l, 0, 0));
for (;;) { if (write(c, "x", 1) < 0 && errno != ECONNRESET) return 1; usleep(1000); } }`, "killed", "broken-pipe/", []string{"a TCP connection of its address 127.0.0.1:", "which the other end has closed"}, nil},
	{"open files", limitsHead + `int main(void) { limit(RLIMIT_NOFILE, 32, 32); for (;;) if (open("/etc/hostname", O_RDONLY) < 0) died("accept"); }`, "exited", "exit-failure/no-files",
		[]string{"at most 32 may be (ulimit -n)", "times /etc/hostname"}, nil},
	{"open files, and a panic over it, in Rust", `use std::fs::File;
extern "C" { fn setrlimit(what: i32, limit: *const [u64; 2]) -> i32; }
fn main() {
    unsafe { setrlimit(7, &[32, 32]) };
    let _all: Vec<File> = (0..100).map(|_| File::open("/etc/hostname").unwrap()).collect();
}`, "panicked", "panic/runtime-panic", []string{"Too many open files", "At most 32 files may be open at a time (ulimit -n)", "had been closed on the way"}, nil},
	{"child dies, parent in Rust", `use std::process::{abort, exit, Command};
fn main() {
    if std::env::args().count() > 1 { abort() }
    let s = Command::new(std::env::current_exe().unwrap()).arg("--child").status().unwrap();
    if !s.success() { eprintln!("worker: {s}"); exit(5) }
}`, "exited", "exit-failure/child-died", []string{"--child) died of SIGABRT", "exited with status 5"}, nil},
	{"open files, and the words are about something else", limitsHead + `int main(void) { limit(RLIMIT_NOFILE, 32, 32); while (open("/etc/hostname", O_RDONLY) >= 0) ; fprintf(stderr, "config: no port given\n"); return 1; }`,
		"exited", "exit-failure/", []string{"config: no port given"}, nil},
	{"child dies, shell passes its status on", "#!/bin/sh\nsh -c 'kill -SEGV $$'\nexit\n", "exited", "exit-failure/child-died",
		[]string{"sh -c 'kill -SEGV $$'", "died of SIGSEGV", "128 plus the number", "meshdiag run -- sh -c 'kill -SEGV $$'"}, nil},
	{"child dies, parent gives up with a status of its own", limitsHead + `int main(int argc, char **argv) { if (argc > 1) return *(volatile int *)(argc - 2L);
pid_t p = fork(); if (!p) { execl(argv[0], "worker", "--once", (char *)0); _exit(1); } int st; waitpid(p, &st, 0); if (WIFSIGNALED(st)) fprintf(stderr, "worker is gone\n"); return 4; }`,
		"exited", "exit-failure/child-died", []string{"(worker --once) died of SIGSEGV", "exited with status 4"}, nil},
	{"child is killed by its parent, which fails for another reason", limitsHead + `int main(void) { pid_t p = fork(); if (!p) { pause(); } usleep(1000); kill(p, SIGKILL); waitpid(p, 0, 0);
fprintf(stderr, "config: no port given\n"); return 4; }`, "exited", "exit-failure/", []string{"config: no port given"}, nil},
	{"command that is not there", "#!/bin/sh\nno-such-command --now\n", "exited", "exit-failure/command", []string{"A command that it needs cannot be run: no-such-command", "command -v no-such-command"}, []string{"missing-extern"}},
	{"command that may not be executed", "#!/bin/bash\n./app.txt\n", "exited", "exit-failure/command", []string{"cannot be run: ./app.txt"}, nil},
	{"status of a shell, and nobody died", "#!/bin/sh\nexit 137\n", "exited", "exit-failure/", []string{"137 is 128 plus 9", "died of SIGKILL"}, []string{"killed", "out-of-memory"}},
	{"status 127 of its own", limitsHead + `int main(void) { fprintf(stderr, "config: no port given\n"); return 127; }`, "exited", "exit-failure/", []string{"config: no port given"}, []string{"missing-extern"}},
	{"child dies and is replaced", "#!/bin/sh\nsh -c 'kill -SEGV $$'\nexit 0\n", "healthy", "", nil, nil},
	{"head of a pipe", "#!/bin/sh\nyes | head -1\necho 'config: no port given' >&2\nexit 2\n", "exited", "exit-failure/", []string{"config: no port given"}, nil},
	{"asked to end, and says so by its status", "#!/bin/sh\ntrap 'exit 143' TERM\n(sleep 0.1; kill -TERM $$) &\nwait\nwait\n", "healthy", "", nil, nil},
	{"harmless words about errors", limitsHead + `int main(void) { puts("0 errors found; error handling is set up"); puts("no error"); return 0; }`, "healthy", "", nil, nil},
	{"failure, and harmless words", limitsHead + `int main(void) { puts("seccomp: allowed; out of 3 files none failed"); return 3; }`, "exited", "exit-failure/", nil,
		[]string{"out-of-memory", "killed", "missing-extern"}},
	{"stack", limitsHead + `int work(int n) { volatile char b[20000]; memset((void *)b, n, sizeof b); return n ? work(n - 1) + b[n] : b[1]; }
int main(int argc, char **argv) { if (argc == 1) { limit(RLIMIT_STACK, 512 << 10, 512 << 10); execl(argv[0], argv[0], "small", (char *)0); } return work(50) & 1; }`,
		"crashed", "stack-overflow/recursion", []string{"work calls itself, and the stack is smaller than usual", "The main thread's stack may only grow to 512 KiB (ulimit -s)", "ulimit -s 8192"}, nil},
	{"address space", limitsHead + `#include <new>
#include <vector>
int main(void) { limit(RLIMIT_AS, 200 << 20, 200 << 20); std::vector<std::vector<char>> all; for (;;) all.emplace_back(1 << 20, 1); }`, "panicked", "out-of-memory/",
		[]string{"limited to 200 MiB (ulimit -v), of which it uses"}, nil},
	{"allocation of a size that nobody meant", limitsHead + `#include <new>
#include <vector>
int main(int argc, char **argv) { std::vector<char> all((size_t)argc << 55); return all[argc]; }`, "panicked", "panic/uncaught-exception", nil, []string{"out-of-memory"}},
}

// seccomp forbids itself getppid and calls it.
func seccomp(answer string) string {
	return `#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
int main(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ` + answer + `),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {4, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) return 1;
    return syscall(SYS_getppid) > 0 ? 2 : 3;
}`
}

func (e *ending) build(t *testing.T) string {
	t.Helper()
	w := loaderWorld{t, t.TempDir()}
	switch {
	case strings.HasPrefix(e.source, "#!"):
		w.write("app", e.source)
		w.write("app.txt", "x")
		if err := os.Chmod(w.path("app.txt"), 0o644); err != nil {
			t.Fatal(err)
		}
	case strings.Contains(e.source, "fn main()"):
		w.write("app.rs", e.source)
		if out, err := exec.Command("rustc", "-O", "-o", w.path("app"), w.path("app.rs")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	case strings.Contains(e.source, "std::"):
		w.write("app.cpp", e.source)
		if out, err := exec.Command("g++", "-O1", "-o", w.path("app"), w.path("app.cpp")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	default:
		w.gcc(e.source, "app", "-O1", "-w")
	}
	return w.dir
}

func TestEndings(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.judge(t, inFolder(t, e.build(t), ""))
		})
	}
}

func (e *ending) judge(t *testing.T, r *report.Report) {
	t.Helper()
	text := whole(r) + "\n" + str(r.Outcome.Detail)
	first := ""
	if len(r.Causes) > 0 && r.Causes[0].Confidence >= 0.4 {
		first = r.Causes[0].ID + "/" + str(r.Causes[0].Kind)
	}
	if r.Outcome.Kind != e.outcome || first != e.cause {
		t.Errorf("outcome %s, cause %s; want %s, %s\n%s\n%+v", r.Outcome.Kind, first, e.outcome, e.cause, text, r.Checks)
	}
	for _, say := range e.say {
		if !strings.Contains(text, say) {
			t.Errorf("it does not say %q:\n%s", say, text)
		}
	}
	if slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return slices.Contains(e.never, c.ID) && c.Confidence > 0.1 }) {
		t.Errorf("%+v", r.Causes)
	}
}

// TestCoresOfEndings: the cores of a death by signal, saved by the run and written by the kernel, give the same cause.
func TestCoresOfEndings(t *testing.T) {
	meshdiag := buildMeshdiag(t)
	for _, e := range endings {
		switch e.cause {
		case "killed/cpu-limit", "killed/file-size-limit", "killed/seccomp", "killed/itself", "killed/timer":
		default:
			continue
		}
		if strings.Contains(e.source, "RLIMIT_CPU, 1, 1)") {
			continue // a second of processor time for what the soft limit shows, too
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			live, saved, kernels := runForCores(t, meshdiag, "--profile", "none", filepath.Join(e.build(t), "app"))
			e := ending{outcome: e.outcome, cause: e.cause}
			e.judge(t, live)
			e.judge(t, coreReport(t, saved))
			if kernels != "" {
				e.judge(t, coreReport(t, kernels))
			}
		})
	}
}

// TestSenderIsNamed has a process end the program and live on.
func TestSenderIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	sender := exec.Command("sh", "-c", `while ! pid=$(cat "$0" 2>/dev/null) || [ -z "$pid" ]; do sleep 0.02; done; kill -TERM "$pid"; read end`, file)
	hold, err := sender.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Start(); err != nil {
		t.Fatal(err)
	}
	r := diagnosed(t, "/bin/sh", "-c", "echo $$ > "+file+"; exec sleep 60")
	hold.Close()
	_ = sender.Wait()
	want := "Process " + strconv.Itoa(sender.Process.Pid) + " (sh -c 'while"
	if detail := str(r.Outcome.Detail); r.Outcome.Signal == nil || r.Outcome.Signal.Name != "SIGTERM" || !strings.HasPrefix(detail, want) || !strings.HasSuffix(detail, " sent it.") {
		t.Errorf("%+v %s", r.Outcome, detail)
	}
}

// TestSentToMeshdiag sends the signal to meshdiag, by kill and by the key of a terminal.
func TestSentToMeshdiag(t *testing.T) {
	t.Parallel()
	meshdiag := buildMeshdiag(t)
	started := func(t *testing.T, cmd *exec.Cmd, start func() error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "report.json")
		cmd.Args = append(cmd.Args, "run", "--format", "json", "-o", file, "/bin/sleep", "60")
		if err := start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		for range 1000 {
			children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid))
			for _, list := range children {
				pids, _ := os.ReadFile(list)
				for _, pid := range strings.Fields(string(pids)) {
					if call, _ := os.ReadFile("/proc/" + pid + "/syscall"); strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_CLOCK_NANOSLEEP)+" ") {
						return
					}
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("the program was not seen to sleep")
	}
	read := func(t *testing.T, cmd *exec.Cmd) string {
		t.Helper()
		_ = cmd.Wait()
		f, err := os.Open(cmd.Args[len(cmd.Args)-3])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := report.ReadJSON(f)
		if err != nil {
			t.Fatal(err)
		}
		return str(r.Outcome.Detail)
	}
	t.Run("kill", func(t *testing.T) {
		cmd := exec.Command(meshdiag)
		started(t, cmd, cmd.Start)
		if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if detail := read(t, cmd); detail != "meshdiag was sent it and passed it on." {
			t.Error(detail)
		}
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		cmd := exec.Command(meshdiag)
		var terminal *os.File
		started(t, cmd, func() (err error) { terminal, err = pty.Start(cmd); return err })
		defer terminal.Close()
		if _, err := terminal.WriteString("\x03"); err != nil {
			t.Fatal(err)
		}
		if detail := read(t, cmd); detail != "The terminal sent it: somebody pressed Ctrl-C." {
			t.Error(detail)
		}
	})
}

// TestFullFileSystem touches a hole of a mapped file, and writes, where nothing is free any more.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting takes root: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	mapped := ending{source: limitsHead + `#include <sys/mman.h>
int main(void) { int fd = open("` + dir + `/data", O_RDWR | O_CREAT, 0600); if (ftruncate(fd, 1 << 20)) return 1;
char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); for (long i = 0; i < 1 << 20; i += 4096) p[i] = 1; return 0; }`,
		outcome: "crashed", cause: "truncated-mapping/no-space", say: []string{"The file system of " + dir + " is full: none of its 64 KiB is free", "posix_fallocate"}}
	mapped.judge(t, inFolder(t, mapped.build(t), ""))
	written := ending{source: limitsHead + `int main(void) { int fd = open("` + dir + `/log", O_WRONLY | O_CREAT, 0600); char b[4096] = {1}; for (;;) if (write(fd, b, 4096) < 0) died("log"); }`,
		outcome: "exited", cause: "exit-failure/no-space", say: []string{"file system of " + dir + " is full", "mount -o remount"}}
	written.judge(t, inFolder(t, written.build(t), ""))
}

// TestRefusedProcesses starts processes until the user's limit, and the control group's, is reached.
func TestRefusedProcesses(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("becoming another user and making a control group takes root")
	}
	forks := func(before string) string { // the children hold their places until their parent is gone
		return limitsHead + `#include <sys/prctl.h>
int main(void) { ` + before + ` for (pid_t own = getpid();;) { pid_t p = fork(); if (!p) { prctl(PR_SET_PDEATHSIG, SIGKILL); while (getppid() == own) pause(); _exit(0); } if (p < 0) died("fork"); } }`
	}
	user := ending{source: forks(`limit(RLIMIT_NPROC, 8, 8); if (setuid(54321)) return 2;`), outcome: "exited", cause: "exit-failure/no-processes",
		say: []string{"user 54321 has 8 processes and threads, and at most 8 are allowed (ulimit -u)"}}
	user.judge(t, inFolder(t, user.build(t), ""))

	group := groupForTest(t, "pids", "pids.max", "9")
	crowd := ending{source: forks(""), outcome: "exited", cause: "exit-failure/no-processes", say: []string{"has 9 processes and threads, and at most 9 are allowed (pids.max)", "TasksMax="}}
	crowd.judge(t, diagnosed(t, "/bin/sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$1"`, group, filepath.Join(crowd.build(t), "app")))
}

// inMemoryGroup is set in a test process that was started inside a control group with little memory.
const inMemoryGroup = "MESHDIAG_TEST_MEMORY_GROUP"

// TestOutOfMemoryKill has the kernel's out-of-memory killer end a program: the test starts itself again in a control
// group of its own, as meshdiag and its target are in one.
func TestOutOfMemoryKill(t *testing.T) {
	if os.Getenv(inMemoryGroup) != "" {
		e := ending{outcome: "killed", cause: "out-of-memory/",
			say: []string{"The kernel ended it: its control group had used up its memory", "which may use 96.0 MiB", "ended 1 process in its control group"}}
		r := diagnosed(t, os.Getenv(inMemoryGroup))
		e.judge(t, r)
		child := ending{outcome: "exited", cause: "exit-failure/child-died", say: []string{"The kernel ended its child process", "app) for want of memory", "exited with status 1"}}
		child.judge(t, diagnosed(t, "/bin/sh", "-c", `"$0" || exit 1`, os.Getenv(inMemoryGroup)))
		if text := whole(r); strings.Contains(text, "the kernel's log") && !strings.Contains(text, "Killed process ") && !strings.Contains(text, "oom-kill:") {
			t.Error(text)
		}
		return
	}
	group := groupForTest(t, "memory", "memory.max", "96M")
	e := ending{source: limitsHead + `int main(void) { for (;;) { char *p = malloc(1 << 20); memset(p, 1, 1 << 20); } }`}
	cmd := exec.Command("sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, group, os.Args[0], "-test.run=^TestOutOfMemoryKill$")
	cmd.Env = append(os.Environ(), inMemoryGroup+"="+filepath.Join(e.build(t), "app"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// groupForTest makes a control group with one limit, in either version of the hierarchy.
func groupForTest(t *testing.T, controller, file, limit string) string {
	t.Helper()
	files := map[string]string{"memory.max": "memory.limit_in_bytes"} // names in version 1, where they differ
	for _, root := range []string{"/sys/fs/cgroup/" + controller, "/sys/fs/cgroup"} {
		dir := filepath.Join(root, "meshdiag-test-"+controller+"-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() {
			for range 300 { // the last process leaves it a little after its end
				if os.Remove(dir) == nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%s could not be removed", dir)
		})
		for _, name := range []string{file, files[file]} {
			if name != "" && os.WriteFile(filepath.Join(dir, name), []byte(limit), 0o600) == nil {
				return dir
			}
		}
	}
	t.Skip("making a control group with a limit takes root and the controller " + controller)
	return ""
}
