package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"meshdiag/postmortem"
	"meshdiag/report"
)

// Exit status of meshdiag. With --exit-status=target the target's own takes the place of statusHealthy and statusFault.
const (
	statusHealthy = 0
	statusFailed  = 1 // meshdiag itself failed
	statusUsage   = 2
	statusFault   = 3 // a fault was diagnosed
)

// failure is an error for the user: what is wrong, what to do about it, and the exit status. All of them are made here.
type failure struct {
	status int
	what   string
	next   string // "" when there is nothing to advise
}

func (f *failure) Error() string { return f.what }

// explainFailure prints err and returns the exit status. What cobra itself returns is always about usage.
func explainFailure(w io.Writer, err error) int {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{statusUsage, err.Error(), "See: meshdiag --help"}
	}
	fmt.Fprintf(w, "meshdiag: %s\n", cleanLines(f.what))
	if f.next != "" {
		fmt.Fprintf(w, "  %s\n", f.next)
	}
	return f.status
}

// cleanLines cleans a message that may have several lines.
func cleanLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i := range lines {
		lines[i] = report.Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func errUsage(command, what string) error {
	return &failure{statusUsage, what, "See: meshdiag " + command + " --help"}
}

func errChoice(command, flag, value string, choices []string) error {
	return errUsage(command, fmt.Sprintf("--%s=%s: must be one of %s", flag, value, strings.Join(choices, ", ")))
}

func errNoProgram() error {
	return &failure{statusUsage, "no program to run", "Usage: meshdiag run [flags] [--] PROGRAM [ARGS...]"}
}

func errCorpus(value string) error {
	return &failure{statusUsage, fmt.Sprintf("--corpus=%s: this version keeps no corpus of earlier crashes", value),
		"Leave the flag out, or give --corpus=none."}
}

// errDiagnose is a failure of meshdiag while it observed or explained a program.
func errDiagnose(err error) error {
	return &failure{statusFailed, err.Error(), ""}
}

func errNoReport() error {
	return &failure{statusFailed, "the program ended without an observation", "Please run it again; if this happens twice, it is a defect of meshdiag."}
}

func errWrite(path string, err error) error {
	return &failure{statusFailed, fmt.Sprintf("cannot write the report to %s: %s", path, reason(err)), "Choose another file with -o, or leave -o out."}
}

func errWriteJUnit(path string, err error) error {
	return &failure{statusFailed, fmt.Sprintf("cannot write the test suite to %s: %s", path, reason(err)), "Choose another file with --junit, or leave it out."}
}

func errReadReport(path string, err error) error {
	return &failure{statusFailed, fmt.Sprintf("cannot read %s: %s", path, reason(err)),
		"A report is made by: meshdiag run --format json -o report.json PROGRAM"}
}

func errReadCore(path string, err error) error {
	if path == postmortem.Stdin {
		path = "stdin"
	}
	what := err.Error()
	if !strings.Contains(what, path) {
		what = path + ": " + what
	} else if p := (*fs.PathError)(nil); errors.As(err, &p) {
		what = fmt.Sprintf("cannot read %s: %s", path, p.Err)
	}
	return &failure{statusFailed, what, ""}
}

func errNoCore(err error) error {
	return &failure{statusFailed, err.Error(), "Give the core's path, or let programs leave cores: ulimit -c unlimited"}
}

func errProfile(err error) error {
	return &failure{statusUsage, err.Error(), "See: meshdiag profiles"}
}

func errUnknownCause(id string, ids []string) error {
	return &failure{statusUsage, fmt.Sprintf("there is no cause %q", id), "Causes: " + strings.Join(ids, ", ")}
}

func errUnknownKind(id, kind string, kinds []string) error {
	next := "It has no kinds."
	if len(kinds) > 0 {
		next = "Kinds of " + id + ": " + strings.Join(kinds, ", ")
	}
	return &failure{statusUsage, fmt.Sprintf("the cause %s has no kind %q", id, kind), next}
}

// reason drops the operation and path that Go puts before the reason: the sentence around it has them already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// contain turns a panic of meshdiag into a failure: Go's own exit status for a panic would read as wrong usage.
func contain(status *int) {
	if p := recover(); p != nil {
		fmt.Fprintf(os.Stderr, "meshdiag: internal error: %v\n  Please report this, with what follows.\n%s", p, debug.Stack())
		*status = statusFailed
	}
}
