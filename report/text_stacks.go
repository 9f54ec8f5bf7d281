package report

import (
	"fmt"
	"strings"
)

const (
	waitFrames = 3  // frames of each thread that only waits
	waitShown  = 12 // kinds of threads in a hang without --verbose
	tailLines  = 10 // output lines without --verbose
)

// stacks shows the thread that died, and where a hang or --verbose asks for it the others.
func (t *text) stacks() {
	var others []Stack
	for _, s := range t.r.Threads {
		if !s.Crashed {
			others = append(others, s)
			continue
		}
		t.heading("Stack of " + stackName(s))
		if t.r.Outcome.Kind == kindHung || perhapsHung(t.r) { // the system call of a thread that died is how it died
			t.waits(s)
		}
		t.frames(s, 0)
	}
	if t.r.Outcome.Kind == kindHung || perhapsHung(t.r) || t.verbose {
		t.others(others)
	}
}

// others shows threads that did not die: threads that do the same are shown once.
func (t *text) others(stacks []Stack) {
	groups := alike(stacks, !t.verbose)
	for i, g := range groups {
		if i == waitShown && !t.verbose {
			t.heading(fmt.Sprintf("… and %s more, see --verbose", count(len(stacks)-counted(groups[:i]), "thread")))
			return
		}
		t.heading(groupName(g))
		t.waits(g[0])
		limit := waitFrames
		if t.verbose {
			limit = 0
		}
		t.frames(g[0], limit)
	}
}

func counted(groups [][]Stack) int {
	n := 0
	for _, g := range groups {
		n += len(g)
	}
	return n
}

