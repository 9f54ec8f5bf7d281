package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"meshdiag/diagnose"
	"meshdiag/postmortem"
	"meshdiag/report"
)

const runLong = `Run PROGRAM under observation and explain how it ended.

The program's input, output, exit status and signals are its own. The report goes to
stderr after the program has ended; with --format markdown or json and no -o it goes to
stdout, and the program's stdout then goes to stderr.

Exit status: 0 the program ended well; 1 meshdiag failed; 2 wrong usage; 3 a fault was
diagnosed, or the program could not be launched. With --exit-status=target it is the
program's own: 128 plus the number of the signal that killed it, 127 if it could not be
launched.`

const runExample = `  meshdiag run ./server
  meshdiag run -- ./server --verbose         everything behind PROGRAM belongs to it
  meshdiag run --stall-after 10s ./server    explain a hang, too
  meshdiag run --profile none ./a.out        do not look for a known runtime
  meshdiag run --exit-status=target make check`

// diagnosing are the flags of commands that make a report.
type diagnosing struct {
	output
	profile    string
	corpus     string
	exitStatus string
}

func (d *diagnosing) register(cmd *cobra.Command) {
	d.output.register(cmd, os.Stderr)
	f := cmd.Flags()
	f.StringVar(&d.profile, "profile", "", "profile of the runtime: a name, a `FILE`, or none (default: recognised from the binary)")
	f.StringVar(&d.corpus, "corpus", "none", "where earlier crashes are kept; only none in this version")
	f.StringVar(&d.exitStatus, "exit-status", "report", "whose exit status to end with: report or target")
	complete := cobra.FixedCompletions(exitStatuses, cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("exit-status", complete) // the error can only be an unknown flag name
}

var exitStatuses = []string{"report", "target"}

func (d *diagnosing) check(command string) error {
	if err := d.output.check(command); err != nil {
		return err
	}
	if !slices.Contains(exitStatuses, d.exitStatus) {
		return errChoice(command, "exit-status", d.exitStatus, exitStatuses)
	}
	if d.corpus != "none" && d.corpus != "" {
		return errCorpus(d.corpus)
	}
	return checkProfile(d.profile)
}

func (d *diagnosing) options() diagnose.Options {
	return diagnose.Options{Profile: d.profile, Version: toolVersion()}
}

// status is the exit status for r.
func (d *diagnosing) status(r *report.Report) int {
	if d.exitStatus == "target" {
		return targetStatus(r.Outcome)
	}
	if r.Outcome.Kind == "healthy" || report.EndedByRequest(r) {
		return statusHealthy
	}
	return statusFault
}

// targetStatus is what a shell would have seen of the target.
func targetStatus(o report.Outcome) int {
	switch {
	case o.Kind == "launch-failed":
		return 127
	case o.ExitCode != nil:
		return *o.ExitCode
	case o.Signal != nil:
		return 128 + o.Signal.Number
	case o.Kind == "hung":
		return 128 + 9 // the watchdog ended it with SIGKILL
	default:
		return statusHealthy
	}
}

// checkCorePlace finds a folder that is not there, or not to be written to, before the program runs and dies for nothing.
func checkCorePlace(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errUsage("run", fmt.Sprintf("--save-core=%s: it is a folder", path))
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".meshdiag-core-*")
	if err != nil {
		return errUsage("run", fmt.Sprintf("--save-core=%s: %s", path, reason(err)))
	}
	f.Close()
	return os.Remove(f.Name())
}

func newRun(status *int) *cobra.Command {
	var d diagnosing
	var o diagnose.RunOptions
	var filter coreFilter
	cmd := &cobra.Command{
		Use:     "run [flags] [--] PROGRAM [ARGS...]",
		Short:   "Run a program and explain how it ended",
		Long:    runLong,
		Example: runExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errNoProgram()
			}
			if cmd.Flags().Changed("core-filter") && o.SaveCore == "" {
				return errUsage("run", "--core-filter is for the core of --save-core, which is missing")
			}
			o.Path, o.Args, o.CoreFilter = args[0], args[1:], (*postmortem.Filter)(&filter)
			var err error
			*status, err = run(cmd.Context(), &d, o)
			return err
		},
	}
	d.register(cmd)
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.DurationVar(&o.StallAfter, "stall-after", 0, "end and explain a program that makes no progress for this long, such as 10s (default: never)")
	f.BoolVar(&o.Probes.Off, "no-probe", false, "ask nothing of the database, ports, files and limits that the program uses")
	f.StringSliceVar(&o.Probes.Only, "probe", nil, "ask exactly these, whatever happened: "+strings.Join(diagnose.ProbeNames, ", "))
	cmd.MarkFlagsMutuallyExclusive("probe", "no-probe")
	f.StringVar(&o.SaveCore, "save-core", "", "write an ELF core of the frozen program to `FILE`")
	filter.register(f)
	return cmd
}

func run(ctx context.Context, d *diagnosing, o diagnose.RunOptions) (int, error) {
	if err := d.check("run"); err != nil {
		return 0, err
	}
	if o.StallAfter < 0 || o.StallAfter > 0 && o.StallAfter < time.Millisecond {
		return 0, errUsage("run", fmt.Sprintf("--stall-after=%v: must be 1ms or more", o.StallAfter))
	}
	for _, name := range o.Probes.Only {
		if !slices.Contains(diagnose.ProbeNames, name) {
			return 0, errChoice("run", "probe", name, diagnose.ProbeNames)
		}
	}
	if err := checkCorePlace(o.SaveCore); err != nil {
		return 0, err
	}
	probes := o.Probes
	o.Options = d.options()
	o.Probes = probes
	o.Fetching = fromCache()
	if d.takesStdout() {
		o.Stdout = os.Stderr
	}
	out, err := d.open()
	if err != nil {
		return 0, err
	}
	defer out.discard()
	r, err := diagnose.Run(ctx, o)
	var unsaved *diagnose.CoreNotSavedError
	switch {
	case err != nil && !(errors.As(err, &unsaved) && r != nil):
		return 0, errDiagnose(err)
	case r == nil:
		return 0, errNoReport()
	}
	if err := out.write(r); err != nil {
		return 0, err
	}
	if unsaved != nil {
		return 0, errDiagnose(unsaved)
	}
	return d.status(r), nil
}
