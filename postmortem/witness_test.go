package postmortem

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meshdiag/crash"
)

// processOf opens a core and returns what is known of its process, and its own PID.
func processOf(t *testing.T, path string) (*Core, *crash.Process, int) {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.Crash.Process, c.Crash.Target.PID
}

// TestKernelCoreTellsItsProcess checks what the notes of the kernel say, and that nothing but the file tells when it was.
func TestKernelCoreTellsItsProcess(t *testing.T) {
	path := needCore(t)
	_, p, pid := processOf(t, path)
	if pid == 0 || p.PPID == 0 || p.UID != os.Getuid() || p.GID != os.Getgid() || p.HostPID != 0 || p.HostUID != -1 {
		t.Errorf("process %d: %+v", pid, p)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.DiedFrom != crash.FromFileTime || !p.Died.Equal(info.ModTime()) {
		t.Errorf("died %v by %s, the file is of %v", p.Died, p.DiedFrom, info.ModTime())
	}
}

// TestStoreTellsOrigin checks that what the handler was told stays with the core, also when its file gets another name.
func TestStoreTellsOrigin(t *testing.T) {
	data, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	_, _, pid := processOf(t, needCore(t))
	died := time.Unix(1700000000, 0)
	path := storeCore(t, t.TempDir(), data, died)
	moved := filepath.Join(t.TempDir(), "x.core.zst")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	_, p, _ := processOf(t, moved)
	want := &crash.Process{PPID: p.PPID, UID: os.Getuid(), GID: os.Getgid(), HostPID: 5, HostUID: 1234, Died: died, DiedFrom: crash.FromHandler,
		Hostname: "build7", Cgroup: "/system.slice/mesher.service", Unit: "mesher.service"}
	if diff := cmp.Diff(want, p); diff != "" || pid == 5 {
		t.Errorf("process %d: %s", pid, diff)
	}
}

// TestOriginFrameDamaged checks that a frame which is not whole says nothing, and does no harm.
func TestOriginFrameDamaged(t *testing.T) {
	d := Dump{Name: "n", PID: 5, Time: 6, Process: &crash.Process{UID: 7, GID: 8, Hostname: "h"}}
	whole := append(append([]byte("compressed"), originFrame(d)...), sizeMark(100)...)
	w, ok := storedOrigin(bytes.NewReader(whole), uint64(len(whole)))
	if !ok || w.pid != 5 || w.UID != 7 || w.GID != 8 || w.Hostname != "h" || w.command != "n" || w.Died.Unix() != 6 {
		t.Errorf("%v %+v", ok, w)
	}
	for i := range whole {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(whole)
			bad[i] ^= flip
			storedOrigin(bytes.NewReader(bad), uint64(len(bad)))
		}
		if w, ok := storedOrigin(bytes.NewReader(whole[i:]), uint64(len(whole)-i)); ok && i > 18 {
			t.Errorf("without its first %d bytes it tells %+v", i, w)
		}
		if w, ok := storedOrigin(bytes.NewReader(whole[:i]), uint64(i)); ok {
			t.Errorf("cut at %d it tells %+v", i, w)
		}
	}
}

// TestSystemdTellsProcess checks attributes first, then what the journal adds.
func TestSystemdTellsProcess(t *testing.T) {
	_, path := systemdStore(t)
	c, p, pid := processOf(t, path)
	died := time.Unix(1795845331, 0)
	if !c.Systemd || p.HostPID != 14190 || pid == 14190 || p.Hostname != "build7" || p.DiedFrom != crash.FromXattr || !p.Died.Equal(died) {
		t.Errorf("by its attributes: %+v", p)
	}
	if p.Unit != "" || p.Cgroup != "" {
		t.Errorf("the unit is known without the journal: %+v", p)
	}
	if !c.AskJournal(context.Background(), realJournal(t), filepath.Join(systemdDir, systemdCore)) {
		t.Fatal("the journal does not know the core")
	}
	if p.Unit != "mesher.service" || p.Cgroup != "/system.slice/mesher.service" || p.Container != "" {
		t.Errorf("with the journal: %+v", p)
	}
}

// TestSystemdNameAlone is a core of systemd-coredump that was copied: its attributes are lost.
func TestSystemdNameAlone(t *testing.T) {
	_, _, pid := processOf(t, needCore(t))
	name := filepath.Join(t.TempDir(), "core.a.b.1000.3d20ed168c4d4ad0b1166d5744e0290a."+strconv.Itoa(pid)+".1795845331000123.zst")
	compressFile(t, needCore(t), name, zstdWriter)
	_, p, _ := processOf(t, name)
	if p.DiedFrom != crash.FromFileName || p.Died.UnixMicro() != 1795845331000123 || p.HostPID != 0 || p.HostUID != 1000 {
		t.Errorf("%+v", p)
	}
	// The name of another process's core says nothing of this one.
	other := filepath.Join(t.TempDir(), "core.a.1000.3d20ed168c4d4ad0b1166d5744e0290a."+strconv.Itoa(pid+1)+".1795845331000123.zst")
	if err := os.Rename(name, other); err != nil {
		t.Fatal(err)
	}
	if _, p, _ := processOf(t, other); p.DiedFrom != crash.FromFileTime || p.HostUID != -1 {
		t.Errorf("a name that lies was believed: %+v", p)
	}
}

func TestByPattern(t *testing.T) {
	for _, tt := range []struct{ pattern, path, want string }{
		{"/c/%e-%p-%t", "/c/a-b-7-1700000000", "a-b 7 -1 1700000000 0 "},
		{"/c/%h/%E.%P.%u.%s", "/c/build7/!srv!x.9.1000.11", " 9 1000 0 11 build7"},
		{"/c/core.%p", "/c/core.9.9", " 9 -1 0 0 "}, // kernel.core_uses_pid
		{"core.%p", "/anywhere/core.9", " 9 -1 0 0 "},
		{"core.%p", "/anywhere/other.9", "none"},
		{"core", "/anywhere/core", "none"},
		{"|/x %p", "/x 9", "none"},
		{"/c/%%e%", "/c/%e%", " 0 -1 0 0 "},
		{"/c/%t", "/c/99999999999999999999999", " 0 -1 0 0 "},
	} {
		w, ok := byPattern(tt.path, tt.pattern)
		got := "none"
		if ok {
			died := int64(0)
			if !w.Died.IsZero() {
				died = w.Died.Unix()
			}
			got = w.command + " " + strconv.Itoa(w.pid) + " " + strconv.Itoa(w.UID) + " " + strconv.Itoa(int(died)) + " " + strconv.Itoa(w.signal) + " " + w.Hostname
		}
		if got != tt.want {
			t.Errorf("%s by %s: %q, want %q", tt.path, tt.pattern, got, tt.want)
		}
	}
}
