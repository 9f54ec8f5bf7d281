package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
)

var exitFailure = Heuristic{Doc: docExit, Run: runExit}

func runExit(c *Case) Finding {
	if c.Kind != crash.Exited {
		return Finding{}
	}
	code := c.Crash.Outcome.ExitCode
	h := hypothesis(idExit, "")
	m := fatalMessage(c)
	h.fact(code != 0, "status", "status", wExitStatus, "it exited with status %d", code)
	if m == nil && code == 0 {
		m = c.lastMessage()
	}
	h.fact(code == 0 && m != nil, "status-zero", "status", wExitZero, "it exited with 0, but had said that it failed: %q", lineText(m))
	h.fact(c.namedElsewhere(), "named-cause", "cause", wNamedElsewhere, "what it said points to something more exact")
	last := c.lastFailure()
	h.fact(m == nil && last != "", "last-words", "words", wLastWords, "its last words: %q", last)
	if c.facts().suspect >= 0 {
		c.blameSuspect(h)
	}
	h.Title = fmt.Sprintf("The program gave up by itself: exit status %d", code)
	h.Summary = "It ended in an orderly way and reported a failure by its exit status."
	if m != nil {
		h.Title += ", after saying: " + short(m.Line.Text)
		h.Summary = "It said that it failed and then ended in an orderly way. " + upper(m.Text) + "."
		h.next(m.Next...)
	} else if last != "" {
		h.Title += ", after saying: " + short(last)
	}
	h.next("read the last lines of its output; they are what it knew about the reason")
	return finding(h)
}

// namedElsewhere reports whether a message points to another cause.
func (c *Case) namedElsewhere() bool {
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.Cause != "" && m.Cause != idExit && !(m.Cause == idMissing && c.aside(m)) {
			return true
		}
	}
	return false
}

// lastFailure is the last line that a rule knows as a failure or warning, else the last line on stderr, else "".
func (c *Case) lastFailure() string {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		switch profile.Meaning(c.Messages[i].Meaning) {
		case profile.MeansFailure, profile.MeansWarning:
			return c.Messages[i].Line.Text
		}
	}
	lines := c.Crash.Output.Lines
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].Stream == crash.Stderr && lines[i].Text != "" {
			return lines[i].Text
		}
	}
	return ""
}

// lastLine is the last line that is not blank, without colours; "" when nothing was printed.
func (c *Case) lastLine() string {
	lines := c.Crash.Output.Lines
	for i := len(lines) - 1; i >= 0; i-- {
		if text := profile.PlainLine(lines[i].Text); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

var docExit = Doc{
	ID:    idExit,
	Title: "It exited and reported a failure",
	Text: `The program ended in an orderly way, with a status that is not 0, or with 0 after it had said that it failed. Nothing more exact
is known. Where its words point to a database, a port or a missing symbol, that cause is named instead.

Example: "config: no such file" and exit status 2.`,
	For:            []string{"the exit status", "its last words"},
	Against:        []string{"its words point to something more exact"},
	FalsePositives: []string{"programs that use their exit status for other things: grep, diff, test"},
	Fix:            []string{"read its last lines; run it with more verbose output"},
}
