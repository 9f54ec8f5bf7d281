package startup

import (
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
)

// words are what a panic says: on its own line or on the ones that follow.
type words struct {
	text     string
	from, to int      // lines that they stand on
	rule     *Message // what a rule says of them; nil none
	file     string   // place told by the closing line; "" not there
	line     string
}

// maxWordLines bounds how many lines one panic's words may go over.
const maxWordLines = 8

// messages gives lines their meaning. Of more than maxMessages those in the middle are dropped.
func messages(c *crash.Crash, p *profile.Profile) []Message {
	var out []Message
	lines := c.Output.Lines
	consumed := map[int]bool{}
	for i := range lines {
		if consumed[i] {
			continue
		}
		m, ok := match(lines, i, p)
		if !ok || m.Meaning == profile.MeansNoise {
			continue
		}
		if m.Meaning == profile.MeansPanic {
			m.words = readWords(lines, i, &m, p)
		}
		out = append(out, m)
		if w := m.words; w != nil {
			for j := w.from; j <= w.to; j++ {
				consumed[j] = j != i
			}
			if w.rule != nil && w.from > i {
				out = append(out, *w.rule)
			}
		}
		if len(out) > maxMessages {
			out = append(out[:maxMessages/2], out[maxMessages/2+1:]...)
		}
	}
	return out
}

func match(lines []crash.OutputLine, i int, p *profile.Profile) (Message, bool) {
	l := lines[i]
	got, ok := p.Match(l.Text, string(l.Stream))
	if !ok {
		return Message{}, false
	}
	r := got.Rule
	m := Message{Rule: r.ID, Meaning: r.Meaning, Cause: r.Cause, Kind: r.Kind, Open: got.Open(), Fatal: r.Fatal, Text: got.Text,
		Line: Line{At: l.At, Text: profile.PlainLine(l.Text)}, Groups: got.Groups, Next: r.Next, Index: i, Origin: r.Origin,
		Stream: l.Stream, parts: got}
	if got.Exact != nil {
		m.Kind, m.Text, m.Next = got.Exact.Kind, got.Why, got.Exact.Next
	}
	return m, true
}

// readWords finds what the panic whose head is line i says; nil when it says nothing.
func readWords(lines []crash.OutputLine, i int, head *Message, p *profile.Profile) *words {
	r := head.parts.Rule
	if !r.PayloadNext {
		if head.parts.Payload == "" {
			return nil
		}
		w := &words{text: strings.TrimSuffix(head.parts.Payload, ": "), from: i, to: i}
		if r.End != nil {
			w.readToEnd(lines, r.End)
		}
		w.judge(lines[i], i, p)
		return w
	}
	j := nextOn(lines, i)
	if j < 0 {
		return nil
	}
	if m, ok := match(lines, j, p); ok && (m.Meaning == profile.MeansPanic || m.Meaning == profile.MeansNoise) {
		return nil // the words are missing: another panic or a backtrace begins
	}
	w := &words{text: profile.PlainLine(lines[j].Text), from: j, to: j}
	w.judge(lines[j], j, p)
	if w.rule != nil && w.rule.parts.Rule.More != nil {
		w.readMore(lines, w.rule.parts.Rule.More)
	}
	return w
}

// nextOn is the index of the next line on the same stream as line i; -1 when there is none. Lines of the other stream may
// come between.
func nextOn(lines []crash.OutputLine, i int) int {
	for j := i + 1; j < len(lines) && j <= i+maxWordLines; j++ {
		if lines[j].Stream == lines[i].Stream {
			return j
		}
	}
	return -1
}

// judge finds the rule that knows the words.
func (w *words) judge(l crash.OutputLine, index int, p *profile.Profile) {
	lines := []crash.OutputLine{{At: l.At, Stream: l.Stream, Text: w.text}}
	m, ok := match(lines, 0, p)
	if !ok || m.Meaning == profile.MeansPanic || m.Meaning == profile.MeansNoise {
		return
	}
	m.Index, m.inner = index, true
	w.rule = &m
}

// readToEnd joins the following lines up to the one that closes the words.
func (w *words) readToEnd(lines []crash.OutputLine, end *profile.Pattern) {
	text := []string{w.text}
	at := w.from
	for range maxWordLines {
		if at = nextOn(lines, at); at < 0 {
			return
		}
		line := profile.PlainLine(lines[at].Text)
		if m := end.FindStringSubmatch(line); len(m) > 3 {
			text = append(text, strings.TrimSpace(m[1]))
			w.text, w.to, w.file, w.line = strings.Join(text, " "), at, m[2], m[3]
			return
		}
		text = append(text, strings.TrimSpace(line))
	}
}

// readMore joins the following lines that belong to the words.
func (w *words) readMore(lines []crash.OutputLine, more *profile.Pattern) {
	for range maxWordLines {
		j := nextOn(lines, w.to)
		if j < 0 || !more.MatchString(profile.PlainLine(lines[j].Text)) {
			return
		}
		w.text += "; " + strings.TrimSpace(profile.PlainLine(lines[j].Text))
		w.to = j
	}
}
