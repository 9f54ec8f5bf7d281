package heuristics

import (
	"regexp"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/lazyregexp"
)

// Statuses of shells and of env, nohup, xargs, timeout (POSIX.1-2017, 2.8.2).
const (
	cannotExecute = 126
	notFound      = 127
	diedOfSignal  = 128 // plus the number of the signal
)

// commandMissing are what shells and env(1) say of a command that they cannot run: dash, bash and ksh, zsh, env.
var commandMissing = []func() *regexp.Regexp{
	lazyregexp.New(`(?:^|: )([^:\s]+): (?:command )?not found$`),
	lazyregexp.New(`command not found: (\S+)$`),
	lazyregexp.New(`^(?:/usr/bin/)?env: .?([^:\s'’]+).?: No such file or directory$`),
	lazyregexp.New(`(?:^|: )([^:\s]+): (?:Permission denied|cannot execute.*|Is a directory|bad interpreter.*)$`),
}

// statusTells adds what an exit status means by the convention of shells.
func (c *Case) statusTells(h *Hypothesis) {
	code := c.Crash.Outcome.ExitCode
	switch {
	case code == cannotExecute || code == notFound:
		name := missingCommand(c.lastLine())
		if name == "" {
			return
		}
		h.Kind = kindCommand
		h.fact(true, "command-words", "words", wCommandWords, "its last words are a shell's, and %d is a shell's status for that: %q", code, c.lastLine())
		h.Title = "A command that it needs cannot be run: " + name
		h.Summary = "The script, or a shell that the program started, found no such command in PATH, or none that it may execute."
		h.next("command -v "+quote(name)+"; echo $PATH", "install it, or give its whole path")
	case code > diedOfSignal && code <= diedOfSignal+64 && len(c.Crash.Outcome.Children) == 0:
		s := crash.Signal{Number: code - diedOfSignal}
		if unix.SignalName(unix.Signal(s.Number)) == "" {
			return
		}
		h.fact(true, "shell-status", "convention", wConvention, "%d is 128 plus %d: by convention something that it ran, and that was not to be seen from here (a container, another machine), died of %s",
			code, s.Number, s.Name())
	}
}

// missingCommand is the command that a shell's complaint names; "" when the line is none.
func missingCommand(line string) string {
	for _, re := range commandMissing {
		if m := re().FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}
