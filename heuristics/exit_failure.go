package heuristics

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/startup"
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
	midway := c.stoppedMidway()
	if m == nil && code == 0 && !midway {
		m = c.lastMessage()
	}
	h.fact(code == 0 && m != nil, "status-zero", "status", wExitZero, "it exited with 0, but had said that it failed: %q", lineText(m))
	h.fact(c.namedElsewhere(), "named-cause", "cause", wNamedElsewhere, "what it said points to something more exact")
	last := c.lastFailure()
	silent := midway && m == nil && code == 0
	h.fact(m == nil && last != "" && !silent, "last-words", "words", wLastWords, "its last words: %q", last)
	if c.facts().suspect >= 0 {
		c.blameSuspect(h)
	}
	h.Title = fmt.Sprintf("The program gave up by itself: exit status %d", code)
	h.Summary = "It ended in an orderly way and reported a failure by its exit status."
	if m != nil {
		h.Title += ", after saying: " + short(m.Line.Text)
		h.Summary = "It said that it failed and then ended in an orderly way. " + upper(m.Text) + "."
		h.next(m.Next...)
	} else if last != "" && !silent {
		h.Title += ", after saying: " + short(last)
	}
	if midway {
		c.midway(h, silent)
	}
	c.statusTells(h)
	c.refusedByWorld(h)
	c.childDied(h)
	if h.Kind == kindChildDied {
		return finding(h)
	}
	h.next("read the last lines of its output; they are what it knew about the reason")
	return finding(h)
}

// stoppedMidway reports whether the program ended by itself between two steps of a start-up that is known: one that the
// profile has, for the most part. What else a program prints may be said on one of several ways only.
func (c *Case) stoppedMidway() bool {
	t := &c.Startup
	known := 0
	for i := range t.Steps {
		if !t.Steps[i].FromBinary {
			known++
		}
	}
	if known < knownSteps || 2*known < len(t.Steps) {
		return false
	}
	return c.Crash.Outcome.End == crash.EndExit && c.Crash.Outcome.Asked == 0 && t.Known != "" && t.Last >= 0 && !t.Done
}

// knownSteps is how many of its steps the profile must know at least.
const knownSteps = 3

// midway tells between which steps a start-up stopped, and what the program does between them.
func (c *Case) midway(h *Hypothesis, silent bool) {
	t := &c.Startup
	last := t.Steps[t.Last]
	next := nextStep(t)
	h.fact(next != "", "midway", "phase", wMidway, "it stopped in its start-up: after %q, and before %q", last.Message, next)
	h.fact(len(last.Calls) > 0, "calls-between", "phase", wMidway, "between these two it calls %s", calls(last.Calls))
	if silent {
		h.Kind = kindStartUp
		h.Title = fmt.Sprintf("It ended in the middle of its start-up, after %q, with status 0", short(last.Message))
		h.Summary = "It exited as if all were well, but its start-up was not complete: something that it needs was refused, and it did not say so."
	}
	if len(last.Calls) > 0 {
		h.next("look at how the results of these calls are tested: " + calls(last.Calls))
	}
}

// nextStep is the message of the first step that must follow the last one seen; "" none.
func nextStep(t *startup.Timeline) string {
	for i := t.Last + 1; i < len(t.Steps); i++ {
		if !t.Steps[i].Optional {
			return t.Steps[i].Message
		}
	}
	return ""
}

// maxCalls bounds the calls that a sentence names.
const maxCalls = 5

func calls(names []string) string {
	if len(names) > maxCalls {
		return strings.Join(names[:maxCalls], ", ") + fmt.Sprintf(" and %d more", len(names)-maxCalls)
	}
	return strings.Join(names, ", ")
}

// refusedByWorld adds what checks found of limits that the program ran into.
func (c *Case) refusedByWorld(h *Hypothesis) {
	for _, k := range c.Checks {
		if k.OK || k.Cause != idExit {
			continue
		}
		if h.Kind == "" || h.Kind == k.Kind {
			h.Kind = k.Kind
			h.Summary = upper(k.Detail) + "."
		}
		h.fact(true, "check-"+k.ID, "check", wCheckFailed, "a check from outside found: %s", k.Detail)
		h.next(k.Next...)
	}
}

// childFresh is how soon a program gives up after the death of a child that it needs.
const childFresh = 2 * time.Second

