package startup

import (
	"strconv"
	"strings"

	"meshdiag/profile"
)

// PanicText is one panic, abort with words, or uncaught exception as it was printed.
type PanicText struct {
	Thread string // as the runtime names it, "<unnamed>" included; "" not told
	TID    int    // 0 not told
	File   string // where it was raised; "" not told
	Line   int
	// Message is what it says, in one line. When a number of bytes in it is really text, that is added.
	Message     string
	Cause, Kind string // cause id that the words point to; "" none in particular
	Consequence bool   // a second panic that only follows from the one before
	Caught      bool   // the program said that it caught it
	Origin      string // "rust", "profile", "c++", "glibc", "c", "go"
	LineIndex   int    // in Crash.Output.Lines
	Rule        string // message rule of its head
	Words       string // message rule of its words; "" none
}

// origins are those whose failures are panics of the program itself; the loader and sanitizers speak for themselves.
var origins = map[string]bool{"rust": true, "profile": true, "c++": true, "glibc": true, "c": true, "go": true}

// Panics puts together what the target printed of its panics, oldest first: heads, words on lines of their own, what was
// caught and what only followed. The first one that is no consequence is the cause of those after it.
func Panics(msgs []Message) []PanicText {
	var out []PanicText
	for i := range msgs {
		m := &msgs[i]
		switch {
		case m.inner:
		case m.Meaning == profile.MeansPanic:
			out = append(out, m.panicText())
		case m.Meaning == profile.MeansPayload:
			out = addWords(out, m)
		case m.Meaning == profile.MeansCaught:
			out = markCaught(out, m)
		case m.Meaning == profile.MeansAllocation, m.Meaning == profile.MeansFailure && origins[m.Origin]:
			out = append(out, m.panicText())
		}
	}
	return out
}

func (m *Message) panicText() PanicText {
	p := PanicText{Thread: m.parts.Thread, File: m.parts.File, Message: m.parts.Payload, Cause: m.Cause, Kind: m.Kind,
		Origin: m.Origin, LineIndex: m.Index, Rule: m.Rule}
	p.TID, _ = strconv.Atoi(m.parts.TID)
	p.Line, _ = strconv.Atoi(m.parts.Line)
	if w := m.words; w != nil {
		p.addWords(w)
	}
	if m.Meaning == profile.MeansAllocation && len(m.Groups) > 1 {
		if text, ok := SizeText(m.Groups[1]); ok {
			p.Message += " (the number is the text " + strconv.Quote(text) + ")"
		}
	}
	return p
}

// addWords fills in what the words tell. A rule of the profile knows better than the head where the panic was raised: the
// head names the runtime's own source.
func (p *PanicText) addWords(w *words) {
	p.Message = w.text
	if w.file != "" {
		p.File = w.file
		p.Line, _ = strconv.Atoi(w.line)
	}
	r := w.rule
	if r == nil {
		return
	}
	p.Words = r.Rule
	if r.Cause != "" {
		p.Cause, p.Kind = r.Cause, r.Kind
	}
	if r.Origin != "" {
		p.Origin = r.Origin
	}
	if r.parts.Payload != "" && w.to == w.from {
		p.Message = r.parts.Payload
	}
	if r.parts.File != "" {
		p.File = r.parts.File
		p.Line, _ = strconv.Atoi(r.parts.Line)
	}
	p.Consequence = r.Meaning == profile.MeansConsequence
}

// wordsReach is how many lines after its head the words of a panic may stand.
const wordsReach = 3

// addWords adds words that stand alone to the panic just before, or makes a panic of them when its head is missing.
func addWords(out []PanicText, m *Message) []PanicText {
	if n := len(out); n > 0 && out[n-1].Origin == m.Origin && out[n-1].Words == "" && m.Index-out[n-1].LineIndex <= wordsReach {
		last := &out[n-1]
		last.Words = m.Rule
		if last.Message == "" {
			last.Message = m.words0()
		} else {
			last.Message += ": " + m.words0()
		}
		return out
	}
	p := m.panicText()
	p.Message, p.Words = m.words0(), m.Rule
	return append(out, p)
}

// words0 is what a line of words says: the part that its rule singles out, or all of it.
func (m *Message) words0() string {
	if m.parts.Payload != "" {
		return m.parts.Payload
	}
	return m.Line.Text
}

// markCaught marks the panic that the line speaks of: the last one with the same words, or the last one not yet caught.
// When none was printed, the line itself is all that is known of it.
func markCaught(out []PanicText, m *Message) []PanicText {
	last := -1
	for i := len(out) - 1; i >= 0; i-- {
		if out[i].Caught || out[i].Consequence {
			continue
		}
		if said := m.parts.Payload; said != "" && (strings.Contains(said, out[i].Message) || strings.Contains(out[i].Message, said)) {
			last = i
			break
		}
		if last < 0 {
			last = i
		}
	}
	if last < 0 {
		p := m.panicText()
		p.Caught = true
		return append(out, p)
	}
	out[last].Caught = true
	return out
}

// SizeText reads a decimal number as the bytes of a text in memory order, as when a string was taken for a length. ok is
// false unless all of its bytes, at least four, are printable.
func SizeText(number string) (text string, ok bool) {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return "", false
	}
	var b []byte
	for ; n > 0; n >>= 8 {
		if c := byte(n); c < ' ' || c > '~' {
			return "", false
		}
		b = append(b, byte(n))
	}
	return string(b), len(b) >= 4
}
