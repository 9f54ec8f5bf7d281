package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"

	"meshdiag/report"
)

func healthyReport() *report.Report {
	return &report.Report{Schema: report.SchemaID, Target: report.Target{Path: "/bin/true"}, Outcome: report.Outcome{Kind: "healthy"}}
}

func writeTo(t *testing.T, path string) error {
	t.Helper()
	o := output{format: "text", color: "auto", path: path, plain: os.Stderr}
	s, err := o.open()
	if err != nil {
		return err
	}
	defer s.discard()
	return s.write(healthyReport())
}

func TestFileIsReplacedInOnePiece(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.txt")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	o := output{format: "text", color: "auto", path: path, plain: os.Stderr}
	s, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("the old file holds %q before the report is written", got)
	}
	if err := s.write(healthyReport()); err != nil {
		t.Fatal(err)
	}
	s.discard()
	if got := read(t, path); !strings.HasPrefix(got, "meshdiag: true ended") {
		t.Errorf("content %q", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want the old file's", info.Mode())
	}
	onlyFile(t, dir, "report.txt")
}

func TestUnfinishedReportLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	o := output{format: "text", color: "auto", path: filepath.Join(dir, "report.txt"), plain: os.Stderr}
	s, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	s.discard()
	onlyFile(t, dir)
}

func TestNewFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.txt")
	if err := writeTo(t, path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestLinkStaysALink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := writeTo(t, link); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("link points to %q, %v", target, err)
	}
	if read(t, path) == "" {
		t.Error("the file behind the link is empty")
	}
}

func TestDevice(t *testing.T) {
	if err := writeTo(t, os.DevNull); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is %v now", os.DevNull, info.Mode())
	}
}

func TestFolderAndMissingFolder(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{dir: "it is a folder", filepath.Join(dir, "no", "r.txt"): "no such file or directory"} {
		if err := writeTo(t, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

func TestColor(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	pipe, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name          string
		w             *os.File
		flag, no, dmb string
		want          bool
	}{
		{"terminal", tty, "auto", "", "xterm", true},
		{"no terminal", pipe, "auto", "", "xterm", false},
		{"NO_COLOR", tty, "auto", "1", "xterm", false},
		{"dumb terminal", tty, "auto", "", "dumb", false},
		{"always", pipe, "always", "1", "dumb", true},
		{"never", tty, "never", "", "xterm", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.no)
			t.Setenv("TERM", tt.dmb)
			s := sink{output: &output{color: tt.flag}, w: tt.w}
			if got := s.colored(); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWidth(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 77}); err != nil {
		t.Fatal(err)
	}
	if got := width(tty); got != 77 {
		t.Errorf("terminal: %d", got)
	}
	if got := width(os.NewFile(^uintptr(0), "closed")); got != 0 {
		t.Errorf("no terminal: %d", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func onlyFile(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("folder holds %v, want %v", got, want)
	}
}
