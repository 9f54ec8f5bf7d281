package report

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Outcome kinds of the contract.
const (
	kindCrashed      = "crashed"
	kindPanicked     = "panicked"
	kindExited       = "exited"
	kindHung         = "hung"
	kindHealthy      = "healthy"
	kindKilled       = "killed"
	kindLaunchFailed = "launch-failed"
)

// causeUnknown is the cause id that says that nothing is claimed.
const causeUnknown = "unknown"

// causeHang is the id of a process that makes no progress.
const causeHang = "hang"

// confidenceWord is the word for a probability. The steps are wide on purpose: nobody can tell 70 % from 75 %.
func confidenceWord(c float64) string {
	switch {
	case c >= 0.95:
		return "almost certain"
	case c >= 0.7:
		return "likely"
	case c >= 0.4:
		return "possible"
	default:
		return "unlikely"
	}
}

// percent never rounds to certainty or to impossibility: those are not what the evidence says.
func percent(c float64) string {
	p := int(math.Round(c * 100))
	if p >= 100 && c < 1 {
		p = 99
	}
	if p <= 0 && c > 0 {
		p = 1
	}
	return fmt.Sprintf("%d %%", p)
}

// sureness is word and number together, or nothing for a cause that claims nothing.
func sureness(c Cause) string {
	if c.ID == causeUnknown {
		return ""
	}
	return confidenceWord(c.Confidence) + ", " + percent(c.Confidence)
}

// outcomeLabel is how it ended, in as few words as name it: "SIGSEGV", "panic", "exit status 1".
func outcomeLabel(o Outcome) string {
	switch o.Kind {
	case kindCrashed:
		return orElse(signalName(o), "crash")
	case kindPanicked:
		return "panic"
	case kindExited:
		if o.ExitCode != nil {
			return fmt.Sprintf("exit status %d", *o.ExitCode)
		}
		return "exit"
	case kindKilled:
		if name := signalName(o); name != "" {
			return "killed by " + name
		}
		return "killed"
	case kindLaunchFailed:
		return "cannot be launched"
	default:
		return o.Kind
	}
}

// ArtefactFirst begins the warnings that say that what ran may not be what was built last. They stand before the cause.
const ArtefactFirst = "Before the cause, look at the artefact: "

// warningsFirst are the warnings that a reader must know before the cause.
func warningsFirst(r *Report) (first, other []string) {
	for _, w := range r.Warnings {
		if strings.HasPrefix(w, ArtefactFirst) {
			first = append(first, w)
		} else {
			other = append(other, w)
		}
	}
	return first, other
}

// stems are parts of words by which a title already tells the outcome: "it hangs", "main panicked".
var stems = map[string]string{kindHung: "hang", kindPanicked: "panic"}

func signalName(o Outcome) string {
	if o.Signal == nil {
		return ""
	}
	return o.Signal.Name
}

// headline is the answer in one line, without the program's name in front.
func headline(r *Report) string {
	switch r.Outcome.Kind {
	case kindHealthy:
		return healthyLine(r)
	case kindLaunchFailed:
		return targetName(r) + " cannot be launched: " + launchWords(r)
	}
	if EndedByRequest(r) {
		return healthyLine(r)
	}
	label := outcomeLabel(r.Outcome)
	if len(r.Causes) == 0 {
		return label + ": cause unknown"
	}
	best := r.Causes[0]
	text := best.Title
	if best.ID == causeUnknown && !strings.Contains(strings.ToLower(text), "unknown") {
		text = "cause unknown: " + text
	}
	if !strings.Contains(strings.ToLower(text), strings.ToLower(orElse(stems[r.Outcome.Kind], label))) {
		text = label + ": " + text
	}
	if s := sureness(best); s != "" {
		text += " — " + s
	}
	return text
}

// EndedByRequest reports whether the program ended because somebody asked it to, by a signal that is meant for that, and
// nothing else was found: no fault, though not the program's own end either.
func EndedByRequest(r *Report) bool {
	if r.Outcome.Kind != kindKilled || len(r.Causes) > 0 && r.Causes[0].ID != kindKilled {
		return false
	}
	switch signalName(r.Outcome) {
	case "SIGTERM", "SIGINT", "SIGHUP":
		return true
	}
	return false
}