// alike groups threads of one role that wait for the same in the same functions, in the order of their first; or, when
// nothing is to be grouped, gives each thread by itself.
func alike(stacks []Stack, group bool) [][]Stack {
	var groups [][]Stack
	at := map[string]int{}
	for _, s := range stacks {
		key := s.Role + "\n" + deref(s.Waits) + "\n" + deref(s.Truncated)
		for _, f := range s.Frames {
			key += "\n" + frameName(f)
		}
		i, ok := at[key]
		if !ok || !group {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// groupName names one thread, or says how many there are and which: "14 threads alike, worker: 20, 21, 22 …".
func groupName(g []Stack) string {
	if len(g) == 1 {
		return capital(stackName(g[0]))
	}
	var ids []string
	for _, s := range g {
		ids = append(ids, fmt.Sprint(s.TID))
	}
	role := ""
	if g[0].Role != "" && g[0].Role != "other" {
		role = ", " + g[0].Role
	}
	return fmt.Sprintf("%d threads alike%s: %s", len(g), role, strings.Join(ids, ", "))
}

func stackName(s Stack) string {
	name := fmt.Sprintf("thread %d", s.TID)
	if s.Name != "" {
		name += " (" + s.Name + ")"
	}
	if s.Role != "" && s.Role != "other" {
		name += ", " + s.Role
	}
	return name
}

func (t *text) waits(s Stack) {
	switch {
	case s.Waits != nil:
		t.line(2, 4, span{"in " + *s.Waits, yellow})
	case s.Wait != nil && s.Wait.Text != nil:
		t.line(2, 4, span{*s.Wait.Text, yellow})
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// frames shows a stack, folded unless verbose. A limit above 0 bounds how many program frames are shown.
func (t *text) frames(s Stack, limit int) {
	entries := fold(s.Frames)
	if t.verbose {
		entries = unfolded(s.Frames)
	}
	shown := 0
	for _, e := range entries {
		if limit > 0 && shown == limit {
			break
		}
		if e.frame == nil {
			t.line(6, 8, span{e.note, faint})
			continue
		}
		t.frame(e.frame)
		if !foldable[e.frame.Kind] {
			shown++
		}
	}
	if len(s.Frames) == 0 {
		t.line(2, 4, span{"no frames could be read", faint})
	}
	if s.Truncated != nil {
		t.line(2, 4, span{"incomplete: " + *s.Truncated, yellow})
	}
}

func unfolded(frames []Frame) []entry {
	out := make([]entry, len(frames))
	for i := range frames {
		out[i].frame = &frames[i]
	}
	return out
}

var markStyles = map[string]style{"operation": blue, "suspect": red, "context": plain}

func (t *text) frame(f *Frame) {
	mark, name := deref(f.Mark), plain
	if mark != "" {
		name = bold
	}
	spans := []span{{fmt.Sprintf("%-3s ", fmt.Sprintf("#%d", f.Index)), faint}, {fmt.Sprintf("%-10s", mark), markStyles[mark]}}
	label := len(spans[0].text) + len(spans[1].text)
	spans = append(spans, span{frameName(*f), name})
	if tags := frameTags(f); tags != "" {
		spans = append(spans, span{" (" + tags + ")", faint})
	}
	if place := framePlace(*f); place != "" {
		spans = append(spans, span{"  " + place, faint})
	}
	if t.verbose {
		spans = append(spans, span{"  " + f.PC, faint})
		if f.Module != nil && f.Offset != nil {
			spans = append(spans, span{"  " + *f.Module + "+" + *f.Offset, faint})
		}
	}
	t.labelled(2, 2+label, label, spans...)
}

// frameTags is what a reader should know of a frame besides its name: its part in the runtime, and doubts about it.
func frameTags(f *Frame) string {
	var tags []string
	switch {
	case f.Part != nil && strings.HasSuffix(frameName(*f), ")") && strings.Contains(frameName(*f), " ("): // "Cart.add (call handler)"
	case f.Part != nil:
		tags = append(tags, *f.Part)
	case f.Kind != "other" && f.Kind != "":
		tags = append(tags, f.Kind)
	}
	if f.Inlined {
		tags = append(tags, "inlined")
	}
	switch f.Trust {
	case "context", "cfi", "":
	default:
		tags = append(tags, "found by "+f.Trust)
		if f.Why != nil {
			tags = append(tags, *f.Why)
		}
	}
	return strings.Join(tags, ", ")
}

func (t *text) output() {
	tail := t.r.Output.Tail
	if len(tail) == 0 {
		return
	}
	t.heading("Last output")
	if !t.verbose {
		tail = foldTail(tail)
	}
	if n := len(tail) - tailLines; n > 0 && !t.verbose {
		t.line(2, 4, span{fmt.Sprintf("… %s before, see --verbose", count(n, "line")), faint})
		tail = tail[n:]
	}
	for _, l := range tail {
		margin := outputMargin(l)
		t.labelled(2, 6, len(margin), span{margin, faint}, span{l.Text, plain})
	}
}

// outputMargin is when and where a line was printed: "1.204 err | ".
func outputMargin(l OutputLine) string {
	at, stream := "       ", "   "
	if l.AtS != nil {
		at = fmt.Sprintf("%7.3f", *l.AtS)
	}
	switch deref(l.Stream) {
	case "stdout":
		stream = "out"
	case "stderr":
		stream = "err"
	}
	return at + " " + stream + " | "
}

// checks shows the probes that failed; the others only when asked for.
func (t *text) checks() {
	var shown []Check
	for _, c := range t.r.Checks {
		if !c.OK || t.verbose {
			shown = append(shown, c)
		}
	}
	if len(shown) == 0 {
		return
	}
	t.heading("Checks")
	for _, c := range shown {
		verdict := span{"failed", red}
		if c.OK {
			verdict = span{"ok", green}
		}
		t.line(2, 4, span{c.ID + ": ", plain}, verdict, span{", " + c.Detail, plain})
	}
}

func (t *text) seenBefore() {
	c := t.r.Corpus
	if (c.Seen == nil || *c.Seen == 0) && c.Known == nil {
		return
	}
	t.heading("Seen before")
	if c.Seen != nil && *c.Seen > 0 {
		s := count(*c.Seen, "time")
		if c.FirstSeen != nil && c.LastSeen != nil {
			s += ", first " + *c.FirstSeen + ", last " + *c.LastSeen
		}
		t.line(2, 4, span{s, plain})
	}
	if k := c.Known; k != nil {
		t.line(2, 4, span{k.ID + ": " + k.Title, bold})
		t.line(2, 4, span{k.Fix, plain})
	}
}

func (t *text) warnings() {
	_, other := warningsFirst(t.r)
	if len(other) == 0 {
		return
	}
	t.heading("Warnings")
	for _, w := range other {
		t.line(2, 4, span{w, yellow})
	}
}
