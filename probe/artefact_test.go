package probe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
)

func TestFresh(t *testing.T) {
	built := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a := profile.Artefacts{Archives: []string{"libmesh_rt.a", "../target/*/libmesh_rt.a"}, Inputs: []string{"{exe}.ll"}}
	tests := []struct {
		name  string
		files map[string]time.Duration // age relative to the program
		ok    bool                     // the check passes
		found bool
		say   string
	}{
		{"nothing beside it", nil, false, false, ""},
		{"newer than all", map[string]time.Duration{"bin/app.ll": -time.Minute, "bin/libmesh_rt.a": -time.Hour}, true, true, "newer than"},
		{"within a second", map[string]time.Duration{"bin/app.ll": 900 * time.Millisecond}, true, true, "newer than"},
		{"older than its IR", map[string]time.Duration{"bin/app.ll": 3 * time.Minute}, false, true, "app.ll by 3 minutes"},
		{"older than its runtime", map[string]time.Duration{"bin/libmesh_rt.a": 72 * time.Hour}, false, true, "libmesh_rt.a by 3 days"},
		{"one of two archives is newer", map[string]time.Duration{"target/debug/libmesh_rt.a": -time.Hour, "target/release/libmesh_rt.a": time.Hour}, false, true, "release/libmesh_rt.a by 60 minutes"},
		{"another program's IR", map[string]time.Duration{"bin/other.ll": time.Hour}, false, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name string, age time.Duration) string {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, built.Add(age), built.Add(age)); err != nil {
					t.Fatal(err)
				}
				return path
			}
			exe := write("bin/app", 0)
			for name, age := range tt.files {
				write(name, age)
			}
			var c Check
			got := Fresh(Artefact{Exe: exe, Parts: a, Prefix: "mesh_", Function: func(string) bool { return true }})
			found := len(got) == 1
			if found {
				c = got[0]
			}
			if found != tt.found || c.OK != tt.ok || !strings.Contains(c.Detail, tt.say) {
				t.Errorf("%v %+v", found, c)
			}
			if found && !c.OK && c.Cause != "stale-artifact" {
				t.Errorf("cause %q", c.Cause)
			}
		})
	}
}

func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "app")
	if err := os.WriteFile(there, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	code := func(path string, deleted bool) crash.Mapping {
		return crash.Mapping{Perms: crash.Read | crash.Exec, PermsOK: true, Path: path, Deleted: deleted}
	}
	tests := []struct {
		name      string
		maps      []crash.Mapping
		ok, known bool
		say       string
	}{
		{"none", nil, true, false, ""},
		{"sound", []crash.Mapping{code(there, false)}, true, true, ""},
		{"replaced", []crash.Mapping{code("/usr/lib/x.so", false), code(there, true)}, false, true, "was replaced while the program ran"},
		{"deleted", []crash.Mapping{code(filepath.Join(dir, "gone"), true)}, false, true, "was deleted while the program ran"},
		{"data", []crash.Mapping{{Path: there, Perms: crash.Read, Deleted: true}}, true, false, ""},
		{"memfd", []crash.Mapping{code("/memfd:jit", true)}, true, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, known := Replaced(tt.maps, func(string) string { return "" })
			if known != tt.known || c.OK != tt.ok || !strings.Contains(c.Detail, tt.say) {
				t.Errorf("%v %+v", known, c)
			}
		})
	}
}

// TestLimits runs a process under real limits.
func TestLimits(t *testing.T) {
	cmd := exec.Command("sh", "-c", "ulimit -v 200000; ulimit -s 256; ulimit -n 5; exec sleep 60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	comm := fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid)
	for range 200 {
		if b, _ := os.ReadFile(comm); string(b) == "sleep\n" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	failed := map[string]Check{}
	for _, c := range Limits(cmd.Process.Pid) {
		if !c.OK {
			failed[c.ID] = c
		}
	}
	for id, say := range map[string]string{"limit-address-space": "limited to 195 MiB", "limit-stack": "grow to 256 KiB", "limit-files": "at most 5 may be"} {
		if c := failed[id]; !strings.Contains(c.Detail, say) {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if c := failed["limit-address-space"]; c.Cause != "out-of-memory" {
		t.Errorf("%+v", c)
	}
}

func TestCgroupMemory(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	group := filepath.Join(root, "user.slice", "app.scope")
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "cgroup"):          "12:cpu:/x\n0::/user.slice/app.scope\n",
		filepath.Join(group, "memory.max"):    "268435456\n",
		filepath.Join(group, "memory.events"): "low 0\nhigh 0\nmax 12\noom 3\noom_kill 1\noom_group_kill 0\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, ok := cgroupMemory(dir, root)
	if !ok || c.OK || c.Cause != "out-of-memory" || !strings.Contains(c.Detail, "killed 1 process in the control group /user.slice/app.scope for want of memory (limited to 256 MiB)") {
		t.Errorf("%v %+v", ok, c)
	}
}

func TestCorePattern(t *testing.T) {
	for pattern, ok := range map[string]bool{"core": true, "|/usr/lib/systemd/systemd-coredump %P": true, "|/bin/false": false, "": false, "/var/cores/%p": true} {
		if c := corePattern(pattern); c.OK != ok || c.Detail == "" {
			t.Errorf("%q: %+v", pattern, c)
		}
	}
}

// TestReplacedBySameBuild replaces a file by a copy of itself, then by another build.
func TestReplacedBySameBuild(t *testing.T) {
	dir := runtimes(t, "-Wl,--build-id")
	path := filepath.Join(dir, "app")
	ran := func(string) string { return buildIDForTest(t, dir, "app") }
	was := ran("")
	maps := []crash.Mapping{{Perms: crash.Read | crash.Exec, PermsOK: true, Path: path, Deleted: true}}
	if c, ok := Replaced(maps, func(string) string { return was }); !ok || !c.OK {
		t.Errorf("a copy of itself: %+v", c)
	}
	sh(t, dir, "gcc -Wl,--build-id -O1 app.c v2/librt.a -o app")
	if c, ok := Replaced(maps, func(string) string { return was }); !ok || c.OK || !strings.Contains(c.Detail, was[:12]+" ran, "+ran("")[:12]+" is there") {
		t.Errorf("another build: %+v", c)
	}
}

// buildIDForTest asks readelf for a build ID.
func buildIDForTest(t *testing.T, dir, name string) string {
	t.Helper()
	out, err := exec.Command("readelf", "-n", filepath.Join(dir, name)).Output()
	_, rest, ok := strings.Cut(string(out), "Build ID: ")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Fields(rest)[0]
}

func FuzzRlimits(f *testing.F) {
	if data, err := os.ReadFile("/proc/self/limits"); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { rlimits(data); counter(data, "oom_kill"); cgroupPath(string(data)) })
}
