package startup

import (
	"fmt"

	"meshdiag/crash"
)

// Explains reports whether the start-up phase explains what happened to thread focus (an index into c.Threads): only when
// that is the thread that prints the start-up messages. For any other thread the last message only dates the event.
func Explains(c *crash.Crash, roles []ThreadRole, focus int) bool {
	yes, _ := Explanation(c, roles, focus)
	return yes
}

// Explanation is Explains with its reason in a sentence.
func Explanation(c *crash.Crash, roles []ThreadRole, focus int) (bool, string) {
	if focus < 0 || focus >= len(c.Threads) || focus >= len(roles) {
		return false, "no thread is to blame, so the last message only dates the end"
	}
	if t := &c.Threads[focus]; !roles[focus].Prints {
		return false, fmt.Sprintf("thread %d is not the one that prints the start-up messages: the last message only dates its fault", t.TID)
	}
	return true, "it is the thread that prints the start-up messages: it had printed this one and not yet the next"
}
