package diagnose

import (
	"context"
	"fmt"

	"meshdiag/crash"
	"meshdiag/postmortem"
	"meshdiag/profile"
	"meshdiag/report"
	"meshdiag/symbols"
	"meshdiag/tracer"
)

// panicSymbols are functions through which every panic of a language passes before anything is unwound. rust_panic is
// kept by Rust's standard library for this purpose (library/std/src/panicking.rs); newer compilers mangle its name.
var panicSymbols = []string{"rust_panic", "*7___rustc10rust_panic"}

func run(ctx context.Context, o RunOptions) (*report.Report, error) {
	breakpoints, err := breakpoints(o.Profile)
	if err != nil {
		return nil, err
	}
	var rep *report.Report
	var failed error
	outcome, err := tracer.Run(ctx, tracer.Options{
		Path: o.Path, Args: o.Args, StallAfter: o.StallAfter, Stdout: o.Stdout, Stderr: o.Stderr,
		Breakpoints: breakpoints, Resolve: symbols.FileSymbols,
		Inspect: func(c *crash.Crash) {
			if rep, failed = Report(c, o.Options); failed == nil && o.SaveCore != "" {
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

// breakpoints are the panic functions to watch: the general ones and those of the profile that was asked for, or of every
// built-in profile when it is to be recognised from the binary. Names that the binary lacks cost nothing.
func breakpoints(name string) ([]string, error) {
	names := panicSymbols
	if name != "" {
		p, err := profile.Load(name)
		if err != nil || p == nil {
			return names, err
		}
		return append(names[:len(names):len(names)], p.Breakpoints...), nil
	}
	for _, id := range profile.Names() {
		if p, err := profile.Load(id); err == nil && p != nil {
			names = append(names[:len(names):len(names)], p.Breakpoints...)
		}
	}
	return names, nil
}
