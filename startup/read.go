package startup

import (
	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// Code answers the questions about the program's code that reading a start-up off the binary needs.
// *symbols.Symbolizer is one.
type Code interface {
	Find(name string) (symbols.Symbol, *symbols.Module, bool)
	Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool)
	FuncRange(addr uint64) (lo, hi uint64, how string, ok bool)
	Code(addr uint64, n int) ([]byte, string, error)
	PLTName(addr uint64) (string, bool)
	GOTName(slot uint64) (string, bool)
}

var _ Code = (*symbols.Symbolizer)(nil)

const (
	maxUnnamed  = 20
	maxMessages = 1000
)

// Read finds how far the start-up got, and which printed lines have a meaning (oldest first). Phases come from the
// profile's sequences and from the binary's own constants; without a profile that names an entry function there are
// none. stacks are parallel to c.Threads and serve where no output was watched.
func Read(c *crash.Crash, code Code, p *profile.Profile, stacks []symbols.Stack) (Timeline, []Message) {
	msgs := messages(c, p)
	var t Timeline
	if p == nil {
		t.Last = -1
		t.Why = "no profile tells which lines this program prints while it starts"
	} else {
		bin := readBinary(c, code, p)
		t = timeline(c, p, bin)
		t.findLast(c, bin, stacks)
	}
	t.unnamed(c, p, msgs)
	return t, msgs
}

// findLast says which step was the last one, from the output or else from the stack of the thread that prints.
func (t *Timeline) findLast(c *crash.Crash, bin *codeMap, stacks []symbols.Stack) {
	t.Last = -1
	switch {
	case len(t.Steps) == 0:
		t.Why = "the profile knows no start-up messages, and none were found in the binary"
	case c.Output.Observed:
		t.From = "output"
		t.see(c)
	default:
		t.Why = "the output was not watched, and no frame of the entry function was found on a stack"
		t.fromStacks(bin, stacks)
	}
	t.Done = t.Last >= 0 && t.Last == t.lastMandatory()
	if t.Last > t.lastMandatory() {
		t.Done = true
	}
}

// lastMandatory is the index of the last step that every run reaches.
func (t *Timeline) lastMandatory() int {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if !t.Steps[i].Optional {
			return i
		}
	}
	return len(t.Steps) - 1
}

// unnamed keeps lines that belong to no step and have no meaning.
func (t *Timeline) unnamed(c *crash.Crash, p *profile.Profile, msgs []Message) {
	known := make(map[int]bool, len(msgs))
	for i := range msgs {
		known[msgs[i].Index] = true
		if w := msgs[i].words; w != nil {
			for j := w.from; j <= w.to; j++ {
				known[j] = true
			}
		}
	}
	for i, l := range c.Output.Lines {
		if len(t.Unnamed) == maxUnnamed {
			return
		}
		if known[i] || t.taken[i] || l.Text == "" {
			continue
		}
		if m, ok := p.Match(l.Text, string(l.Stream)); ok && m.Rule.Meaning == profile.MeansNoise {
			continue
		}
		t.Unnamed = append(t.Unnamed, Line{At: l.At, Text: profile.PlainLine(l.Text)})
	}
}
