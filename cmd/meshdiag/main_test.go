package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"meshdiag/debuginfod/realserver"
	"meshdiag/report/schemacheck"
)

var update = flag.Bool("update", false, "write the expected outputs in scripts and docs anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"meshdiag": main})
}

// TestScripts runs the command line transcripts in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "")
			e.Setenv("GOTRACEBACK", "all")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "mount" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return exec.Command("unshare", "-m", "true").Run() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
			"valid":  valid,
			"serve":  serve,
		},
	})
}

// status runs a command and checks its exit status: status N COMMAND [ARGS...].
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// valid checks that a file, or stdout, is a report by the published schema.
func valid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: valid FILE|stdout")
	}
	ts.Check(schemacheck.Validate([]byte(ts.ReadFile(args[0]))))
}

// serve starts a real debuginfod for the ELF files in folders and puts it into DEBUGINFOD_URLS, with a password.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve FOLDER...")
	}
	var folders []string
	for _, dir := range args {
		folders = append(folders, ts.MkAbs(dir))
	}
	s, err := realserver.Start(folders...)
	ts.Check(err)
	ts.Defer(s.Stop)
	ts.Setenv("DEBUGINFOD_URLS", strings.Replace(s.URL, "//", "//me:hunter2@", 1))
}

func TestVersionIsNeverEmpty(t *testing.T) {
	if toolVersion() == "" {
		t.Error("empty")
	}
	defer func(v string) { version = v }(version)
	version = "1.2.3"
	if got := toolVersion(); got != "1.2.3" {
		t.Errorf("%q", got)
	}
}

// TestPanicIsAFailure checks that a panic of meshdiag does not end with the status of wrong usage.
func TestPanicIsAFailure(t *testing.T) {
	stderr := os.Stderr
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = null
	defer func() { os.Stderr = stderr }()
	got := func() (status int) {
		defer contain(&status)
		panic("x")
	}()
	if got != statusFailed {
		t.Errorf("status %d, want %d", got, statusFailed)
	}
}
