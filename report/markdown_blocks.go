package report

import "fmt"

func diagnosisLines(r *Report) []string {
	if r.Outcome.Kind == kindLaunchFailed {
		lines := []string{headline(r)}
		if len(r.Causes) > 0 && r.Causes[0].ID == causeUnknown {
			return lines // its advice is for programs that ran
		}
		return append(lines, firstNext(r)...)
	}
	lines := []string{headline(r)}
	first, _ := warningsFirst(r)
	lines = append(lines, first...)
	if len(r.Causes) == 0 {
		return lines
	}
	best := r.Causes[0]
	if best.Summary != "" {
		lines = append(lines, best.Summary)
	}
	if w := blameWords(best.Blame); w != "" {
		lines = append(lines, "blame:   "+w)
	}
	if len(best.LookAt) > 0 {
		lines = append(lines, "look at: "+joined(best.LookAt))
	}
	return append(lines, firstNext(r)...)
}

// firstNext is the advice of the best cause, one step a line.
func firstNext(r *Report) []string {
	var lines []string
	if len(r.Causes) > 0 {
		for _, step := range r.Causes[0].Next {
			lines = append(lines, "next:    "+step)
		}
	}
	return lines
}

func joined(items []string) string {
	s := ""
	for i, item := range items {
		if i > 0 {
			s += ", "
		}
		s += item
	}
	return s
}

func happenedLines(r *Report) []string {
	if r.Outcome.Kind == kindHealthy || r.Outcome.Kind == kindLaunchFailed {
		return warningLines(r)
	}
	var lines []string
	add := func(label, s string) {
		if s != "" {
			lines = append(lines, fmt.Sprintf("%-13s%s", label, s))
		}
	}
	add("program", programWords(r))
	for _, row := range processRows(r) {
		add(row[0], row[1])
	}
	if s := r.Outcome.Signal; s != nil {
		add("signal", signalWords(s))
	}
	add("detail", deref(r.Outcome.Detail))
	if f := r.Fault; f != nil {
		add("fault", faultWords(f))
		if f.Instruction != nil {
			s := f.Instruction.Text
			if w := operandWords(f); w != "" {
				s += "   (" + w + ")"
			}
			add("instruction", s)
		}
	}
	if r.Thread != nil {
		add("thread", threadWords(r.Thread))
	}
	phase := phaseShort(r.Phase)
	if m := r.Phase.LastMessage; m != nil {
		phase += "; last message \"" + *m + "\""
	}
	if w := phaseMeaning(r); w != "" {
		phase += ". " + w
	}
	add("phase", phase)
	return append(lines, warningLines(r)...)
}

func warningLines(r *Report) []string {
	var lines []string
	_, other := warningsFirst(r)
	for _, w := range other {
		lines = append(lines, "warning      "+w)
	}
	return lines
}

func evidenceLines(r *Report) []string {
	var lines []string
	for i, c := range r.Causes {
		if i > 0 {
			lines = append(lines, fmt.Sprintf("or %s [%s] %s", c.Title, causeName(c), sureness(c)))
			continue
		}
		for _, e := range c.Evidence {
			sign := "+ "
			if !e.Supports {
				sign = "- "
			}
			lines = append(lines, sign+e.Text)
		}
	}
	for _, x := range r.RuledOut {
		lines = append(lines, "not "+x.ID+": "+x.Why)
	}
	return lines
}

func provenanceLines(r *Report) []string {
	var lines []string
	for _, s := range r.Provenance {
		line := fmt.Sprintf("%-11s%s", s.Step, s.Text)
		if s.Tier != "" && s.Tier != "certain" {
			line += " (" + s.Tier + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// stackLines is the stack of the thread that died; in a hang, what each thread waits for.
func stackLines(r *Report) []string {
	var lines []string
	for _, s := range r.Threads {
		if s.Crashed {
			lines = append(lines, foldedLines(s)...)
		} else if r.Outcome.Kind == kindHung {
			line := stackName(s)
			if s.Waits != nil {
				line += ": " + *s.Waits
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func foldedLines(s Stack) []string {
	var lines []string
	for _, e := range fold(s.Frames) {
		if e.frame == nil {
			lines = append(lines, "    "+e.note)
			continue
		}
		line := fmt.Sprintf("#%-3d%-10s%s", e.frame.Index, deref(e.frame.Mark), frameName(*e.frame))
		if tags := frameTags(e.frame); tags != "" {
			line += " (" + tags + ")"
		}
		if place := framePlace(*e.frame); place != "" {
			line += "  " + place
		}
		lines = append(lines, line)
	}
	if s.Truncated != nil {
		lines = append(lines, "incomplete: "+*s.Truncated)
	}
	return lines
}

func outputLines(r *Report) []string {
	if r.Outcome.Kind == kindHealthy {
		return nil
	}
	tail := foldTail(r.Output.Tail)
	if len(tail) > tailLines {
		tail = tail[len(tail)-tailLines:]
	}
	var lines []string
	for _, l := range tail {
		lines = append(lines, outputMargin(l)+l.Text)
	}
	return lines
}
