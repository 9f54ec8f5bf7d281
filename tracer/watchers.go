package tracer

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var ownPID = os.Getpid()

// forwardAfter is how long the target may take to get a signal by itself before ours is passed on.
const forwardAfter = 50 * time.Millisecond

// startWatchers begins what runs beside the loop: signals to us, the stall watchdog, cancellation. The returned function
// ends it all and waits until it has ended.
func (t *tracer) startWatchers(ctx context.Context) func() {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	pid := t.target.pid
	start := func(f func()) {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}
	start(t.oom.begin)
	start(func() { t.kills.watch(pid, quit) })
	start(func() { t.watchCancel(ctx, quit) })
	if t.o.Leave != nil {
		start(func() { t.watchLeave(quit) })
	}
	if t.o.StallAfter > 0 {
		start(func() { t.watchForStall(quit) })
	}
	return func() { close(quit); wg.Wait() }
}

// watchCancel kills the target when the caller gives up.
func (t *tracer) watchCancel(ctx context.Context, quit <-chan struct{}) {
	select {
	case <-quit:
	case <-ctx.Done():
		t.cancelled.Store(true)
		_ = t.remote.signal(unix.SIGKILL, nil)
	}
}

// forwarded are the signals that end or poke a program; they were probably meant for the target.
var forwarded = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}

// catchSignals begins to take signals before the target runs. A signal that was ignored stays ignored.
func (t *tracer) catchSignals() {
	t.signals = make(chan os.Signal, 16)
	wanted := append([]os.Signal{syscall.SIGWINCH, syscall.SIGCONT}, forwarded...)
	if !t.io.full {
		wanted = append(wanted, syscall.SIGTSTP)
	}
	for _, s := range wanted {
		if !signal.Ignored(s) {
			signal.Notify(t.signals, s)
		}
	}
	go t.serveSignals(t.signals)
}

// dropSignals gives the signals back.
func (t *tracer) dropSignals() {
	if t.signals != nil {
		signal.Stop(t.signals)
		close(t.signals)
		t.signals = nil
	}
}

// serveSignals answers signals sent to meshdiag. A signal of the terminal reaches the target by itself, being in our
// process group or behind its own terminal; one that was sent to us alone (kill, timeout) is passed on, once.
func (t *tracer) serveSignals(signals <-chan os.Signal) {
	for s := range signals {
		sig := s.(syscall.Signal)
		switch sig {
		case syscall.SIGWINCH:
			t.io.resize()
		case syscall.SIGCONT:
			t.io.foreground()
		case syscall.SIGTSTP: // the target stops, and then we do, see onJobStop
		default:
			arrived := t.out.now()
			time.AfterFunc(forwardAfter, func() { t.forward(sig, arrived) })
		}
	}
}

func (t *tracer) forward(sig syscall.Signal, arrived time.Duration) {
	if seen := time.Duration(t.seen[sig].Load()); seen == 0 || arrived-seen > forwardAfter {
		_ = t.remote.signal(sig, nil)
	}
}
