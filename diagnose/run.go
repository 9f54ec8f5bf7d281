package diagnose

import (
	"context"
	"fmt"

	"meshdiag/crash"
	"meshdiag/postmortem"
	"meshdiag/report"
	"meshdiag/tracer"
)

func run(ctx context.Context, o RunOptions) (*report.Report, error) {
	resolve, err := panicResolver(o.Profile)
	if err != nil {
		return nil, err
	}
	var rep *report.Report
	var failed, unsaved error
	outcome, err := tracer.Run(ctx, tracer.Options{
		Path: o.Path, Args: o.Args, StallAfter: o.StallAfter, Stdout: o.Stdout, Stderr: o.Stderr,
		Breakpoints: panicSymbols, Resolve: resolve, ForCore: o.SaveCore != "",
		Inspect: func(c *crash.Crash) {
			if rep, failed = Report(ctx, c, o.Options); failed == nil && o.SaveCore != "" {
				unsaved = saveCore(o.SaveCore, c, o.CoreFilter)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	if rep != nil && outcome.Elapsed > 0 {
		rep.Outcome.ElapsedS = seconds(outcome.Elapsed.Seconds())
	}
	if unsaved != nil {
		if rep != nil {
			rep.Warnings = append(rep.Warnings, said(unsaved.Error()))
		}
		return rep, &CoreNotSavedError{unsaved}
	}
	return rep, nil
}

// CoreNotSavedError says why a core that was asked for was not written. The report is not touched by it.
type CoreNotSavedError struct{ Err error }

func (e *CoreNotSavedError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *CoreNotSavedError) Unwrap() error { return e.Err }

// saveCore writes a core of what was frozen; a process that is gone already has none.
func saveCore(path string, c *crash.Crash, filter *postmortem.Filter) error {
	if len(c.Threads) == 0 {
		return fmt.Errorf("no core was saved to %s: the process was gone before it could be frozen", path)
	}
	if filter == nil {
		byDefault := postmortem.DefaultFilter
		filter = &byDefault
	}
	return postmortem.Save(path, c, *filter)
}