// childDied adds the death of a child process that the exit follows from: by its status, which is a shell's for a command
// that died of that signal, or by its time.
func (c *Case) childDied(h *Hypothesis) {
	o := &c.Crash.Outcome
	var d *crash.DeadChild
	byStatus := false
	for i := range o.Children {
		k := &o.Children[i]
		matches := o.ExitCode == 128+k.Signal.Number
		if byStatus && !matches || !matches && (o.ExitCode == 0 || !unexpected(k) || o.Elapsed-k.At > childFresh) {
			continue
		}
		d, byStatus = k, matches
	}
	if d == nil {
		return
	}
	own := d.Signal.Sent() && d.Signal.PID == c.Crash.Target.PID
	name := d.Signal.Name()
	command := or(commandLine(d.Args), or(d.Name, "a program"))
	h.fact(byStatus, "child-status", "child", wChildStatus, "its child process %d (%s) died of %s, and the exit status %d is 128 plus the number of that signal",
		d.PID, command, name, o.ExitCode)
	starved := d.OOM != nil && d.OOM.Record != "" && !d.OOM.ByName
	weight := wChildDied
	if d.Signal.CodeUnknown && !starved {
		weight = wChildGone
	}
	h.fact(!byStatus, "child-died", "child", weight, "its child process %d (%s) died of %s, %s before it gave up", d.PID, command, name, seconds(max(0, o.Elapsed-d.At)))
	h.fact(own, "child-ended", "own", wChildKilled, "it had sent that signal itself")
	h.fact(starved, "child-starved", "own", wChildStarved, "the kernel's log says why: %s", recordOf(d))
	if !byStatus && (own || d.Signal.CodeUnknown && !starved) {
		return // SIGKILL is mostly the parent's own way of ending a child
	}
	h.Kind = kindChildDied
	h.Title = fmt.Sprintf("Its child process %d (%s) died of %s, and then it exited with status %d", d.PID, command, name, o.ExitCode)
	h.Summary = fmt.Sprintf("The program itself ended in an orderly way. What failed is a process that it, or one of its children, had started: %s.", command)
	if d.Signal.Sent() && d.Signal.PID != 0 && d.Signal.PID != d.PID && !own {
		h.Summary += fmt.Sprintf(" The signal was sent by process %d.", d.Signal.PID)
	}
	h.Blame = Blame{}
	h.LookAt, h.Next = nil, nil
	if len(d.Args) > 0 {
		h.next("explain the child itself: meshdiag run -- " + commandWords(d.Args))
	}
	if d.Core {
		h.next("or from its core dump: meshdiag core")
	}
	switch {
	case starved:
		h.Title = fmt.Sprintf("The kernel ended its child process %d (%s) for want of memory, and then it exited with status %d", d.PID, command, o.ExitCode)
		h.Next = nil
		h.next("give it more memory (the control group's, or the machine's), or let fewer run at a time", "journalctl -k | grep -i -A30 'invoked oom-killer' lists all processes of that moment")
	case d.Signal.Number == int(unix.SIGKILL) && (d.OOM == nil || d.OOM.Machine != 0):
		h.next("SIGKILL: journalctl -k | grep -i oom tells whether the kernel ended it for want of memory")
	}
}

// recordOf is the kernel's record of a child that it ended for want of memory.
func recordOf(d *crash.DeadChild) string {
	if d.OOM == nil {
		return ""
	}
	return d.OOM.Record
}

// unexpected reports whether a process hardly dies of that signal as part of its job.
func unexpected(d *crash.DeadChild) bool {
	switch unix.Signal(d.Signal.Number) {
	case unix.SIGPIPE, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2:
		return false
	}
	return true
}

// commandWords is argv, to be typed.
func commandWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	return strings.Join(words, " ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

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

// lastFailure is the last line that a rule knows as a failure or warning, else the last line on stderr (or on the one
// channel of both), else "".
func (c *Case) lastFailure() string {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		switch profile.Meaning(c.Messages[i].Meaning) {
		case profile.MeansFailure, profile.MeansWarning:
			return c.Messages[i].Line.Text
		}
	}
	lines := c.Crash.Output.Lines
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].Stream != crash.Stdout && strings.TrimSpace(lines[i].Text) != "" {
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
	Kinds: map[string]string{
		kindChildDied:   "a process that it had started died of a signal, and then it gave up",
		kindCommand:     "a shell did not find a command, or may not execute it (status 127, 126)",
		kindNoFiles:     "it had no file descriptor left (EMFILE, ENFILE)",
		kindNoSpace:     "a file system has no space or no inode left (ENOSPC)",
		kindNoProcesses: "it was refused another process or thread (EAGAIN)",
		kindStartUp:     "it ended in the middle of its start-up with status 0 and said nothing",
	},
	Text: `The program ended in an orderly way, with a status that is not 0, or with 0 after it had said that it failed, or with 0 in the
middle of a start-up that is known. Nothing more exact is known. Where its words point to a database, a port or a missing
symbol, that cause is named instead. Where they point to a limit (open files, space, processes), the limit is looked up.
Where a child process died of a signal and the program gave up after that, the child is named with its command line.

Example: "config: no such file" and exit status 2. Or: exit status 139, after the child "./worker --once" died of SIGSEGV.`,
	For:            []string{"the exit status", "its last words", "the status is 128 plus the signal that a child died of", "a limit that its words speak of is reached", "the kernel's record that it ended the child for want of memory"},
	Against:        []string{"its words point to something more exact", "it had ended the child itself"},
	FalsePositives: []string{"programs that use their exit status for other things: grep, diff, test"},
	Fix:            []string{"read its last lines; run it with more verbose output", "meshdiag run -- the command line of the child"},
}
