// Package diagnose is the walk through the house: it takes an observation and asks each room in turn (symbols, startup,
// provenance, heuristics), and puts their answers into one report. It decides nothing itself.
package diagnose

import (
	"context"
	"os"
	"time"

	"meshdiag/postmortem"
	"meshdiag/report"
)

// Options are what every way of making a report has in common.
type Options struct {
	Profile string // profile name, file, "none", or "" to recognise it from the binary
	Version string // of meshdiag, for the report
	Probes  Probes // which questions to the world outside are asked

	Fetching Fetching // of binaries that are not on this machine

	exe, sysroot string // where binaries are, when not where the observation says
}

// RunOptions say what to launch and how to watch it.
type RunOptions struct {
	Options
	Path       string
	Args       []string // argv[1:]
	StallAfter time.Duration
	SaveCore   string             // write an ELF core of the frozen process here; "" none
	CoreFilter *postmortem.Filter // what goes into it; nil is the kernel's default
	Stdout     *os.File           // where the target's stdout goes; nil is os.Stdout
	Stderr     *os.File
}

// Run launches a program under the tracer, watches it to its end and reports on it. With a *CoreNotSavedError there is a
// report, too.
func Run(ctx context.Context, o RunOptions) (*report.Report, error) {
	return run(ctx, o)
}
