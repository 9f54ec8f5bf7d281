package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestVerifyLiveLine checks that a terminal shows the running check on one line, which is gone at the end, and that the table
// goes to stdout without it.
func TestVerifyLiveLine(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	var table bytes.Buffer
	cmd := exec.Command("meshdiag", "verify", "--settle", "50ms", "/bin/sleep", "30")
	cmd.Stdout, cmd.Stderr = &table, tty
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &table)
	}
	tty.Close()
	live, _ := io.ReadAll(master) // ends in EIO when nobody has the other side open
	const erase = "\r\x1b[K"
	shown := strings.Split(string(live), erase)
	if len(shown) < 3 || shown[len(shown)-2] != "... it stays alive for 50ms" || shown[len(shown)-1] != "" {
		t.Errorf("the terminal got %q", live)
	}
	if strings.Contains(table.String(), "\x1b") || !strings.Contains(table.String(), "/bin/sleep is well: ") {
		t.Errorf("the table is %q", table.String())
	}
}

// TestVerifyJUnit reads the test suite as a build server does, and checks that a folder that cannot be written to is told
// before the program runs.
func TestVerifyJUnit(t *testing.T) {
	dir := t.TempDir()
	path, ran := filepath.Join(dir, "boot.xml"), filepath.Join(dir, "ran")
	err := exec.Command("meshdiag", "verify", "--settle", "2s", "--junit", path, "sh", "-c", "printf 'fail: \\033[31m<&]]>\\n'; exit 3").Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != statusFault {
		t.Fatalf("%v", err)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(read(t, path)), &suite); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, c := range suite.Cases {
		if c.Failure != nil {
			failed++
		}
	}
	if suite.Tests != len(suite.Cases) || suite.Failures != failed || failed == 0 {
		t.Errorf("%+v", suite)
	}
	out, err := exec.Command("meshdiag", "verify", "--junit", filepath.Join(dir, "none", "boot.xml"), "touch", ran).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != statusFailed || !strings.Contains(string(out), "cannot write the test suite") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran all the same")
	}
}
