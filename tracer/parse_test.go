package tracer

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meshdiag/crash"
)

func TestParseMaps(t *testing.T) {
	text := `55d0c4a00000-55d0c4a02000 r-xp 00001000 fe:00 131 /usr/bin/a program
55d0c4a03000-55d0c4a04000 rw-s 00000000 fe:00 0
7f2a00000000-7f2a00001000 ---p 00000000 00:00 0
7f2a00002000-7f2a00003000 r--p 00002000 fe:00 77                         /lib/gone.so (deleted)
7f2a00004000-7f2a00005000 r--p 00000000 fe:00 78                         /odd\012name
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
nonsense
7f00-7e00 r--p 0 0 0
`
	maps, bad := parseMaps([]byte(text))
	if bad != 2 {
		t.Errorf("%d bad lines, want 2", bad)
	}
	want := []crash.Mapping{
		{Range: crash.Range{Start: 0x55d0c4a00000, End: 0x55d0c4a02000}, Perms: crash.Read | crash.Exec, Offset: 0x1000, Path: "/usr/bin/a program"},
		{Range: crash.Range{Start: 0x55d0c4a03000, End: 0x55d0c4a04000}, Perms: crash.Read | crash.Write | crash.Shared},
		{Range: crash.Range{Start: 0x7f2a00000000, End: 0x7f2a00001000}},
		{Range: crash.Range{Start: 0x7f2a00002000, End: 0x7f2a00003000}, Perms: crash.Read, Offset: 0x2000, Path: "/lib/gone.so", Deleted: true},
		{Range: crash.Range{Start: 0x7f2a00004000, End: 0x7f2a00005000}, Perms: crash.Read, Path: "/odd\nname"},
		{Range: crash.Range{Start: 0x7ffc00000000, End: 0x7ffc00021000}, Perms: crash.Read | crash.Write, Path: "[stack]"},
		{Range: crash.Range{Start: 0xffffffffff600000, End: 0xffffffffff601000}, Perms: crash.Exec, Path: "[vsyscall]"},
	}
	for i := range want {
		want[i].PermsOK, want[i].FileSize = true, -1
	}
	if !slices.Equal(maps, want) {
		t.Errorf("got\n%+v\nwant\n%+v", maps, want)
	}
}

func TestParseOwnMaps(t *testing.T) {
	maps, err := mappings(ownPID)
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Readlink("/proc/self/exe")
	st, _ := os.Stat(exe)
	if !slices.ContainsFunc(maps, func(m crash.Mapping) bool { return m.Path == exe && m.FileSize == st.Size() }) {
		t.Errorf("our own executable %s is not in %+v", exe, maps)
	}
}

