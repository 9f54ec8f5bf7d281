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
	var failed error
	outcome, err := tracer.Run(ctx, tracer.Options{
		Path: o.Path, Args: o.Args, StallAfter: o.StallAfter, Stdout: o.Stdout, Stderr: o.Stderr,
		Breakpoints: panicSymbols, Resolve: resolve,
		Inspect: func(c *crash.Crash) {
			if rep, failed = Report(ctx, c, o.Options); failed == nil && o.SaveCore != "" {
				failed = saveCore(o.SaveCore, c)
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
	return rep, nil
}

// saveCore writes a core of what was frozen; a process that is gone already has none.
func saveCore(path string, c *crash.Crash) error {
	if len(c.Threads) == 0 {
		return fmt.Errorf("no core was saved to %s: the process was gone before it could be frozen", path)
	}
	return postmortem.Save(path, c, postmortem.DefaultFilter)
}
