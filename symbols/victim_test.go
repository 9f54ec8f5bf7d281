package symbols

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// victim is a process stopped at its first fault signal under a minimal tracer of the test's own, so that these tests
// judge the unwinder and nothing else.
type victim struct {
	pid int
	mem *os.File
	do  chan func()
}

// ReadMemory implements crash.Memory over /proc/PID/mem.
func (v *victim) ReadMemory(buf []byte, addr uint64) (int, error) {
	n := 0
	for n < len(buf) {
		want := min(len(buf)-n, int(4096-(addr+uint64(n))&4095))
		got, err := v.mem.ReadAt(buf[n:n+want], int64(addr)+int64(n))
		n += got
		if err != nil {
			return n, &crash.UnreadableError{Addr: addr + uint64(n), Reason: err.Error()}
		}
	}
	return n, nil
}

// runToFault starts a program and freezes it at its first SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT or SIGTRAP after the
// skip-th one. It returns what package tracer would.
func runToFault(t testing.TB, skip int, argv ...string) *crash.Crash {
	t.Helper()
	v := &victim{do: make(chan func())}
	type result struct {
		c   *crash.Crash
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // all ptrace requests come from one thread; it dies with the goroutine
		c, err := v.start(skip, argv)
		done <- result{c, err}
		for f := range v.do {
			f()
		}
	}()
	r := <-done
	if r.err != nil {
		close(v.do)
		t.Fatalf("%v: %v", argv, r.err)
	}
	t.Cleanup(func() {
		v.do <- func() {
			_ = unix.Kill(v.pid, unix.SIGKILL)
			var ws unix.WaitStatus
			_, _ = unix.Wait4(v.pid, &ws, 0, nil)
			_ = v.mem.Close()
		}
		close(v.do)
	})
	return r.c
}

func (v *victim) start(skip int, argv []string) (*crash.Crash, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "LD_BIND_NOW=")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v.pid = cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(v.pid, &ws, 0, nil); err != nil {
		return nil, err
	}
	if err := unix.PtraceSetOptions(v.pid, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACECLONE); err != nil {
		return nil, err
	}
	tid, sig := v.pid, 0
	for {
		if err := unix.PtraceCont(tid, sig); err != nil {
			return nil, err
		}
		var err error
		if tid, err = unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil); err != nil {
			return nil, err
		}
		sig = 0
		switch {
		case ws.Exited() || ws.Signaled():
			if tid == v.pid {
				return nil, fmt.Errorf("ended without a fault: %v", ws)
			}
			tid, err = unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
			if err != nil {
				return nil, err
			}
		case ws.StopSignal() == unix.SIGTRAP && ws.TrapCause() > 0, ws.StopSignal() == unix.SIGSTOP:
		default:
			s := ws.StopSignal()
			fatal := s == unix.SIGSEGV || s == unix.SIGBUS || s == unix.SIGILL || s == unix.SIGFPE || s == unix.SIGABRT || s == unix.SIGTRAP
			if fatal {
				if skip--; skip < 0 {
					return v.observe(tid, argv)
				}
			}
			sig = int(s)
		}
	}
}

func (v *victim) observe(tid int, argv []string) (*crash.Crash, error) {
	var err error
	if v.mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", v.pid)); err != nil {
		return nil, err
	}
	regs, err := readRegs(tid)
	if err != nil {
		return nil, err
	}
	th := crash.Thread{TID: tid, RegsOK: true, Regs: regs}
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", v.pid))
	c := &crash.Crash{
		Target:  crash.Target{Source: crash.SourceLive, Path: argv[0], PID: v.pid, ExePath: exe, Arch: "amd64"},
		Threads: []crash.Thread{th}, Memory: v, Auxv: map[uint64]uint64{},
	}
	auxv, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", v.pid))
	if err != nil {
		return nil, err
	}
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		c.Auxv[binary.LittleEndian.Uint64(auxv)] = binary.LittleEndian.Uint64(auxv[8:])
	}
	c.Mappings, err = readMaps(v.pid)
	return c, err
}