func TestParseState(t *testing.T) {
	for stat, want := range map[string]string{
		"12 (sh) S 1 2":        "S",
		"12 (a) R (b) D 1 2":   "D",
		"12 (x":                "",
		"12 (x)":               "",
		"":                     "",
		"12 () \n) Z 0 0 0 0 ": "Z",
	} {
		if got := parseState([]byte(stat)); got != want {
			t.Errorf("%q: %q, want %q", stat, got, want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	status := []byte("Name:\tx\nTgid:\t42\nSigCgt:\t0000000000000400\nSigIgn:\tzz\n")
	if n, ok := statusNumber(status, "Tgid"); !ok || n != 42 {
		t.Error(n, ok)
	}
	if m, ok := statusMask(status, "SigCgt"); !ok || m != signalBit(11) {
		t.Error(m, ok)
	}
	for _, key := range []string{"SigIgn", "SigBlk"} {
		if _, ok := statusMask(status, key); ok {
			t.Errorf("%s was understood", key)
		}
	}
}

func TestParseOOMKills(t *testing.T) {
	for text, want := range map[string]int{
		"nr_free_pages 3\noom_kill 17\noom_killed 5\n": 17,
		"oom_kill x\n":    -1,
		"nr_oom_kill 3\n": -1,
		"":                -1,
	} {
		if got := parseOOMKills([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestOOMWatch claims a victim only when the counter is known and has grown.
func TestOOMWatch(t *testing.T) {
	now := oomKills()
	if now < 0 {
		t.Fatal("this kernel counts no victims")
	}
	for before, want := range map[int]int{-1: -1, now: 0} {
		o := &oomWatch{before: before, kills: -1, booted: monotonic()}
		if got := o.tell(1, "x"); got.Machine != want || got.Group != -1 || got.Record != "" {
			t.Errorf("before %d, now %d: %+v", before, now, got)
		}
	}
}

// TestMemoryGroup reads both versions of the hierarchy.
func TestMemoryGroup(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"app.slice/memory.events":          "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
		"app.slice/memory.max":             "268435456\n",
		"free.slice/memory.events":         "oom_kill 0\n",
		"free.slice/memory.max":            "max\n",
		"memory/old/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
		"memory/old/memory.limit_in_bytes": "9223372036854771712\n",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for cgroup, want := range map[string]struct {
		path  string
		kills int
		limit uint64
	}{
		"0::/app.slice\n":                  {"/app.slice", 2, 256 << 20},
		"4:memory:/\n0::/free.slice\n":     {"/free.slice", 0, crash.NoLimit},
		"8:pids:/x\n4:memory:/old\n0::/\n": {"/old", 5, crash.NoLimit},
		"0::/\n":                           {"", -1, crash.NoLimit},
		"0::/no.such\nnonsense\n":          {"", -1, crash.NoLimit},
	} {
		if g := memoryGroupOf(cgroup, root); g.path != want.path || g.kills() != want.kills || g.limit() != want.limit {
			t.Errorf("%q: %+v, %d kills, limit %d", cgroup, g, g.kills(), g.limit())
		}
	}
}

func TestOOMRecords(t *testing.T) {
	for text, want := range map[string]int{
		"6,1120,5012345678,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=my, app,pid=23615,uid=0\n SUBSYSTEM=x\n": 23615,
		"3,1121,5012345679,-;Memory cgroup out of memory: Killed process 23615 (my, app) total-vm:20980kB, anon-rss:17664kB":                                                       23615,
		"3,1121,5012345679,-,caller=T1;Out of memory: Killed process 7 (app) total-vm:1kB":                                                                                         7,
		"6,1,1,-;oom_reaper: reaped process 23615 (eat), now anon-rss:0kB":                                                                                                         0,
		"nonsense": 0,
		"":         0,
	} {
		at, line := kmsgRecord(text)
		pid, name, ok := oomVictim(line)
		if pid != want || ok != (want != 0) || ok && (at == 0 || name != "app" && name != "my, app") {
			t.Errorf("%q: %v %d %q %v", text, at, pid, name, ok)
		}
	}
}

func TestParseCPU(t *testing.T) {
	stat := "17 (a ) b (c) S 1 17 17 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 1 0 5 0 0"
	if cpu, ok := parseCPU([]byte(stat)); !ok || cpu != 2810*time.Millisecond {
		t.Error(cpu, ok)
	}
	for _, bad := range []string{"", "17 (a", "17 (a) S 1", "17 (a) S 1 2 3 4 5 6 7 8 9 10 x y"} {
		if _, ok := parseCPU([]byte(bad)); ok {
			t.Errorf("%q was understood", bad)
		}
	}
}

func TestParseAuxv(t *testing.T) {
	words := []byte{
		9, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x10, 0, 0, 0, 0, 0, 0,
		6, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	}
	if got := parseAuxv(words); len(got) != 2 || got[9] != 0x1040 || got[6] != 4096 {
		t.Error(got)
	}
	if parseAuxv(nil) != nil || parseAuxv(words[:15]) != nil {
		t.Error("something was made of nothing")
	}
}

func TestDecodeSiginfo(t *testing.T) {
	raw := func(sig byte, code int32, at16 ...byte) []byte {
		b := make([]byte, siginfoSize)
		b[0] = sig
		binary.LittleEndian.PutUint32(b[8:], uint32(code))
		copy(b[16:], at16)
		return b
	}
	for _, test := range []struct {
		raw  []byte
		want crash.Signal
	}{
		{raw(11, 1, 0x10, 0x20), crash.Signal{Number: 11, Code: 1, Address: 0x2010}},
		{raw(11, 0x80), crash.Signal{Number: 11, Code: 0x80}},
		{raw(15, 0, 7, 0, 0, 0, 9), crash.Signal{Number: 15, PID: 7, UID: 9}},
		{raw(6, -6, 7, 1), crash.Signal{Number: 6, Code: -6, PID: 0x107}},
		{raw(14, 0x80, 7, 1), crash.Signal{Number: 14, Code: 0x80}},
	} {
		if got := decodeSiginfo(test.raw); *got != test.want {
			t.Errorf("got %+v, want %+v", *got, test.want)
		}
	}
}

func FuzzParseMaps(f *testing.F) {
	data, _ := os.ReadFile("/proc/self/maps")
	f.Add(data)
	f.Add([]byte("0-1 r--p 0 0 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		maps, bad := parseMaps(data)
		lines := bytes.Count(data, []byte("\n"))
		if len(maps)+bad > lines+1 {
			t.Errorf("%d mappings and %d bad lines of %d", len(maps), bad, lines)
		}
		for _, m := range maps {
			if m.End <= m.Start {
				t.Errorf("mapping %+v", m)
			}
		}
	})
}

func FuzzParseProc(f *testing.F) {
	f.Add([]byte("Name:\tx\nTgid:\t42\n"))
	f.Add([]byte("1 (x) S 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseState(data)
		parseCPU(data)
		if _, text := kmsgRecord(string(data)); text != "" {
			oomVictim(text)
		}
		statusNumber(data, "Tgid")
		statusMask(data, "SigCgt")
		if aux := parseAuxv(data); len(aux) > len(data)/16 {
			t.Errorf("%d entries of %d bytes", len(aux), len(data))
		}
		if parts := splitNUL(data); len(parts) > bytes.Count(data, []byte{0})+1 {
			t.Errorf("%d strings", len(parts))
		}
	})
}

func FuzzLaunchSentence(f *testing.F) {
	f.Add([]byte("#!/bin/sh -x\n"))
	f.Add(elfFile(2, 1, 3, 62, "/lib/ld.so"))
	f.Add(elfFile(1, 2, 3, 8, ""))
	path := f.TempDir() + "/program"
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o755); err != nil {
			t.Fatal(err)
		}
		if e := explainContent(path); e != nil && (!strings.HasSuffix(e.sentence, ".") || !strings.Contains(e.sentence, "program") || e.kind == "" || len(e.next) == 0) {
			t.Errorf("%+v", e)
		}
	})
}

// TestParseSmaps reads what a kernel wrote, shortened, with a file whose path looks like a field.
func TestParseSmaps(t *testing.T) {
	text := `7f0000000000-7f0000010000 rw-p 00000000 00:00 0 
Size:                 64 kB
Anonymous:            64 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac 
7f0000010000-7f0000020000 r--s 00000000 08:02 12                         /tmp/Anonymous: 7 kB
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd mr mw me dd 
7f0000020000-7f0000030000 rw-p 00000000 00:0f 13                         /anon_hugepage (deleted)
VmFlags: rd wr ht io
broken
Anonymous:             9 kB
VmFlags: dd
7f0000030000-7f0000040000 rw-p 00000000 00:00 0 
Anonymous:            64 kB
`
	got := map[uint64]crash.Traits{}
	parseSmaps([]byte(text), func(m crash.Mapping, traits crash.Traits) { got[m.Start] = traits })
	want := map[uint64]crash.Traits{
		0x7f0000000000: crash.TraitsKnown | crash.OwnPages,
		0x7f0000010000: crash.TraitsKnown | crash.OwnPages | crash.DontDump,
		0x7f0000020000: crash.TraitsKnown | crash.HugePages | crash.DontDump,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
