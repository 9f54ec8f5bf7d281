package report

import (
	"fmt"
	"io"
	"strings"
)

// TextOptions says how a text report is laid out.
type TextOptions struct {
	Width   int  // columns; 0 means 100, and less than 40 is taken as 40
	Color   bool // with SGR sequences
	Verbose bool // everything: all causes, evidence weights, whole stacks of all threads
}

// WriteText writes r for people. The first line is the answer.
func WriteText(w io.Writer, r *Report, o TextOptions) error {
	t := &text{page: newPage(o), r: Scrub(r), verbose: o.Verbose}
	t.write()
	_, err := w.Write(t.buf.Bytes())
	return err
}

// text is one text report in the making.
type text struct {
	*page
	r       *Report
	verbose bool
}

func (t *text) write() {
	t.headline()
	if EndedByRequest(t.r) && !t.verbose {
		return
	}
	switch t.r.Outcome.Kind {
	case kindHealthy:
		if t.verbose || len(t.r.Causes) > 0 || snapshot(t.r) {
			t.sections()
		}
	case kindLaunchFailed:
		t.launch()
	default:
		t.sections()
	}
}

func (t *text) sections() {
	t.artefact()
	t.happened()
	t.provenance()
	t.causes()
	t.waitGraph()
	t.ruledOut()
	t.stacks()
	t.output()
	t.checks()
	t.seenBefore()
	t.warnings()
}

// artefact says before everything else that what ran may not be what was built last.
func (t *text) artefact() {
	first, _ := warningsFirst(t.r)
	for _, w := range first {
		t.line(0, 2, span{w, yellow})
	}
}

func (t *text) headline() {
	look := red
	switch kind := t.r.Outcome.Kind; {
	case kind == kindHealthy || EndedByRequest(t.r):
		look = green
	case kind == kindHung || kind == kindKilled || kind == kindExited:
		look = yellow
	}
	t.line(0, 2, span{"meshdiag: ", bold}, span{headline(t.r), look})
}

// launch is what is left to say of a target that never ran: the first line has the reason.
func (t *text) launch() {
	if len(t.r.Causes) > 0 && t.r.Causes[0].ID != causeUnknown {
		t.steps("next", t.r.Causes[0].Next)
	}
	t.warnings()
}

func (t *text) happened() {
	t.heading("What happened")
	r := t.r
	if words := programWords(r); words != "" {
		t.row("program", span{words, plain})
	}
	for _, row := range processRows(r) {
		if row[1] != "" {
			t.row(row[0], span{row[1], plain})
		}
	}
	if s := r.Outcome.Signal; s != nil {
		t.row("signal", span{signalWords(s), plain})
	} else {
		t.row("outcome", span{outcomeLabel(r.Outcome), plain})
	}
	if d := deref(r.Outcome.Detail); d != "" {
		t.row("", span{d, plain})
	}
	if r.Fault != nil {
		t.fault(r.Fault)
	}
	if r.Thread != nil {
		t.row("thread", span{threadWords(r.Thread), plain})
	}
	t.phase()
	if r.Outcome.ElapsedS != nil {
		t.row("ended", span{seconds(*r.Outcome.ElapsedS) + " after launch", plain})
	}
}

// programWords is the program with its arguments and what is known of its runtime.
func programWords(r *Report) string {
	s := r.Target.Path
	if len(r.Target.Args) > 1 {
		s += " " + strings.Join(r.Target.Args[1:], " ")
	}
	if rt := r.Target.Runtime; rt != nil {
		s += " (" + rt.Profile + " runtime"
		if rt.Build != nil {
			s += ", " + *rt.Build + " build"
		}
		s += ")"
	}
	return s
}

func (t *text) fault(f *Fault) {
	if w := faultWords(f); w != "" {
		t.row("fault", span{w, bold})
	}
	if f.Instruction != nil {
		t.row("instruction", span{f.Instruction.Text, plain}, span{"  at " + f.Instruction.Address, faint})
	}
	if w := operandWords(f); w != "" {
		t.row("operand", span{w, plain})
	}
	if f.Region != nil {
		t.row("memory", span{*f.Region, plain})
	}
}

// faultWords is "read at 0x8: NULL plus 8".
func faultWords(f *Fault) string {
	s := orElse(deref(f.Access), "access")
	if f.Address != nil {
		s += " at " + *f.Address
	}
	switch {
	case f.Describe != nil:
		s += ": " + *f.Describe
	case f.Class != nil:
		s += " (" + *f.Class + ")"
	case f.Access == nil && f.Address == nil:
		return ""
	}
	return s
}

// operandWords is "[rax+0x8], where rax = 0x0".
func operandWords(f *Fault) string {
	s := deref(f.Operand)
	if f.Value == nil {
		return s
	}
	name := orElse(deref(f.Register), "its value")
	if s == name || s == "" {
		return name + " = " + *f.Value
	}
	return s + ", where " + name + " = " + *f.Value
}

func (t *text) phase() {
	p := t.r.Phase
	if s := strings.TrimPrefix(phaseShort(p), "phase "); s != "" {
		if p.AtS != nil {
			s += ", since " + seconds(*p.AtS)
		}
		t.row("phase", span{s, plain})
	}
	if p.LastMessage != nil {
		t.row("last message", span{*p.LastMessage, plain})
	}
	if p.NextMessage != nil {
		t.row("next one", span{*p.NextMessage + " (never printed)", plain})
	}
	if w := phaseMeaning(t.r); w != "" {
		t.row("", span{w, faint})
	}
	switch {
	case p.Why == nil:
	case p.ID != nil || p.LastMessage != nil:
		t.row("known", span{*p.Why, faint})
	case t.r.Target.Runtime != nil || t.verbose:
		t.row("phase", span{"not known: " + *p.Why, plain}) // for other programs nobody expects one
	}
}

// shortChain is how many steps of a chain are shown without --verbose.
const shortChain = 6

func (t *text) provenance() {
	steps := t.r.Provenance
	if len(steps) == 0 {
		return
	}
	t.heading("Where the bad value came from")
	skip := len(steps) - shortChain
	for i, s := range steps {
		if skip > 1 && !t.verbose && i >= 3 && i < 3+skip {
			if i == 3 {
				t.row("", span{fmt.Sprintf("… %d steps between", skip), faint})
			}
			continue
		}
		t.step(s)
	}
}

func (t *text) step(s Step) {
	spans := []span{{s.Text, plain}}
	if f := functionName(s.Function, s.Symbol); f != "" && !strings.Contains(s.Text, f) {
		spans = append(spans, span{" in " + f, plain})
	}
	if s.Tier != "" && s.Tier != "certain" {
		spans = append(spans, span{" (" + s.Tier + ")", yellow})
	}
	if t.verbose && s.Address != nil {
		spans = append(spans, span{"  " + *s.Address, faint})
	}
	t.row(s.Step, spans...)
}