// healthyLine is all there is to say about a target that ended well.
func healthyLine(r *Report) string {
	s := targetName(r) + " ended without a fault"
	if snapshot(r) {
		s = targetName(r) + " was alive when its core was made: no fault in it"
	}
	if perhapsHung(r) {
		return targetName(r) + " was alive when its core was made. " + r.Causes[0].Title + " — " + sureness(r.Causes[0])
	}
	var facts []string
	switch {
	case r.Outcome.Signal != nil:
		by := "ended by " + r.Outcome.Signal.Name
		if d := deref(r.Outcome.Detail); d != "" {
			by += ": " + strings.TrimSuffix(d, ".")
		}
		facts = append(facts, by)
	case r.Outcome.ExitCode != nil:
		facts = append(facts, fmt.Sprintf("exit status %d", *r.Outcome.ExitCode))
	}
	if r.Outcome.ElapsedS != nil {
		facts = append(facts, seconds(*r.Outcome.ElapsedS))
	}
	if p := phaseShort(r.Phase); p != "" {
		facts = append(facts, p)
	}
	if n := len(r.Warnings); n > 0 && !snapshot(r) { // of a snapshot they are shown
		facts = append(facts, count(n, "warning")+", see --verbose")
	}
	if len(facts) > 0 {
		s += " (" + strings.Join(facts, ", ") + ")"
	}
	return s
}

// snapshot tells the core of a living process from that of one which ended.
func snapshot(r *Report) bool {
	return r.Target.Source == "core" && r.Outcome.Kind == kindHealthy && r.Outcome.Signal == nil && r.Outcome.ExitCode == nil
}

// perhapsHung reports whether the threads of a living process wait for each other in a way that may last.
func perhapsHung(r *Report) bool {
	return snapshot(r) && len(r.Causes) > 0 && r.Causes[0].ID == causeHang
}

func targetName(r *Report) string {
	if r.Target.Path == "" {
		return "the program"
	}
	return filepath.Base(r.Target.Path)
}

// phaseShort is "phase 7 of 9, services", or "" when the phase is not known.
func phaseShort(p Phase) string {
	var parts []string
	if p.Index != nil {
		s := fmt.Sprintf("phase %d", *p.Index)
		if p.Of != nil {
			s += fmt.Sprintf(" of %d", *p.Of)
		}
		parts = append(parts, s)
	}
	if name := deref(p.Title); name != "" {
		parts = append(parts, name)
	} else if p.ID != nil {
		parts = append(parts, *p.ID)
	}
	return strings.Join(parts, ", ")
}

// phaseMeaning says what the phase is worth as an explanation; "" when no message was seen.
func phaseMeaning(r *Report) string {
	switch p := r.Phase; {
	case p.LastMessage == nil:
		return ""
	case p.Explains && r.Outcome.Kind == kindHung:
		return "The thread that prints the phases got no further than this message."
	case p.Explains:
		return "The thread that died is the one that prints the phases: the fault lies behind this message."
	default:
		return "The message dates the fault and does not explain it: another thread prints the phases."
	}
}

var roleWords = map[string]string{
	"main": "the main thread", "worker": "a worker thread", "http-handler": "an HTTP handler", "ws-handler": "a WebSocket handler",
	"service": "a service", "actor": "an actor", "other": "a thread of unknown role",
}

// threadWords says who died: "the service event_processor, on thread 4711 (mesher)".
func threadWords(t *Thread) string {
	who := orElse(roleWords[t.Role], "a thread")
	if t.Actor != nil {
		switch t.Role {
		case "service":
			who = "the service " + *t.Actor
		case "actor":
			who = "the actor " + *t.Actor
		default:
			who += " (" + *t.Actor + ")"
		}
	}
	where := fmt.Sprintf("thread %d", t.TID)
	if t.Name != "" {
		where += " (" + t.Name + ")"
	}
	return who + ", " + where
}

