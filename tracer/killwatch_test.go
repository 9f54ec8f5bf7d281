package tracer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// TestWhoSentSIGKILL mounts tracefs in a folder of its own and has processes send SIGKILL.
func TestWhoSentSIGKILL(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tracefs", 0, ""); err != nil {
		t.Skipf("mounting takes root: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	if space, err := os.Readlink("/proc/self/ns/pid"); err != nil || space != initPIDSpace {
		t.Skipf("the watch works in the first PID namespace only: this is %s", space)
	}
	id, _, ok := readEvent(filepath.Join(dir, killEvent))
	if !ok {
		t.Skip("this kernel has no tracepoint for signals")
	}
	ring := openRing(id, 0, os.Getpid())
	if ring == nil {
		t.Skip("perf_event_open(2) is not allowed here")
	}
	_ = unix.Munmap(ring)
	begun := filepath.Join(t.TempDir(), "begun")
	await := `i=0; while ! [ -e ` + begun + ` ] && [ $i -lt 1000 ]; do sleep 0.02; i=$((i+1)); done; rm ` + begun + `; `
	dirs, after, call := tracefs, killWatchAfter, killWatchBegun
	tracefs, killWatchAfter = []string{"/nowhere", dir}, 0
	killWatchBegun = func() { _ = os.WriteFile(begun, nil, 0o600) }
	defer func() { tracefs, killWatchAfter, killWatchBegun = dirs, after, call }()

	pidFile := filepath.Join(t.TempDir(), "pid")
	sender := exec.Command("sh", "-c", `while ! pid=$(cat "$0" 2>/dev/null) || [ -z "$pid" ]; do sleep 0.02; done; `+await+`kill -USR2 "$pid"; kill -KILL "$pid"; read end`, pidFile)
	hold, err := sender.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Start(); err != nil {
		t.Fatal(err)
	}
	obs := watch(t, Options{Path: "/bin/sh", Args: []string{"-c", `trap : USR2; echo $$ > "$0"; while :; do sleep 0.1; done`, pidFile}}, nil)
	hold.Close()
	_ = sender.Wait()
	s := obs.out.Signal
	if s == nil || s.Number != int(unix.SIGKILL) || s.CodeUnknown || s.Code != 0 || s.PID != sender.Process.Pid || s.UID != os.Getuid() {
		t.Fatalf("%+v", s)
	}
	if p := obs.out.Sender; p == nil || p.PID != sender.Process.Pid || len(p.Args) < 3 || p.Kin {
		t.Errorf("%+v", p)
	}

	// A child that is gone when the signal arrives, and the kernel itself.
	child := watch(t, Options{Path: "/bin/sh", Args: []string{"-c", await + `/bin/kill -KILL $$; sleep 9`}}, nil)
	if p := child.out.Sender; p == nil || !p.Kin || p.Name != "kill" {
		t.Errorf("%+v %+v", child.out.Signal, p)
	}
	kernel := watch(t, Options{Path: "/bin/sh", Args: []string{"-c", await + `ulimit -t 1; while :; do :; done`}}, nil)
	if s := kernel.out.Signal; s == nil || s.Number != int(unix.SIGKILL) || s.Code != crash.SIKernel || s.PID != 0 || kernel.out.Sender != nil {
		t.Errorf("%+v", s)
	}
}

// TestKillWatchNeedsTime checks that a short run does not ask for the tracepoint at all.
func TestKillWatchNeedsTime(t *testing.T) {
	begin := time.Now()
	var k killWatch
	quit := make(chan struct{})
	close(quit)
	k.watch(os.Getpid(), quit)
	if k.seen() != nil || k.rings != nil || time.Since(begin) > killWatchAfter {
		t.Error("it watched")
	}
}

func FuzzKillRecord(f *testing.F) {
	f.Add([]byte{9, 0, 0, 0, 1, 0, 80, 0, 69, 52, 0, 0, 69, 52, 0, 0, 52, 0, 0, 0, 5, 1, 1, 2}, "field:int code;\toffset:16;\tsize:4;\tsigned:1;\n")
	f.Fuzz(func(t *testing.T, records []byte, format string) {
		off, ok := fieldOffset([]byte(format), "code")
		if ok && off < 0 {
			t.Error(off)
		}
		if s := firstKill(records, off); s != nil && s.PID < 0 {
			t.Error(strconv.Itoa(s.PID))
		}
	})
}
