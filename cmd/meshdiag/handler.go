package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/diagnose"
	"meshdiag/postmortem"
	"meshdiag/report"
	"meshdiag/tracer"
)

const handlerLong = `Store and explain each core dump that the kernel makes. It is not for people to run, but to
stand in kernel.core_pattern (core(5)); --install prints the line to type, and how to undo it.

The core comes on stdin and is stored as NAME.PID.TIME.core.zst, for its owner (root) only,
and the report beside it as .txt and .json. "meshdiag core" finds it there.

The kernel is not kept waiting: four fifths of --timeout are for reading, the rest for the
report, at low priority. A core that is too large or comes too slowly is stored cut short,
and says so. Cores beyond --keep-total are removed, the oldest first; the new one stays.

Nothing is printed: what was done and what failed stands in handler.log in the same folder,
unless that folder itself cannot be used. No link is followed, and no other file touched.`

const handlerExample = `  meshdiag handler --install
  meshdiag handler --install --keep-total 20G --dir /srv/cores`

// niceness is that of the handler: a machine on which programs crash has other things to do.
const niceness = 10

// handlerFlags are the flags of meshdiag handler.
type handlerFlags struct {
	name               string
	pid, uid, signal   int
	time               int64
	dir                string
	maxSize, keepTotal byteSize
	timeout            time.Duration
	install            bool
}

func newHandler(status *int) *cobra.Command {
	h := handlerFlags{maxSize: 2 << 30, keepTotal: 5 << 30}
	cmd := &cobra.Command{
		Use:     "handler [flags]",
		Short:   "Store and explain the cores that the kernel makes",
		Long:    handlerLong,
		Example: handlerExample,
		Args:    asUsage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if h.timeout < 100*time.Millisecond || h.maxSize < 1<<12 {
				return errUsage("handler", "--timeout must be 100ms or more and --max-size 4K or more")
			}
			if h.install {
				return h.explainInstall(cmd)
			}
			if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
				return errUsage("handler", "it reads a core from stdin, which the kernel gives it, and stdin is a terminal; see --install")
			}
			var err error
			*status, err = h.run(cmd.Context())
			return err
		},
	}
	f := cmd.Flags()
	f.IntVarP(&h.pid, "pid", "p", 0, "process ID (%P)")
	f.IntVarP(&h.uid, "uid", "u", -1, "user ID (%u)")
	f.IntVarP(&h.signal, "signal", "s", 0, "number of the signal (%s)")
	f.Int64VarP(&h.time, "time", "t", 0, "`SECONDS` since 1970 (%t)")
	f.StringVarP(&h.name, "name", "n", "", "name of the process (%e)")
	f.StringVarP(&h.dir, "dir", "d", postmortem.StoreDir, "`DIR` for cores and reports; no link on the way, writable for its owner only")
	f.Var(&h.maxSize, "max-size", "store at most `BYTES` of one core, before compression")
	f.Var(&h.keepTotal, "keep-total", "remove the oldest cores when all take more than `BYTES` on disk")
	f.DurationVar(&h.timeout, "timeout", 30*time.Second, "end after this long")
	f.BoolVar(&h.install, "install", false, "print how to put it in kernel.core_pattern, and how to undo it; changes nothing")
	return cmd
}

// run stores the core and reports on it. Its error is only for what the log cannot take.
func (h *handlerFlags) run(ctx context.Context) (int, error) {
	start := time.Now()
	end := start.Add(h.timeout)
	lowerPriority()
	if h.time <= 0 {
		h.time = start.Unix()
	}
	store, err := postmortem.OpenStore(h.dir)
	if err != nil {
		return statusFailed, errDiagnose(err)
	}
	defer store.Close()
	dump := postmortem.Dump{Name: h.name, PID: h.pid, Time: h.time, Signal: h.signal, Process: h.process()}
	log := func(format string, args ...any) error {
		if err := store.Log(fmt.Sprintf("%s (uid %d, signal %d): ", dump.Stem(), h.uid, h.signal) + fmt.Sprintf(format, args...)); err != nil {
			return errDiagnose(err)
		}
		return nil
	}
	got, err := store.Put(postmortem.Timed(0, end.Add(-h.timeout/5)), dump, int64(h.maxSize))
	os.Stdin.Close() // the kernel stops here; what it still has to write is not wanted
	if err != nil {
		return statusFailed, log("%v", err)
	}
	status := statusHealthy
	said := fmt.Sprintf("stored %d bytes in %.3f s", got.Read, time.Since(start).Seconds())
	if got.Cut != "" {
		said = "the core is cut short: " + got.Cut
	}
	if err := store.Trim(int64(h.keepTotal), dump); err != nil {
		status, said = statusFailed, said+"; old cores were not removed: "+err.Error()
	}
	if err := h.report(ctx, store, dump, got.Path, end); err != nil {
		status, said = statusFailed, said+"; no report: "+err.Error()
	}
	return status, log("%s", said)
}