// signalWords says what the kernel said about the fault.
func signalWords(s *Signal) string {
	text := s.Name
	if s.Code != "" {
		text += " " + s.Code
	}
	switch why := codeWords[s.Code]; {
	case s.Code == "SI_KERNEL" && !faultSignals[s.Name]:
		text += ": sent by the kernel"
	case why != "":
		text += ": " + why
	}
	if s.Address != nil {
		text += ", at " + *s.Address
	}
	return text
}

// faultSignals are the signals of which SI_KERNEL says that no address is known.
var faultSignals = map[string]bool{"SIGSEGV": true, "SIGBUS": true, "SIGILL": true, "SIGFPE": true, "SIGTRAP": true}

// codeWords explains the si_code values of fault signals (linux/include/uapi/asm-generic/siginfo.h).
var codeWords = map[string]string{
	"SEGV_MAPERR": "no memory is mapped there",
	"SEGV_ACCERR": "the memory there forbids this access",
	"SEGV_PKUERR": "a protection key forbids this access",
	"SI_KERNEL":   "the kernel gave no address (a non-canonical address, or none at all)",
	"SI_USER":     "sent by a process, or by the kernel in its name",
	"SI_TKILL":    "sent by a thread, as abort() does",
	"SI_QUEUE":    "sent by a process",
	"BUS_ADRALN":  "the address is misaligned",
	"BUS_ADRERR":  "there is no memory behind this mapping (the file may have become shorter)",
	"BUS_OBJERR":  "the hardware could not read the object",
	"FPE_INTDIV":  "integer division by zero, or its result does not fit",
	"FPE_INTOVF":  "integer overflow",
	"FPE_FLTDIV":  "floating-point division by zero",
	"FPE_FLTINV":  "invalid floating-point operation",
	"ILL_ILLOPN":  "illegal operand",
	"ILL_ILLOPC":  "illegal opcode",
	"ILL_PRVOPC":  "privileged instruction",
	"TRAP_BRKPT":  "breakpoint",
}

// frameName is the best name of a frame: readable, raw, or module and offset.
func frameName(f Frame) string {
	switch {
	case f.Demangled != nil && *f.Demangled != "":
		return *f.Demangled
	case f.Symbol != nil && *f.Symbol != "":
		return *f.Symbol
	case f.Module != nil && f.Offset != nil:
		return filepath.Base(*f.Module) + "+" + *f.Offset
	default:
		return f.PC
	}
}

// framePlace is where a frame's code is, as exactly as is known: file and line, or nothing.
func framePlace(f Frame) string {
	if f.File == nil {
		return ""
	}
	if f.Line == nil {
		return *f.File
	}
	return fmt.Sprintf("%s:%d", *f.File, *f.Line)
}

// causeName is "abi-mismatch/arity".
func causeName(c Cause) string {
	if c.Kind == nil || *c.Kind == "" {
		return c.ID
	}
	return c.ID + "/" + *c.Kind
}

// launchWords is the paragraph for a target that never ran: the reason, and what the best cause adds to it.
func launchWords(r *Report) string {
	detail, summary := deref(r.Outcome.Detail), ""
	if len(r.Causes) > 0 {
		summary = orElse(r.Causes[0].Summary, r.Causes[0].Title)
	}
	switch {
	case detail == "":
		return orElse(summary, "The reason is not known.")
	case len(r.Causes) == 0 || r.Causes[0].ID == causeUnknown || strings.Contains(summary, detail):
		return detail
	default:
		return detail + " " + summary
	}
}

// cutText keeps the first limit characters of s and says how many are missing.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	kept := 0
	for i := range s {
		if kept == limit {
			return s[:i] + fmt.Sprintf(" … (%d more characters)", utf8.RuneCountInString(s[i:]))
		}
		kept++
	}
	return s
}

// seconds keeps three digits of short times and full seconds of long ones.
func seconds(s float64) string {
	if s < 1000 {
		return fmt.Sprintf("%.3g s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}

// count is "1 frame", "2 frames".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
