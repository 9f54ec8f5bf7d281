package crash

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInCgroup(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for path, want := range map[string]Process{
		"/":                                     {},
		"/system.slice/mesher.service":          {Unit: "mesher.service"},
		"/system.slice/docker-" + id + ".scope": {Unit: "docker-" + id + ".scope", Container: id},
		"/docker/" + id:                         {Container: id},
		"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope":             {Unit: "cri-containerd-" + id + ".scope", Container: id},
		"/user.slice/user-1000.slice/user@1000.service/app.slice/libpod-" + id + ".scope": {Unit: "user@1000.service", Container: id},
		"/lxc.payload.web/system.slice/x.service":                                         {Unit: "x.service", Container: "web"},
		"/system.slice/x" + id + ".scope":                                                 {Unit: "x" + id + ".scope"}, // more than an ID
		"/" + id[1:]:                                                                      {},
		"/" + id[:62] + "XY":                                                              {},
	} {
		var got Process
		got.InCgroup(path)
		if path != "/" {
			want.Cgroup = path
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestParseCgroup(t *testing.T) {
	for text, want := range map[string]string{
		"0::/user.slice/a.scope\n":                          "/user.slice/a.scope",
		"9:name=systemd:/system.slice\n4:memory:/x\n0::/\n": "/system.slice",
		"1:name=systemd:/a\n0::/b:c\n":                      "/b:c",
		"0::/\n":                                            "",
		"4:memory:/x\nbroken\n":                             "",
		"":                                                  "",
	} {
		if got := ParseCgroup(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestAddMissing checks that the first witness is believed, and the unknown differs from zero.
func TestAddMissing(t *testing.T) {
	p := UnknownProcess()
	p.PPID, p.Hostname = 3, "first"
	q := &Process{PPID: 4, UID: 0, GID: -1, HostPID: 9, HostUID: -1, Died: time.Unix(5, 0), DiedFrom: FromXattr, Hostname: "second", Unit: "u"}
	p.AddMissing(q)
	p.AddMissing(&Process{UID: 7, GID: 8, HostUID: 6, Died: time.Unix(9, 0), DiedFrom: FromFileTime})
	want := &Process{PPID: 3, UID: 0, GID: 8, HostPID: 9, HostUID: 6, Died: time.Unix(5, 0), DiedFrom: FromXattr, Hostname: "first", Unit: "u"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}
