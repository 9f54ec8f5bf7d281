package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/term"

	"meshdiag/debuginfod"
	"meshdiag/diagnose"
	"meshdiag/report"
)

// fromServers has missing binaries fetched as the environment says. Each problem is a sentence on a value of it that is not
// used.
func fromServers() (f diagnose.Fetching, problems []string) {
	config, problems := debuginfod.FromEnv()
	config.Started = fetching
	for i := range problems {
		problems[i] = report.Mask(report.Clean(problems[i]))
	}
	return diagnose.NewFetching(config, false), problems
}

// fromCache takes missing debug information from what some tool fetched earlier, without a word to the network.
func fromCache() diagnose.Fetching {
	config, _ := debuginfod.FromEnv()
	return diagnose.NewFetching(config, true)
}

// progressEvery is how often the progress of a download is shown.
const progressEvery = 200 * time.Millisecond

// fetching makes an interrupt end a download instead of meshdiag, and shows its progress on a terminal.
func fetching(ctx context.Context, d *debuginfod.Download) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return ctx, stop
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(os.Stderr, "\r\x1b[K%s", progressLine(d, width(os.Stderr)))
			case <-done:
				fmt.Fprint(os.Stderr, "\r\x1b[K")
				return
			}
		}
	}()
	return ctx, func() {
		close(done)
		<-gone
		stop()
	}
}

// progressLine is the state of a download in at most columns characters, such as
// "fetching 1.2 of 80.4 MiB: the debug information of server from https://debuginfod.example".
func progressLine(d *debuginfod.Download, columns int) string {
	amount := fmt.Sprintf("%.1f", float64(d.Got())/(1<<20))
	if total := d.Total(); total > 0 {
		amount += fmt.Sprintf(" of %.1f", float64(total)/(1<<20))
	}
	line := []rune(report.Clean(fmt.Sprintf("fetching %s MiB: %v from %s", amount, d.Request, d.Server())))
	if columns > 1 && len(line) >= columns {
		line = line[:columns-1]
	}
	return string(line)
}
