package postmortem

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

func TestFindNewestFirst(t *testing.T) {
	data, err := os.ReadFile(needCore(t))
	if err != nil {
		t.Fatal(err)
	}
	cwd, systemd, handler, pattern := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	put := func(path string, data []byte, age time.Duration) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(cwd, "core"), data, time.Hour)
	put(filepath.Join(cwd, "core.txt"), []byte("the core of the matter"), 0)
	put(filepath.Join(systemd, "core.threads.0.abc.1.2"), data, time.Minute)
	put(filepath.Join(pattern, "c-threads-77-11"), data, 2*time.Minute)
	storeCore(t, handler, data, time.Now().Add(-30*time.Minute))
	put(filepath.Join(handler, "threads.5.6.txt"), []byte("a report"), 0)
	got, _ := Find(context.Background(), Places{Pattern: filepath.Join(pattern, "c-%e-%p-%s"), Systemd: systemd, Handler: handler, CWD: cwd,
		Journal: noJournal})
	want := []string{"systemd-coredump", "kernel.core_pattern", "meshdiag handler", "current folder"}
	if len(got) != len(want) {
		t.Fatalf("found %+v", got)
	}
	for i, f := range got {
		if f.Where != want[i] || f.Command != "threads" || f.Signal != "SIGSEGV" || f.PID == 0 {
			t.Errorf("%d: %+v, want %s", i, f, want[i])
		}
	}
	if _, err := Newest(Places{Pattern: "nothing-%p", Systemd: t.TempDir(), Handler: t.TempDir(), CWD: t.TempDir()}); err == nil {
		t.Error("found a core where there is none")
	}
}

// noJournal is a journal without entries.
const noJournal Journal = os.DevNull

// storeCore puts a core into a store as the kernel would, and returns its path.
func storeCore(t *testing.T, dir string, core []byte, died time.Time) string {
	t.Helper()
	d := Dump{Name: "threads", PID: 5, Time: died.Unix(), Signal: 11, Process: crash.UnknownProcess()}
	d.Process.UID, d.Process.Hostname = 1234, "build7"
	d.Process.InCgroup("/system.slice/mesher.service")
	got, err := openStore(t, dir).Put(bytes.NewReader(core), d, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return got.Path
}

func TestGlobOf(t *testing.T) {
	for pattern, want := range map[string]string{"core": "core", "/c/%e.%p": "/c/*.*", "a%%b[1]": `a%b\[1]`} {
		if got := globOf(pattern); got != want {
			t.Errorf("globOf(%q) = %q, want %q", pattern, got, want)
		}
	}
}

// realJournal unpacks three entries that systemd-coredump wrote: of mesher.service, of a container, and of a program in
// that container whose name is an escape sequence.
func realJournal(t *testing.T) Journal {
	t.Helper()
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("journalctl (package systemd) is not installed: nothing reads the journal")
	}
	packed, err := os.ReadFile("testdata/coredumps.journal.zst")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	data, err := z.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "coredumps.journal")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return Journal(path)
}

const (
	systemdCore = "core.mesher.0.3d20ed168c4d4ad0b1166d5744e0290a.14190.1795845331000000.zst"
	container   = "0f3a9c61be124d5e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f"
)

// systemdStore is a folder as systemd-coredump leaves it: a core with attributes, whose process had another number inside of
// its container than its machine knew.
func systemdStore(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, systemdCore)
	compressFile(t, needCore(t), path, zstdWriter)
	for name, value := range map[string]string{"pid": "14190", "uid": "0", "gid": "0", "signal": "11", "timestamp": "1795845331000000",
		"comm": "mesher", "exe": "/srv/mesher/mesher", "hostname": "build7"} {
		if err := unix.Setxattr(path, "user.coredump."+name, []byte(value), 0); err != nil {
			t.Skipf("this file system keeps no attributes: %v", err)
		}
	}
	return dir, path
}

