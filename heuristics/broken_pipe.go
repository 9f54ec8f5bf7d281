package heuristics

import (
	"golang.org/x/sys/unix"

	"meshdiag/startup"
)

var brokenPipe = Heuristic{Doc: docPipe, Run: runPipe}

func runPipe(c *Case) Finding {
	v := c.facts()
	hs := c.spoken(idBrokenPipe, func(h *Hypothesis, m *startup.Message) {
		h.Title = "The reader of a pipe or connection went away"
		h.Summary = upper(or(m.Text, m.Line.Text)) + "."
	})
	if v.is(unix.SIGPIPE) {
		h := hypothesis(idBrokenPipe, "")
		if len(hs) > 0 {
			h = hs[0]
		} else {
			hs = append(hs, h)
		}
		h.fact(true, "sigpipe", "signal", wSigpipe, "it died of SIGPIPE: it wrote to a pipe or socket that nobody reads any more")
		c.blameSuspect(h)
		h.Title = "It wrote to a pipe or socket whose reader is gone (SIGPIPE)"
		h.Summary = "The default action of SIGPIPE ends a process. Nothing is wrong with its memory."
		for _, k := range c.Checks {
			if !k.OK && k.Cause == idBrokenPipe {
				h.fact(true, "check-"+k.ID, "check", wPeer, "%s", k.Detail)
				h.Summary = upper(k.Detail) + ". " + h.Summary
				h.next(k.Next...)
			}
		}
		h.next("look why the reader ended first; or ignore SIGPIPE and handle the error of write")
	}
	return finding(hs...)
}

var docPipe = Doc{
	ID:    idBrokenPipe,
	Title: "It wrote to a pipe or connection that nobody reads",
	Text: `The reader went away, and the write raised SIGPIPE, which ends a process that has not asked otherwise, or failed with EPIPE.
Harmless in a pipeline such as "app | head"; a mistake in a server, which should ignore SIGPIPE.

Example: app | head -1 ends app with status 141 (128 + SIGPIPE).`,
	For:            []string{"death by SIGPIPE", "the words broken pipe, EPIPE"},
	Against:        []string{"the process died of something else later"},
	FalsePositives: []string{"a log line about one lost client of a server that lives on"},
	Fix:            []string{"signal(SIGPIPE, SIG_IGN) and handle the error of write", "find out why the reader ended first"},
}
