package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"meshdiag/crash"
	"meshdiag/postmortem"
	"meshdiag/tracer"
)

const saveLong = `Write an ELF core of a running process, which goes on afterwards. It stands still only while
its memory is copied; for a fifth of a second before that its threads are watched, so that the
core tells those that move from those that wait. gdb, eu-stack and "meshdiag core" read the file. Pages of zeros take no
room in it; it is readable by its owner only, and appears in one piece or not at all.

--core-filter says which mappings are written, with the bits of /proc/PID/coredump_filter
(core(5)): 1 anonymous private, 2 anonymous shared, 4 file-backed private, 8 file-backed
shared, 0x10 ELF headers, 0x20 huge pages private, 0x40 huge pages shared. What the process
itself can neither read nor write is never written.`

const saveExample = `  meshdiag save 1234                         writes 1234.core
  meshdiag save 1234 -o /var/tmp/hung.core
  meshdiag save --core-filter 0x7f 1234      with the mapped files`

func newSave() *cobra.Command {
	var path string
	var filter coreFilter
	cmd := &cobra.Command{
		Use:     "save [flags] PID",
		Short:   "Write a core of a running process, which goes on",
		Long:    saveLong,
		Example: saveExample,
		Args:    asUsage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil || pid <= 0 {
				return errUsage("save", fmt.Sprintf("%q is no process ID", args[0]))
			}
			if path == "" {
				path = args[0] + ".core"
			}
			return save(pid, path, postmortem.Filter(filter))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&path, "output", "o", "", "write the core to `FILE` (default PID.core)")
	filter.register(f)
	return cmd
}

func save(pid int, path string, filter postmortem.Filter) error {
	if pid == os.Getpid() {
		return errUsage("save", "meshdiag cannot save itself")
	}
	var failed error
	err := tracer.Snapshot(pid, func(c *crash.Crash) { failed = postmortem.Save(path, c, filter) })
	if err := errors.Join(err, failed); err != nil {
		return errDiagnose(err)
	}
	return nil
}
