package report

import (
	"fmt"
	"strings"

	"meshdiag/lazyregexp"
)

// A stack is shown as entries: frames that a reader should see, and sentences in place of those that would hide them.
type entry struct {
	frame *Frame
	note  string // set when frame is nil
}

// foldable are the kinds of frames that rarely hold the reader's bug.
var foldable = map[string]bool{"std": true, "libc": true, "runtime": true}

// maxPeriod is the longest cycle of functions that is recognised as a recursion.
const maxPeriod = 16

// fold chooses what to show of a stack. Runs of standard library, libc and runtime internals become one note each; frames with
// a mark, the runtime function that the program called, and the innermost frame stay (the innermost frame not where a later
// one is marked as the operation: what abort() does inside is of no interest). A cycle of functions is shown once, with a note
// that says how often it repeats.
func fold(frames []Frame) []entry {
	var out []entry
	for i := 0; i < len(frames); {
		if period, rounds := cycle(frames[i:]); rounds > 2 {
			out = append(out, foldKinds(frames[:i+period], i)...)
			out = append(out, entry{note: cycleNote(period, rounds-1+leftOut(frames[i:i+period*rounds], period))})
			i += period * rounds
			continue
		}
		if n := gap(frames, i); n > 0 {
			out = append(out, entry{note: fmt.Sprintf("… %d frames that are not listed", n)})
		}
		end := i + 1
		for end < len(frames) && gap(frames, end) == 0 {
			if _, rounds := cycle(frames[end:]); rounds > 2 {
				break
			}
			end++
		}
		out = append(out, foldKinds(frames[:end], i)...)
		i = end
	}
	return out
}

func cycleNote(period, more int) string {
	if period == 1 {
		return fmt.Sprintf("… the frame above %d more times", more)
	}
	return fmt.Sprintf("… the %d frames above %d more times", period, more)
}

// gap is how many frames of the stack are left out of the report just before frames[i].
func gap(frames []Frame, i int) int {
	if i == 0 {
		return 0
	}
	return max(frames[i].Index-frames[i-1].Index-1, 0)
}

// leftOut is how many rounds of a cycle lie in the gaps of its frames.
func leftOut(frames []Frame, period int) int {
	missing, physical := 0, 1 // inlined calls share the index of their frame
	for i := 1; i < len(frames); i++ {
		missing += gap(frames, i)
		if i < period && frames[i].Index != frames[i-1].Index {
			physical++
		}
	}
	return missing / physical
}

// cycle finds the shortest period with which the functions at the start of frames repeat, and how often they come.
func cycle(frames []Frame) (period, rounds int) {
	for period = 1; period <= maxPeriod && 2*period <= len(frames); period++ {
		n := period
		for n < len(frames) && sameFunction(frames[n], frames[n-period]) {
			n++
		}
		if n/period > 2 {
			return period, n / period
		}
	}
	return 0, 0
}

func sameFunction(a, b Frame) bool { return frameName(a) == frameName(b) }

// foldKinds gives the entries for frames[from:]; frames before it only serve as neighbours.
func foldKinds(frames []Frame, from int) []entry {
	var out []entry
	var hidden []Frame
	flush := func() {
		if len(hidden) > 0 {
			out = append(out, entry{note: foldNote(hidden)})
			hidden = nil
		}
	}
	for i := from; i < len(frames); i++ {
		if keep(frames, i) {
			flush()
			out = append(out, entry{frame: &frames[i]})
		} else {
			hidden = append(hidden, frames[i])
		}
	}
	flush()
	return out
}

func keep(frames []Frame, i int) bool {
	f := frames[i]
	switch {
	case f.Mark != nil || !foldable[f.Kind]:
		return true
	case i == 0:
		return !hasOperation(frames)
	case f.Trust == "scan" && i+1 < len(frames):
		return true // all frames behind it rest on a guess
	case f.Kind == "runtime" && i+1 < len(frames):
		return !foldable[frames[i+1].Kind] // the boundary: called by the program itself
	default:
		return false
	}
}

func hasOperation(frames []Frame) bool {
	for _, f := range frames {
		if f.Mark != nil && *f.Mark == "operation" {
			return true
		}
	}
	return false
}

// foldNote counts the hidden frames by kind, in the order in which the kinds appear: "… 4 std, 2 libc frames".
func foldNote(hidden []Frame) string {
	var kinds []string
	counts := map[string]int{}
	for _, f := range hidden {
		if counts[f.Kind] == 0 {
			kinds = append(kinds, f.Kind)
		}
		counts[f.Kind]++
	}
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[k], k)
	}
	noun := "frames"
	if len(hidden) == 1 {
		noun = "frame"
	}
	return "… " + strings.Join(kinds, ", ") + " " + noun
}

// backtraceLine is a line of the backtrace that a program prints of itself, as Rust's standard library does: it says what
// the report's own stack says better, and it crowds out the message before it.
var backtraceLine = lazyregexp.New(`^\s*(?:\d+:\s+(?:0x[0-9a-f]+ - )?\S|at \S+:\d+|stack backtrace:$)`)

// foldTail puts one note in place of each run of three or more lines of a backtrace.
func foldTail(tail []OutputLine) []OutputLine {
	var out []OutputLine
	for i := 0; i < len(tail); {
		n := 0
		for i+n < len(tail) && backtraceLine().MatchString(tail[i+n].Text) {
			n++
		}
		if n >= 3 {
			note := tail[i]
			note.Text = fmt.Sprintf("… %d lines of its own backtrace", n)
			out, i = append(out, note), i+n
			continue
		}
		out, i = append(out, tail[i]), i+1
	}
	return out
}
