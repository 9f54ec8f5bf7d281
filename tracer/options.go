package tracer

import (
	"context"
	"os"
	"time"

	"meshdiag/crash"
)

// Options say what to launch and what to look for.
type Options struct {
	Path string   // the program; a name without a slash is looked up in PATH
	Args []string // argv[1:]; argv[0] is Path
	Env  []string // nil: our own environment
	Dir  string   // "" : our own working directory

	// StallAfter is how long the program may be silent before it counts as hung; 0 is never.
	StallAfter time.Duration

	// Leave, when it is closed, lets the program go: Inspect sees it frozen and running on, with crash.EndRunning, and Run
	// returns while it lives. What it prints from then on still goes where it went.
	Leave <-chan struct{}

	// Launched, if there is one, is told the process before its first instruction. It must not wait for the program.
	Launched func(pid int)

	// Where the program's streams go; nil means our own. They are never closed.
	Stdin, Stdout, Stderr *os.File

	// Breakpoints are symbols of the main executable at which a panic begins; Resolve turns those that exist into
	// addresses as linked. Both may be empty.
	Breakpoints []string
	Resolve     func(path string, names []string) (map[string]uint64, error)

	// ForCore says that Inspect may write a core: the mappings' traits are read.
	ForCore bool

	// Inspect is called exactly once, on the tracing thread: while the program is frozen at its last moment, or with what is
	// left when it is already gone, or when it could not be launched. The Crash's Memory is readable only during the call.
	Inspect func(c *crash.Crash)
}

func (o *Options) withDefaults() {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Inspect == nil {
		o.Inspect = func(*crash.Crash) {}
	}
}

// Run launches the program, watches it to its end and returns how it ended. The outcome it returns is the final word: it
// knows, unlike the Crash given to Inspect, whether a core was dumped.
//
// Cancelling ctx kills the program. The error is only about meshdiag itself: a *ForbiddenError when tracing is not allowed
// here, or a failure to set up the streams. A program that cannot be launched is an outcome, not an error.
func Run(ctx context.Context, o Options) (end crash.Outcome, err error) {
	o.withDefaults()
	onOwnThread(func() {
		var t *tracer
		if t, err = newTracer(o); err != nil {
			return
		}
		defer t.close()
		end, err = t.run(ctx)
	})
	return end, err
}