// process is what is known of the dying process: what the kernel told, and what /proc says while its core is being written.
func (h *handlerFlags) process() *crash.Process {
	p := crash.UnknownProcess()
	if tracer.Dumping(h.pid) {
		p = tracer.Identity(h.pid)
	}
	if h.uid >= 0 {
		p.UID = h.uid
	}
	p.Hostname, _ = os.Hostname()
	return p
}

// report writes the report beside the core if it is made before the end of the handler's time. A diagnosis that takes
// longer ends with the process.
func (h *handlerFlags) report(ctx context.Context, store *postmortem.Store, dump postmortem.Dump, path string, end time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	type result struct {
		r   *report.Report
		err error
	}
	made := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				made <- result{err: fmt.Errorf("internal error: %v", p)}
			}
		}()
		r, err := diagnose.Core(ctx, diagnose.CoreOptions{Options: diagnose.Options{Version: toolVersion()}, Path: path})
		made <- result{r, err}
	}()
	select {
	case <-ctx.Done():
		return errors.New("its time was over; meshdiag core makes it from what is stored")
	case m := <-made:
		if m.err != nil {
			return m.err
		}
		return errors.Join(
			store.Report(dump, ".txt", func(w io.Writer) error { return report.WriteText(w, m.r, report.TextOptions{}) }),
			store.Report(dump, ".json", func(w io.Writer) error { return report.WriteJSON(w, m.r) }))
	}
}

// lowerPriority makes all threads of this process nice: on Linux the value belongs to a thread, and new ones inherit it.
// Where it cannot be done the handler works as well.
func lowerPriority() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, niceness)
		}
	}
}

const corePattern = "/proc/sys/kernel/core_pattern"

// maxPattern is the longest core pattern that the kernel takes (CORENAME_MAX_SIZE of linux/include/linux/binfmts.h, less the
// zero byte).
const maxPattern = 127

// explainInstall prints what an administrator types to put the handler in place, with the given flags.
func (h *handlerFlags) explainInstall(cmd *cobra.Command) error {
	self, err := os.Executable()
	if err != nil {
		return errDiagnose(err)
	}
	pattern := "|" + self + " handler -p%P -u%u -s%s -t%t -n=%e" // short, for there is room for little more
	for _, name := range []string{"dir", "max-size", "keep-total", "timeout"} {
		if f := cmd.Flags().Lookup(name); f.Changed {
			pattern += " --" + name + "=" + strings.ReplaceAll(f.Value.String(), "%", "%%")
		}
	}
	if strings.ContainsAny(self+h.dir, " \t\n'") {
		return errUsage("handler", "kernel.core_pattern takes no paths with blanks or quotes: "+self+", "+h.dir)
	}
	if len(pattern) > maxPattern {
		return errUsage("handler", fmt.Sprintf("kernel.core_pattern takes %d bytes and this would be %d: %s", maxPattern, len(pattern), pattern))
	}
	now, err := os.ReadFile(corePattern)
	if err != nil {
		return errDiagnose(err)
	}
	before := strings.TrimRight(string(now), "\n")
	if before == pattern {
		before = "core" // the kernel's default
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), `As root, to store and explain every crash of this machine:

  sysctl -w kernel.core_pattern='%s'

To undo it:

  sysctl -w kernel.core_pattern='%s'

Either lasts until the next boot. Cores and reports will be in %s.
`, pattern, strings.ReplaceAll(before, "'", `'\''`), h.dir)
	return err
}

// byteSize is a flag for a number of bytes, with K, M, G or T for powers of 1024.
type byteSize int64

const byteUnits = "KMGT"

// String implements pflag.Value.
func (b *byteSize) String() string {
	n, unit := int64(*b), ""
	for i := 0; i < len(byteUnits) && n >= 1024 && n%1024 == 0; i++ {
		n, unit = n/1024, byteUnits[i:i+1]
	}
	return strconv.FormatInt(n, 10) + unit
}

// Set implements pflag.Value.
func (b *byteSize) Set(s string) error {
	shift := 0
	if s != "" {
		if i := strings.IndexByte(byteUnits, s[len(s)-1]); i >= 0 {
			s, shift = s[:len(s)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return errors.New("must be a number of bytes such as 4096 or 2G")
	}
	*b = byteSize(n << shift)
	return nil
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "bytes" }