// TestFindAsksTheJournal checks that crashes whose core is gone are listed, and what the journal adds to the others.
func TestFindAsksTheJournal(t *testing.T) {
	dir, path := systemdStore(t)
	got, err := Find(context.Background(), Places{Pattern: "|elsewhere", Systemd: dir, Handler: t.TempDir(), CWD: t.TempDir(), Journal: realJournal(t)})
	if err != nil {
		t.Error(err)
	}
	for i := range got {
		got[i].Time, got[i].Size = got[i].Time.UTC(), 0
	}
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	want := []Found{
		{Path: filepath.Join(dir, `core.e\x5c033[31m\x5c377x.65534.3d20ed168c4d4ad0b1166d5744e0290a.14468.1795845333000000.zst`), State: Gone,
			Time: at(1795845333), TimeFrom: "journal", Where: "journal", Command: "e\x1b[31m\xffx", PID: 14468, UID: 65534, Signal: "SIGSEGV",
			Exe: "/srv/mesher/e\x1b[31m\xffx", Unit: "docker-" + container + ".scope", Container: container},
		{Path: filepath.Join(dir, "core.mesher.65534.3d20ed168c4d4ad0b1166d5744e0290a.14333.1795845332000000.zst"), State: Gone,
			Time: at(1795845332), TimeFrom: "journal", Where: "journal", Command: "mesher", PID: 14333, UID: 65534, Signal: "SIGSEGV",
			Exe: "/srv/mesher/mesher", Unit: "docker-" + container + ".scope", Container: container},
		{Path: path, State: Present, Time: at(1795845331), TimeFrom: "xattr", Where: "systemd-coredump", Command: "mesher", PID: 14190,
			Signal: "SIGSEGV", Exe: "/srv/mesher/mesher", Unit: "mesher.service"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestForgedEntry checks that an entry cannot make meshdiag look at any file it names: every user can write to the journal.
func TestForgedEntry(t *testing.T) {
	all := parseEntries([]byte(`{"COREDUMP_PID":"7","COREDUMP_FILENAME":"/etc/passwd"}
{"COREDUMP_PID":"8","COREDUMP_FILENAME":"/var/lib/systemd/coredump/../../../../etc/passwd"}
{"COREDUMP_PID":"9","COREDUMP":null}
{"COREDUMP_PID":["10","11"],"COREDUMP_UID":"-3","COREDUMP_TIMESTAMP":"99999999999999999999"}
{"COREDUMP_PID":"no"}
not JSON
{"COREDUMP_PID":"12","COREDU`))
	p := Places{Systemd: t.TempDir()}
	var got []Found
	for i := range all {
		got = append(got, p.told(&all[i]))
	}
	want := []Found{{State: NotKept, Where: "journal", PID: 7, UID: -1}, {State: NotKept, Where: "journal", PID: 8, UID: -1},
		{State: InJournal, Where: "journal", PID: 9, UID: -1}, {State: NotKept, Where: "journal", PID: 10, UID: -1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseEntries(f *testing.F) {
	f.Add([]byte(`{"COREDUMP_PID":"7","COREDUMP_EXE":[47,27,255],"COREDUMP_CGROUP":"/a/b.service","COREDUMP_COMM":"e\\033"}`))
	f.Add([]byte(`{"COREDUMP_PID":[[["7"]]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range parseEntries(data) {
			if e.pid <= 0 || e.UID < -1 {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestHandlerDir(t *testing.T) {
	for pattern, want := range map[string]string{
		"core": StoreDir, "|/usr/bin/other --dir /x": StoreDir, "|/usr/bin/meshdiag handler --pid %P": StoreDir,
		"|/usr/bin/meshdiag handler --pid %P --dir /srv/cores --timeout 5s": "/srv/cores",
		"|/usr/bin/meshdiag handler -p%P --timeout=5s --dir=/srv/cores":     "/srv/cores",
	} {
		if got := handlerDir(pattern); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

// TestSilentJournal checks that a journal which cannot be read is told, and costs no core.
func TestSilentJournal(t *testing.T) {
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("journalctl (package systemd) is not installed: nothing reads the journal")
	}
	broken := filepath.Join(t.TempDir(), "broken.journal")
	if err := os.WriteFile(broken, []byte("no journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, _ := systemdStore(t)
	got, err := Find(context.Background(), Places{Pattern: "|elsewhere", Systemd: dir, Handler: t.TempDir(), CWD: t.TempDir(), Journal: Journal(broken)})
	if len(got) != 1 || err == nil {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Journal(broken).entries(ctx, ""); err == nil {
		t.Error("nothing is said of a journal that was not read in time")
	}
}
