package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"meshdiag/diagnose"
	"meshdiag/postmortem"
	"meshdiag/report"
)

const coreLong = `Read the core dump of a program that died elsewhere or earlier, and print the report that a
live run would have given, from whatever is left.

Cores of the kernel, of gdb's gcore and of "meshdiag save" are read, also as systemd-coredump
stores them (zstd, lz4, xz) or with gzip; nothing is unpacked to disk. CORE may be a pipe,
or "-" for stdin. Without CORE the newest one is taken that can be found for this user: by kernel.core_pattern,
in the stores of systemd-coredump and of "meshdiag handler", in the current folder. It is named on stderr.

--list lists them all, and what the journal knows of crashes whose core is gone or is not for
this user, as text or with --format json. Only what this user may read is listed.

Whose core it is (process, user, unit, container) and when it died is told with the witness
for it: the core, the handler, systemd-coredump's attributes or journal, the file's name.

The binaries are looked for where the core says they were. One with another build ID than
the core's is named and not used. Files that lie nowhere (the executable, the libraries on
a stack, their debug information) are fetched by build ID from the debuginfod servers in
DEBUGINFOD_URLS, where that is set, and kept where gdb keeps its own. An interrupt (Ctrl-C)
ends only the fetching. See debuginfod-client-config(7) for its other variables.

Exit status: 0 the core is of a program that had no fault; 1 meshdiag failed; 2 wrong
usage; 3 a fault was diagnosed. With --exit-status=target it is 128 plus the number of the
signal.`

const coreExample = `  meshdiag core                                  the newest core of this machine
  meshdiag core --list
  meshdiag core --list --format json
  meshdiag core core.1234
  ssh host cat core.1234 | meshdiag core -
  meshdiag core --exe ./build/server core.zst    the binary is not where the core says
  meshdiag core --sysroot ./image core           nor are its libraries
  meshdiag core --no-debuginfod core             ask no server
  meshdiag core --format json -o r.json core`

// coreFlags are the flags of meshdiag core.
type coreFlags struct {
	diagnosing
	exe, sysroot string
	list         bool
	noFetch      bool
}

func newCore(status *int) *cobra.Command {
	var c coreFlags
	cmd := &cobra.Command{
		Use:     "core [flags] [CORE]",
		Short:   "Explain a core dump",
		Long:    coreLong,
		Example: coreExample,
		Args:    asUsage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check("core"); err != nil {
				return err
			}
			if c.list {
				if len(args) > 0 {
					return errUsage("core", "--list takes no CORE")
				}
				return c.listCores(cmd.Context())
			}
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			var err error
			*status, err = c.run(cmd.Context(), path)
			return err
		},
	}
	c.register(cmd)
	f := cmd.Flags()
	f.StringVar(&c.exe, "exe", "", "the program's executable, when it is not where the core says (`FILE`)")
	f.StringVar(&c.sysroot, "sysroot", "", "`DIR` under which the core's paths are looked up first")
	f.BoolVar(&c.noFetch, "no-debuginfod", false, "use neither the servers of DEBUGINFOD_URLS nor what was fetched from them earlier")
	f.BoolVar(&c.list, "list", false, "list the cores that can be found and the crashes that the journal knows, newest first")
	return cmd
}

func (c *coreFlags) run(ctx context.Context, path string) (int, error) {
	if err := c.checkPlaces(); err != nil {
		return 0, err
	}
	if path == "" {
		newest, err := postmortem.Newest(postmortem.Places{})
		if err != nil {
			return 0, errNoCore(err)
		}
		path = newest.Path
		fmt.Fprintf(os.Stderr, "meshdiag: the newest core is %s\n", describeFound(&newest, time.Now()))
	}
	out, err := c.open()
	if err != nil {
		return 0, err
	}
	defer out.discard()
	o := diagnose.CoreOptions{Options: c.options(), Path: path, Exe: c.exe, Sysroot: c.sysroot}
	var problems []string
	if !c.noFetch {
		o.Fetching, problems = fromServers()
	}
	if path == postmortem.Stdin && term.IsTerminal(0) {
		return 0, errUsage("core", "it reads a core from stdin, and stdin is a terminal")
	}
	r, err := diagnose.Core(ctx, o)
	if err != nil {
		return 0, errReadCore(path, err)
	}
	r.Warnings = append(r.Warnings, problems...)
	if err := out.write(r); err != nil {
		return 0, err
	}
	return c.status(r), nil
}

// checkPlaces finds a misspelt --exe or --sysroot before it silently finds nothing.
func (c *coreFlags) checkPlaces() error {
	if c.exe != "" {
		if info, err := os.Stat(c.exe); err != nil {
			return errUsage("core", fmt.Sprintf("--exe=%s: %s", c.exe, reason(err)))
		} else if info.IsDir() {
			return errUsage("core", fmt.Sprintf("--exe=%s: it is a folder", c.exe))
		}
	}
	if c.sysroot != "" {
		if info, err := os.Stat(c.sysroot); err != nil {
			return errUsage("core", fmt.Sprintf("--sysroot=%s: %s", c.sysroot, reason(err)))
		} else if !info.IsDir() {
			return errUsage("core", fmt.Sprintf("--sysroot=%s: it is not a folder", c.sysroot))
		}
	}
	return nil
}

// describeFound is a core in one line.
func describeFound(f *postmortem.Found, now time.Time) string {
	what := orUnknown(f.Command)
	if f.Signal != "" {
		what += ", " + f.Signal
	}
	return fmt.Sprintf("%s (%s, %s; found by: %s)", report.Clean(f.Path), report.Clean(what), age(now.Sub(f.Time)), f.Where)
}

func orUnknown(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

// age is a duration as people say it, in its largest unit.
func age(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}} {
		if n := d / unit.size; n >= 2 {
			return fmt.Sprintf("%d %s ago", n, unit.name)
		}
	}
	return "just now"
}

// size is a number of bytes in the largest binary unit.
func size(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
