package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/crash"
)

// unknown is never found by a rule of its own: it leads where no cause has more behind it than "none of these".
var unknown = Heuristic{Doc: docUnknown, Run: func(*Case) Finding { return Finding{} }}

// notKnown says what is certain, which two causes come nearest, and what would tell them apart.
func notKnown(c *Case, ranked []Hypothesis, none float64) Hypothesis {
	h := hypothesis(idUnknown, "")
	h.fact(true, "nothing-fits", "rank", wNothingFits, "no known cause has enough evidence")
	h.Title = "The cause is not known; " + c.certain()
	var near []string
	for _, r := range ranked[:min(2, len(ranked))] {
		near = append(near, strings.TrimSuffix(r.ID+"/"+r.Kind, "/"))
	}
	h.Summary = "Certain is: " + c.certain() + "."
	switch len(near) {
	case 0:
		h.Summary += " Nothing that was seen points to any known cause."
	case 1:
		h.Summary += " It could be " + near[0] + "."
	default:
		h.Summary += " It could be " + near[0] + " or " + near[1] + "."
	}
	for _, r := range ranked[:min(2, len(ranked))] {
		if t := telling[r.ID]; t != "" {
			h.next(fmt.Sprintf("to see whether it is %s: %s", strings.TrimSuffix(r.ID+"/"+r.Kind, "/"), t))
		}
	}
	h.next(c.needed()...)
	if len(h.Next) == 0 && c.Crash.Target.Source == crash.SourceCore {
		h.next("run it under meshdiag run, which sees more than a core holds: what it printed, and what went before")
	}
	if len(h.Next) == 0 {
		h.next("run it again with --save-core FILE and keep its output: more of either may tell",
			"run it without meshdiag and compare: does it end in the same way?")
	}
	c.blameSuspect(h)
	h.Confidence = min(none, ceilingUnknown)
	return *h
}

// telling says which observation would decide for or against a cause.
var telling = map[string]string{
	idABI:        "compare both sides of the call: the declaration in the compiler with the definition in the runtime",
	idHandle:     "compare the value with the handles that are alive",
	idMissing:    "nm -u PROGRAM shows what was left unresolved",
	idDispatch:   "read the table that the function pointer came from",
	idNull:       "follow the value back to the call or field that gave NULL",
	idWild:       "run it twice: a value that changes is garbage, one that stays has a source",
	idFreed:      "run it under valgrind: it tells who freed the object",
	idHeap:       "run it under valgrind: it stops at the write that does the damage",
	idStackSmash: "build with -fstack-protector-all or -fsanitize=address",
	idPastFile:   "compare the size of the file with the length of its mapping",
	idOverflow:   "raise the limit (ulimit -s unlimited) and see whether it dies later",
	idHang:       "freeze it twice: do the same threads stand at the same places?",
	idDatabase:   "log in with the same user, password and database by psql",
	idStale:      "build everything again from clean",
	idKilled:     "look in the logs of supervisors and of the kernel (journalctl -k)",
	idPanic:      "read the words of the first panic, not those of the last",
}

// certain is what was seen beyond doubt, in half a sentence.
func (c *Case) certain() string {
	v := c.facts()
	o := c.Crash.Outcome
	var what string
	switch {
	case o.LaunchError != "":
		return "it could not be started: " + o.LaunchError
	case v.signal != nil:
		what = "it died of " + v.signal.Name()
		if v.bad != nil {
			what += " on " + v.bad.text
		}
	case o.End == "exit":
		what = fmt.Sprintf("it exited with status %d", o.ExitCode)
	case o.End == "stalled":
		what = "it made no progress"
	default:
		what = "it ended"
	}
	if v.suspect >= 0 {
		what += " in " + v.suspectName()
	}
	return what
}

var docUnknown = Doc{
	ID:    idUnknown,
	Title: "The cause is not known",
	Text: `No cause has more behind it than "none of these". The report then says what is certain, which two causes come nearest, and what
would tell them apart. That is more useful than a guess with a number on it.

Example: SIGSEGV on an unmapped address in a stripped program, with a stack that cannot be unwound.`,
	For:            []string{"nothing else has enough evidence"},
	Against:        []string{"any direct observation"},
	FalsePositives: []string{"a cause that is known to people and not yet to a rule"},
	Fix:            []string{"follow the steps under \"next\": they are chosen to decide between the two nearest causes", "keep the core (--save-core) and the output"},
}
