package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"meshdiag/postmortem"
)

// TestListOnlyWhatMayBeRead lists as another user in a folder with a core of each of the two.
func TestListOnlyWhatMayBeRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root to be another user")
	}
	dir, err := os.MkdirTemp("", "meshdiag-list-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const nobody = 65534
	meshdiag, crash := filepath.Join(dir, "meshdiag"), filepath.Join(dir, "crash")
	for _, command := range [][]string{{"go", "build", "-o", meshdiag, "."}, {"gcc", "-o", crash, "testdata/held.c"},
		{meshdiag, "run", "--profile=none", "-o", os.DevNull, "--save-core", filepath.Join(dir, "root.core"), crash},
		{"cp", filepath.Join(dir, "root.core"), filepath.Join(dir, "own.core")}} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil && command[0] != meshdiag { // it says that the program crashed
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	if err := os.Chown(filepath.Join(dir, "own.core"), nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listed := func(uid uint32) (paths []string) {
		cmd := exec.Command(meshdiag, "core", "--list", "--format", "json")
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Cores []struct{ Path, FoundBy string }
		}
		if err := json.Unmarshal(out, &list); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, c := range list.Cores {
			if !filepath.IsAbs(c.Path) {
				paths = append(paths, c.Path)
			}
		}
		slices.Sort(paths)
		return paths
	}
	if got := listed(0); !slices.Equal(got, []string{"own.core", "root.core"}) {
		t.Errorf("root sees %q", got)
	}
	if got := listed(nobody); !slices.Equal(got, []string{"own.core"}) {
		t.Errorf("another user sees %q", got)
	}
}

// TestListIsSafeToPrint shows a crash whose names were chosen by somebody who wants to write to the terminal.
func TestListIsSafeToPrint(t *testing.T) {
	now := time.Unix(1700000000, 0)
	found := []postmortem.Found{
		{Path: "/x/core.e\x1b[31m\t\u202e", State: postmortem.Gone, Time: now.Add(-time.Hour * 3), TimeFrom: "journal", Where: "journal",
			Command: "a\nb", Exe: "/x/\x1b]0;owned\x07", PID: 7, UID: -1},
		{State: postmortem.NotKept, Time: now, Where: "journal", UID: 4294967294, Command: "c\nd"},
	}
	var text, list bytes.Buffer
	if err := tabulateCores(&text, found, now); err != nil {
		t.Fatal(err)
	}
	if err := writeCores(&list, found, errors.New("a\x1b[31mb")); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), list.String()} {
		if strings.ContainsAny(out, "\x1b\x07\t\u202e") {
			t.Errorf("not clean: %q", out)
		}
	}
	if lines := strings.Split(strings.TrimSpace(text.String()), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], "3 hours ago  ?  ") {
		t.Errorf("%q", lines)
	}
	if !json.Valid(list.Bytes()) || strings.Count(list.String(), `"uid": null`) != 1 {
		t.Errorf("%s", list.String())
	}
}
