package diagnose

import (
	"context"

	"meshdiag/postmortem"
	"meshdiag/report"
)

// CoreOptions say which core to read and where its binaries are.
type CoreOptions struct {
	Options
	Path    string
	Exe     string             // the executable, when it is not where the core says
	Sysroot string             // folder under which the core's paths are looked up; "" is /
	Journal postmortem.Journal // what is asked about a core of systemd-coredump
}

// Core reports on the process that a core dump holds.
func Core(ctx context.Context, o CoreOptions) (*report.Report, error) {
	core, err := postmortem.Open(o.Path)
	if err != nil {
		return nil, err
	}
	defer core.Close()
	if core.Systemd {
		core.AskJournal(ctx, o.Journal, o.Path)
	}
	if o.Exe != "" && core.Crash.Target.Path == "" {
		core.Crash.Target.Path = o.Exe
	}
	o.Options.exe, o.Options.sysroot = o.Exe, o.Sysroot
	return Report(ctx, core.Crash, o.Options)
}
