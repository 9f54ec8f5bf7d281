package heuristics

import (
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/startup"
)

// Interpret says which of the contract's outcomes a case is. The kernel only tells a status; whether an abort was a
// panic or a detected corruption, and whether an exit with 0 was a failure, is read from what was seen before it.
func Interpret(c *Case) crash.Kind {
	c.facts()
	o := c.Crash.Outcome
	switch o.End {
	case crash.EndLaunchFailed:
		return crash.LaunchFailed
	case crash.EndStalled:
		return crash.Hung
	case crash.EndExit:
		return interpretExit(c, o.ExitCode)
	case crash.EndSignal:
		return interpretSignal(c, o.Signal)
	case crash.EndRunning:
		if c.stuckForGood() {
			return crash.Hung
		}
	}
	return crash.Healthy
}

// Exit statuses by which a language's own runtime says that a panic ended the program.
const (
	rustPanicExit = 101 // library/std/src/rt.rs
	goPanicExit   = 2   // runtime.fatalpanic
)

func interpretExit(c *Case, code int) crash.Kind {
	if s := finalSighting(c); s != nil {
		// The program's own handler took the signal or hook and then exited by itself.
		if s.Signal != nil && s.Signal.IsFault() {
			return crash.Crashed
		}
		return crash.Panicked
	}
	p := c.facts().panic
	switch {
	case code == 0 && (fatalMessage(c) != nil || c.endsInFailure() || c.stoppedMidway()):
		return crash.Exited
	case code != 0 && code == 128+c.Crash.Outcome.Asked:
		return crash.Healthy // it was asked to end, did so by itself, and says by its status why
	case code == 0:
		return crash.Healthy
	case p != nil && (code == rustPanicExit || code == goPanicExit && p.Origin == "go"):
		return crash.Panicked
	}
	return crash.Exited
}

func interpretSignal(c *Case, s *crash.Signal) crash.Kind {
	if s == nil {
		return crash.Killed
	}
	if s.Sent() && s.PID != 0 && s.PID != c.Crash.Target.PID {
		return crash.Killed // whatever the number: another process sent it
	}
	switch unix.Signal(s.Number) {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS:
		return crash.Crashed
	case unix.SIGABRT:
		return interpretAbort(c)
	case unix.SIGINT:
		// Ctrl-C at a terminal comes from the kernel: the user ended it. A program that had said it failed was not well.
		if s.Code == crash.SIKernel && fatalMessage(c) == nil {
			return crash.Healthy
		}
	}
	return crash.Killed
}

// interpretAbort tells an abort that follows from a damaged process from a program that gave up.
func interpretAbort(c *Case) crash.Kind {
	if s := finalSighting(c); s != nil && s.Signal != nil && s.Signal.IsFault() {
		return crash.Crashed
	}
	switch c.abortReason().cause {
	case idHeap, idStackSmash, idOverflow:
		return crash.Crashed
	}
	return crash.Panicked
}

// finalSighting is the earlier event that the process died in consequence of; nil when there is none.
func finalSighting(c *Case) *crash.Sighting {
	for i := len(c.Crash.Panics) - 1; i >= 0; i-- {
		if c.Crash.Panics[i].Final {
			return &c.Crash.Panics[i]
		}
	}
	return nil
}

// fatalMessage is the first thing the target said after which it could not do its job; nil when there is none. The words
// of a panic do not count: a program that goes on after them has caught it.
func fatalMessage(c *Case) *startup.Message {
	for i := range c.Messages {
		m := &c.Messages[i]
		switch profile.Meaning(m.Meaning) {
		case profile.MeansPanic, profile.MeansPayload, profile.MeansConsequence, profile.MeansCaught:
			continue
		}
		if m.Fatal {
			return m
		}
	}
	return nil
}

// endsInFailure reports whether the last line that the target printed is a failure in words.
func (c *Case) endsInFailure() bool {
	lines := c.Crash.Output.Lines
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.TrimSpace(lines[i].Text) == "" {
			continue
		}
		m := c.lastMessage()
		return m != nil && profile.Meaning(m.Meaning) == profile.MeansFailure && m.Line.At == lines[i].At &&
			strings.Contains(lines[i].Text, m.Line.Text)
	}
	return false
}

func (c *Case) lastMessage() *startup.Message {
	if len(c.Messages) == 0 {
		return nil
	}
	return &c.Messages[len(c.Messages)-1]
}

// message is the first message that points to a cause and, when kind is not empty, to that kind of it.
func (c *Case) message(cause, kind string) *startup.Message {
	for i := range c.Messages {
		if m := &c.Messages[i]; m.Cause == cause && (kind == "" || m.Kind == kind) {
			return m
		}
	}
	return nil
}

// means is the first message with a meaning.
func (c *Case) means(m profile.Meaning) *startup.Message {
	for i := range c.Messages {
		if string(c.Messages[i].Meaning) == string(m) {
			return &c.Messages[i]
		}
	}
	return nil
}
