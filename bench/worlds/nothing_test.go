package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/lab"
	"meshdiag/report"
)

// systemTest must be set for tests that start a server with the system's own tools, if in namespaces of their own.
const systemTest = "MESHDIAG_TEST_SYSTEM"

// TestFromNothing goes the way of a new user: no database on the machine, the first report, every line of it typed, and then
// all is well. docs/from-nothing-to-green.md is a transcript of the same.
func TestFromNothing(t *testing.T) {
	if os.Getenv(systemTest) == "" {
		t.Skip("starts a PostgreSQL cluster with Debian's tools in its own namespaces: set " + systemTest + "=1, as root")
	}
	if dir := os.Getenv("FROM_NOTHING_DIR"); dir != "" {
		fromNothing(t, dir)
		return
	}
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	image, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mesher"), image, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, pkg := range map[string]string{"meshdiag": "meshdiag/cmd/meshdiag", "meshc": "meshdiag/lab/cmd/meshc"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	inside := exec.Command("unshare", "--mount", "--net", os.Args[0], "-test.run=^TestFromNothing$", "-test.v")
	inside.Env = append(os.Environ(), "FROM_NOTHING_DIR="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := inside.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// fromNothing runs in the namespaces: it empties the machine of databases and types what the reports say.
func fromNothing(t *testing.T, dir string) {
	t.Chdir(dir)
	sh := func(line, input string) string {
		t.Helper()
		cmd := exec.Command("setsid", "--wait", "sh", "-c", line) // without a terminal passwords are asked for on stdin
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		t.Logf("$ %s\n%s", line, out)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return string(out)
	}
	sh("mount --make-rprivate / && ip link set lo up", "")
	for _, d := range []string{"/etc/postgresql", "/var/lib/postgresql", "/var/log/postgresql", "/run/postgresql"} {
		sh(fmt.Sprintf("mount -t tmpfs -o mode=0755 tmpfs %s && chown postgres:postgres %s", d, d), "")
	}
	sh("test ! -d /run/systemd || mount -t tmpfs tmpfs /run/systemd", "") // Debian's tools would ask systemd, which is outside
	_ = exec.Command("meshdiag", "run", "--format", "json", "-o", "first.json", "./mesher").Run()
	data, err := os.ReadFile("first.json")
	if err != nil {
		t.Fatal(err)
	}
	var first report.Report
	if err := json.Unmarshal(data, &first); err != nil || len(first.Causes) == 0 {
		t.Fatalf("%v\n%s", err, data)
	}
	defer func() {
		_ = exec.Command("sh", "-c", "pg_ctlcluster $(ls /etc/postgresql) main stop -m immediate").Run()
	}()
	for _, line := range first.Causes[0].Next {
		sh(strings.ReplaceAll(line, "PASSWORD", "mesh"), "mesh\nmesh\n")
	}
	if out := sh("meshdiag verify ./mesher", ""); !strings.Contains(out, "./mesher is well: ") {
		t.Error("not green")
	}
}
