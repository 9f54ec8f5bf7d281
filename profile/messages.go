package profile

import "strings"

// Matched is one output line that a message rule knows.
type Matched struct {
	Rule   *MessageRule
	Groups []string // of the rule's pattern; Groups[0] is the whole match
	Text   string   // the rule's sentence, filled in

	// The parts of a panic that the line itself tells; "" it does not.
	Thread, TID, File, Line, Payload string

	// Exact is the engine's rule that knows the reason which the line quotes, nil for none, and Why its sentence.
	Exact *MessageRule
	Why   string
}

// Open reports whether the line leaves open which kind of its cause it is.
func (m *Matched) Open() bool { return m.Rule.Reason != "" && m.Exact == nil }

// maxLine bounds what of a line is matched; the observer cuts lines at the same length.
const maxLine = 4096

// Match finds the rule that knows a printed line: the profile's rules first, then the engine's own. stream is "stdout",
// "stderr" or "" when it is not known (every rule may then match). It works on a nil profile. The line is hostile:
// nothing of it is interpreted, and colour sequences are dropped before it is looked at.
func (p *Profile) Match(line, stream string) (Matched, bool) {
	line = PlainLine(line)
	tables := [][]MessageRule{engine().Messages}
	if p != nil {
		tables = [][]MessageRule{p.Messages, engine().Messages}
	}
	for _, rules := range tables {
		for i := range rules {
			r := &rules[i]
			if r.Stream != "" && stream != "" && r.Stream != stream {
				continue
			}
			if m := r.Pattern.FindStringSubmatchIndex(line); m != nil {
				return r.matched(line, m), true
			}
		}
	}
	return Matched{}, false
}

func (r *MessageRule) matched(line string, m []int) Matched {
	fill := func(template string) string { return r.Pattern.expand(template, line, m) }
	out := Matched{Rule: r, Text: fill(r.Text), Thread: fill(r.Thread), TID: fill(r.TID), File: fill(r.File),
		Line: fill(r.Line), Payload: fill(r.Payload)}
	for i := 0; i+1 < len(m); i += 2 {
		group := ""
		if m[i] >= 0 {
			group = line[m[i]:m[i+1]]
		}
		out.Groups = append(out.Groups, group)
	}
	if reason := fill(r.Reason); reason != "" {
		if m, ok := (*Profile)(nil).Match(reason, ""); ok && m.Rule.Cause == r.Cause {
			out.Exact, out.Why = m.Rule, m.Text
		}
	}
	return out
}

// PlainLine cuts a line to a bounded length and drops terminal control sequences and other control characters, so that
// "\x1b[31merror\x1b[0m" is matched as "error". Tabs stay.
func PlainLine(s string) string {
	if len(s) > maxLine {
		s = s[:maxLine]
	}
	if strings.IndexFunc(s, control) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			i += escapeLength(s[i:])
			continue
		}
		if !control(rune(s[i])) {
			b.WriteByte(s[i])
		}
		i++
	}
	return b.String()
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// escapeLength is how many bytes an escape sequence at the start of s takes (ECMA-48: CSI, OSC, two-byte sequences).
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']':
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