func readRegs(tid int) (crash.Regs, error) {
	var r unix.PtraceRegs
	err := unix.PtraceGetRegs(tid, &r)
	return crash.Regs{
		R15: r.R15, R14: r.R14, R13: r.R13, R12: r.R12, RBP: r.Rbp, RBX: r.Rbx, R11: r.R11, R10: r.R10, R9: r.R9, R8: r.R8,
		RAX: r.Rax, RCX: r.Rcx, RDX: r.Rdx, RSI: r.Rsi, RDI: r.Rdi, OrigRAX: r.Orig_rax, RIP: r.Rip, EFLAGS: r.Eflags,
		RSP: r.Rsp, FSBase: r.Fs_base,
	}, err
}

// call runs f on the thread that traces the process.
func (v *victim) call(f func()) {
	done := make(chan struct{})
	v.do <- func() { f(); close(done) }
	<-done
}

func readMaps(pid int) ([]crash.Mapping, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []crash.Mapping
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		lo, hi, _ := strings.Cut(fields[0], "-")
		m := crash.Mapping{PermsOK: true, FileSize: -1}
		m.Start, _ = strconv.ParseUint(lo, 16, 64)
		m.End, _ = strconv.ParseUint(hi, 16, 64)
		m.Offset, _ = strconv.ParseUint(fields[2], 16, 64)
		for i, p := range []crash.Perms{crash.Read, crash.Write, crash.Exec} {
			if fields[1][i] != '-' {
				m.Perms |= p
			}
		}
		if len(fields) > 5 {
			m.Path = strings.Join(fields[5:], " ")
			if p, ok := strings.CutSuffix(m.Path, " (deleted)"); ok {
				m.Path, m.Deleted = p, true
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// buildC compiles a program from testdata and returns its path.
func buildC(t testing.TB, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), filepath.Ext(source)))
	compiler := "gcc"
	if filepath.Ext(source) == ".cc" {
		compiler = "g++"
	}
	args := append([]string{"-o", out, filepath.Join("testdata", source)}, flags...)
	if b, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, args, err, b)
	}
	return out
}

// names lists a stack's raw symbol names, innermost first; frames without a name show as "?".
func names(st Stack) []string {
	var out []string
	for _, f := range st.Frames {
		name := f.Symbol.Name
		if name == "" {
			name = "?"
		}
		out = append(out, name)
	}
	return out
}

func dump(t testing.TB, st Stack) {
	t.Helper()
	for _, f := range st.Frames {
		mod := "-"
		if f.Module != nil {
			mod = f.Module.Name()
		}
		t.Logf("#%d %#x ret=%v %s+%#x [%s] %s cfa=%#x %s sw=%q sig=%v", f.Index, f.Code.Addr, f.Code.IsReturn, f.Symbol.Name,
			f.Code.Addr-f.Symbol.Start, mod, f.Trust, f.CFA.Value, f.Why, f.Switch, f.Signal)
	}
	t.Logf("depth %d elided %d truncated %q", st.Depth, st.Elided, st.Truncated)
}

// buildCoro builds the Rust program of testdata/coro and returns the executable. Its folder outlives the test, so that
// only the first run compiles.
func buildCoro(t testing.TB, profile string) string {
	t.Helper()
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("no cargo here")
	}
	target := filepath.Join(os.TempDir(), "meshdiag-symbols-test-target")
	args := []string{"build", "--quiet", "--locked", "--manifest-path", "testdata/coro/Cargo.toml", "--target-dir", target}
	if profile == "release" {
		args = append(args, "--release")
	}
	if b, err := exec.Command(cargo, args...).CombinedOutput(); err != nil {
		t.Fatalf("cargo %v: %v\n%s", args, err, b)
	}
	return filepath.Join(target, profile, "coro")
}
