package tracer

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// elfFile makes an ELF file of just a header and, if interp is given, a PT_INTERP.
func elfFile(class, data byte, kind, machine uint16, interp string) []byte {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF")
	b[4], b[5], b[6] = class, data, 1
	var order binary.ByteOrder = binary.LittleEndian
	if data == 2 {
		order = binary.BigEndian
	}
	order.PutUint16(b[16:], kind)
	order.PutUint16(b[18:], machine)
	order.PutUint32(b[20:], 1)
	order.PutUint64(b[32:], 64) // e_phoff
	order.PutUint16(b[52:], 64)
	order.PutUint16(b[54:], 56)
	order.PutUint16(b[58:], 64) // e_shentsize
	if interp != "" {
		order.PutUint16(b[56:], 1)
		order.PutUint32(b[64:], 3) // PT_INTERP
		order.PutUint64(b[72:], uint64(len(b)))
		order.PutUint64(b[96:], uint64(len(interp)+1))
		b = append(append(b, interp...), 0)
	}
	return b
}

func TestLaunchFailures(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const arm, x86, x8664 = 183, 3, 62
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	file := write("plain", 0o644, []byte("x"))
	for _, test := range []struct{ name, path, dir, want string }{
		{"missing", dir + "/nothing", "", "nothing does not exist."},
		{"not in PATH", "no-such-program-anywhere", "", `There is no program called "no-such-program-anywhere" in PATH.`},
		{"no name", "", "", "No program was named."},
		{"directory", dir, "", "is a directory, not a program."},
		{"below a file", file + "/x", "", "a part of the path before the last is not a directory"},
		{"link to itself", loop, "", "symbolic link that leads back to itself"},
		{"not executable", file, "", "is not executable: no execute permission is set."},
		{"empty", write("empty", 0o755, nil), "", "empty is empty."},
		{"text", write("text", 0o755, []byte("echo hello\n")), "", "neither an ELF file nor a script that starts with #!"},
		{"script without interpreter", write("s0", 0o755, []byte("#!\n")), "", "names no interpreter after #!"},
		{"script with missing interpreter", write("s1", 0o755, []byte("#!/no/such/python -u\nx\n")), "", "needs the interpreter /no/such/python, which does not exist."},
		{"script with Windows line ends", write("s2", 0o755, []byte("#!/bin/sh\r\necho\r\n")), "", "has Windows line ends"},
		{"arm64", write("arm", 0o755, elfFile(2, 1, 2, arm, "")), "", "built for another architecture: AArch64 (arm64) (ELFCLASS64), and this machine is x86-64."},
		{"big endian", write("be", 0o755, elfFile(2, 2, 2, 22, "")), "", "built for another architecture"},
		{"object file", write("o", 0o755, elfFile(2, 1, 1, x8664, "")), "", "is not a program but an object file that was not linked."},
		{"core", write("core", 0o755, elfFile(2, 1, 4, x8664, "")), "", "is not a program but a core dump."},
		{"loader missing", write("musl", 0o755, elfFile(2, 1, 3, x8664, "/lib/ld-none.so.1")), "", "needs the dynamic loader /lib/ld-none.so.1, which does not exist."},
		{"Windows program", write("exe", 0o755, []byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8\x00\x00\x00")), "", "but a program for Windows."},
		{"placeholder of git-lfs", write("lfs", 0o755, []byte("version https://git-lfs.github.com/spec/v1\noid x\n")), "", "git-lfs: the file itself was never fetched"},
		{"folder is missing", dir + "/no/such", "", "and neither does its folder."},
		{"cut", write("cut", 0o755, elfFile(2, 1, 2, x8664, "")[:40]), "", "cut"},
		{"working directory", "/bin/true", dir + "/nowhere", "The working directory " + dir + "/nowhere does not exist."},
	} {
		t.Run(test.name, func(t *testing.T) {
			obs := watch(t, Options{Path: test.path, Dir: test.dir}, func(c *crash.Crash) {
				if c.Focus != -1 || c.FocusThread() != nil || c.Memory == nil || c.Outcome.LaunchError == "" {
					t.Errorf("observation %+v", c)
				}
			})
			out := obs.out
			if out.LaunchKind == "" || len(out.LaunchNext) == 0 && test.name != "no name" {
				t.Errorf("kind %q, nothing to type: %q", out.LaunchKind, out.LaunchNext)
			}
			if out.End != crash.EndLaunchFailed || !strings.Contains(out.LaunchError, test.want) || !strings.HasSuffix(out.LaunchError, ".") {
				t.Errorf("outcome %+v, want %q", out, test.want)
			}
		})
	}
}

// TestLaunchAdvice checks what is said of what to type, where the file system tells more than the error.
func TestLaunchAdvice(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("bin/server", 0o755, "#!/bin/sh\n")
	write("bin/notes.txt", 0o644, "x")
	busy := write("busy", 0o755, "#!/bin/sh\n")
	held, err := os.OpenFile(busy, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	core := write("core.1", 0o644, string(elfFile(2, 1, 4, 62, "")))
	for _, test := range []struct {
		path, sentence, next string
		kind                 crash.LaunchKind
	}{
		{dir + "/bin", "is a directory", "it holds " + dir + "/bin/server", crash.LaunchFormat},
		{dir + "/bin/sever", "does not exist", "did you mean " + dir + "/bin/server?", crash.LaunchNotFound},
		{dir + "/bin/Server", "does not exist", "did you mean " + dir + "/bin/server?", crash.LaunchNotFound},
		{dir + "/bin/note", "does not exist", "ls -l " + dir + "/bin", crash.LaunchNotFound},
		{busy, "is being written by process " + strconv.Itoa(os.Getpid()) + " (tracer.test)", "ps -o pid,ppid,args -p " + strconv.Itoa(os.Getpid()), crash.LaunchBusy},
		{core, "a core dump", "meshdiag core " + core, crash.LaunchFormat},
		{write("py", 0o755, "#!/no/such/folder/sh -e\n"), "needs the interpreter", "sh is " + inPath("sh") + " here", crash.LaunchInterpreter},
		{write("it's", 0o644, "#!/bin/sh\n"), "no execute permission", `chmod +x '` + dir + `/it'\''s'`, crash.LaunchPermission},
		{write("bare", 0o755, "echo hello, world, again and again\n"), "neither an ELF file nor a script", "meshdiag run -- sh " + dir + "/bare", crash.LaunchFormat},
	} {
		out := watch(t, Options{Path: test.path}, nil).out
		if out.LaunchKind != test.kind || !strings.Contains(out.LaunchError, test.sentence) || !strings.Contains(strings.Join(out.LaunchNext, "\n"), test.next) {
			t.Errorf("%s: %s %q, next %q", test.path, out.LaunchKind, out.LaunchError, out.LaunchNext)
		}
	}
}

// TestNoexecMount launches from a file system that is mounted noexec.
func TestNoexecMount(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOEXEC, "size=1m"); err != nil {
		t.Skipf("mounting takes root: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	path := filepath.Join(dir, "app")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := watch(t, Options{Path: path}, nil).out
	if out.LaunchKind != crash.LaunchNoexec || !strings.Contains(out.LaunchError, "mounted noexec") {
		t.Errorf("%+v", out)
	}
}

// TestDiesInExec launches a program whose segments the kernel cannot map: it is ended after the point of no return.
func TestDiesInExec(t *testing.T) {
	image, err := os.ReadFile(program(t, "segv.c"))
	if err != nil {
		t.Fatal(err)
	}
	headers, n := binary.LittleEndian.Uint64(image[32:]), int(binary.LittleEndian.Uint16(image[56:]))
	last := -1
	for i := range n {
		p := image[int(headers)+56*i:]
		if binary.LittleEndian.Uint32(p) == 1 { // PT_LOAD
			last = int(headers) + 56*i
		}
	}
	binary.LittleEndian.PutUint64(image[last+40:], 1<<46) // p_memsz: more than an address space
	path := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(path, image, 0o755); err != nil {
		t.Fatal(err)
	}
	out := watch(t, Options{Path: path}, nil).out
	if out.End != crash.EndLaunchFailed || out.LaunchKind != crash.LaunchFormat || !strings.Contains(out.LaunchError, "cannot be loaded") && !strings.Contains(out.LaunchError, "cannot be launched") {
		t.Errorf("%+v", out)
	}
}

func TestScriptRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho script $1\nexit 6\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	obs := watch(t, Options{Path: path, Args: []string{"runs"}}, nil)
	if obs.out.ExitCode != 6 || obs.stdout != "script runs" {
		t.Errorf("outcome %+v, output %q", obs.out, obs.stdout)
	}
}

func TestNameFromPath(t *testing.T) {
	obs := watch(t, Options{Path: "sh", Args: []string{"-c", "echo $0"}}, func(c *crash.Crash) {
		if c.Target.Args[0] != "sh" || !filepath.IsAbs(c.Target.ExePath) {
			t.Errorf("target %+v", c.Target)
		}
	})
	if obs.stdout != "sh" {
		t.Errorf("output %q", obs.stdout)
	}
}

func TestForbiddenReason(t *testing.T) {
	const root, plain = "CapEff:\t000001ffffffffff\n", "CapEff:\t0000000000000000\n"
	for _, test := range []struct{ status, yama, want string }{
		{root + "TracerPid:\t77\nSeccomp:\t0\n", "1", "being traced by process 77"},
		{root + "TracerPid:\t0\nSeccomp:\t0\n", "3", "ptrace_scope is 3"},
		{plain + "TracerPid:\t0\nSeccomp:\t0\n", "2", "ptrace_scope is 2, which allows ptrace only with CAP_SYS_PTRACE"},
		{plain + "TracerPid:\t0\nSeccomp:\t2\n", "1", "a seccomp filter forbids ptrace"},
		{plain + "TracerPid:\t0\nSeccomp:\t0\n", "", "CAP_SYS_PTRACE is missing"},
		{root + "TracerPid:\t0\nSeccomp:\t0\n", "", "PTRACE_SEIZE was refused"},
		{"", "", "CAP_SYS_PTRACE is missing"},
	} {
		got := forbiddenReason("PTRACE_SEIZE", unix.EPERM, []byte(test.status), test.yama)
		if !strings.Contains(got, test.want) || !strings.HasPrefix(got, "Cannot trace the program") {
			t.Errorf("%q with yama %q: %s", test.status, test.yama, got)
		}
	}
}

// TestForbidden runs under a seccomp filter that refuses ptrace, as some containers have.
func TestForbidden(t *testing.T) {
	cmd, report := command(t, "/bin/true", nil, true, "TRACER_TEST_NO_PTRACE=1")
	out, err := cmd.CombinedOutput()
	data, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("%v, %v: %s", err, readErr, out)
	}
	if cmd.ProcessState.ExitCode() != launcherFail || !strings.Contains(string(data), "seccomp filter forbids ptrace (PTRACE_TRACEME") {
		t.Errorf("status %v, result %s", err, data)
	}
}

func TestForbiddenErrorIsTyped(t *testing.T) {
	var f *ForbiddenError
	if err := newForbidden("PTRACE_SEIZE", unix.EPERM); !errors.As(err, &f) || !errors.Is(err, unix.EPERM) || f.Op != "PTRACE_SEIZE" {
		t.Errorf("%#v", err)
	}
}
