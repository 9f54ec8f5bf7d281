package diagnose

import (
	"fmt"
	"math"
	"strings"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/provenance"
	"meshdiag/report"
	"meshdiag/startup"
	"meshdiag/symbols"
)

// tailLines is how many output lines a report carries.
const tailLines = 20

// base is the part of a report that every outcome has.
func (w *walk) base() *report.Report {
	c := w.end
	r := &report.Report{
		Schema: report.SchemaID,
		Tool:   report.Tool{Version: w.options.Version},
		Target: report.Target{Path: report.Clean(c.Target.Path), Args: report.MaskArgs(c.Target.Args), Arch: c.Target.Arch,
			Source: string(c.Target.Source)},
		Process:    process(c),
		Outcome:    w.outcome(),
		Provenance: []report.Step{}, Causes: []report.Cause{}, RuledOut: []report.RuledOut{}, Threads: []report.Stack{},
		Output: w.output(), Checks: []report.Check{}, Warnings: []string{},
	}
	if r.Target.Args == nil {
		r.Target.Args = []string{}
	}
	for _, s := range c.Warnings {
		r.Warnings = append(r.Warnings, said(s))
	}
	return r
}

// report puts everything that was found into one value.
func (w *walk) report() *report.Report {
	r := w.base()
	r.Target.BuildID, r.Target.Runtime = w.buildID(), w.runtime()
	r.Phase = w.phase()
	r.Thread = w.thread()
	r.Fault = w.faultReport()
	r.Provenance = w.chain()
	r.Causes = w.reportCauses(w.found.Causes)
	for _, x := range w.found.RuledOut {
		r.RuledOut = append(r.RuledOut, report.RuledOut{ID: x.ID, Why: said(x.Why)})
	}
	r.Threads, r.Waits = w.threads(), w.graph()
	if w.skipped > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("The stacks of %d of %d threads were not read.", w.skipped, len(w.crash.Threads)))
	}
	if f := w.c.Fault; f != nil {
		for _, s := range f.Inconsistent {
			r.Warnings = append(r.Warnings, said("Signal, registers and code do not belong together: "+s+"."))
		}
	}
	for _, s := range w.fetchNotes() {
		r.Warnings = append(r.Warnings, said(s))
	}
	r.Warnings = append(r.Warnings, w.unusable()...)
	if files := w.unchecked(); len(files) > 0 {
		r.Warnings = append(r.Warnings, said("Taken without a build ID to check it by: "+strings.Join(files, ", ")+"."))
	}
	r.Warnings = append(staleWarnings(w.c.Checks), r.Warnings...)
	for _, x := range w.c.Checks {
		r.Checks = append(r.Checks, report.Check{ID: x.ID, OK: x.OK, Detail: said(x.Detail)})
	}
	return r
}

// unusable are sentences on modules whose files are not those of the process, or not there. Those that no stack leads through
// take one sentence together: a core from another machine may have a hundred of them.
func (w *walk) unusable() (all []string) {
	var aside []string
	for _, m := range w.sym.Modules() {
		switch {
		case m.Problem == "" && m.Refused == "":
		case m.Problem == "":
			all = append(all, said(m.Refused))
		case m.Main || w.leadsThrough(m):
			all = append(all, said(m.Problem))
		case m.Path != "[vdso]":
			aside = append(aside, said(m.Problem))
		}
	}
	if len(aside) > 1 {
		return append(all, fmt.Sprintf("%d files that no stack leads through cannot be used, among them %s", len(aside), aside[0]))
	}
	return append(all, aside...)
}

// unchecked are the files of modules on a stack that were taken without knowing whether they are the ones that were mapped.
func (w *walk) unchecked() (files []string) {
	for _, m := range w.sym.Modules() {
		if m.File() != "" && !m.Verified && w.leadsThrough(m) {
			files = append(files, m.File())
		}
	}
	return files
}

// leadsThrough reports whether a stack has a frame in m.
func (w *walk) leadsThrough(m *symbols.Module) bool {
	for i := range w.c.Stacks {
		for k := range w.c.Stacks[i].Frames {
			if w.c.Stacks[i].Frames[k].Module == m {
				return true
			}
		}
	}
	return false
}

// said makes a sentence that may quote the target fit for a report: no control sequence, no secret.
func said(s string) string { return report.Mask(report.Clean(s)) }

// opt is nil for the empty string: unknown is null in the contract.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	s = said(s)
	return &s
}

func hex(v uint64) *report.Hex {
	s := fmt.Sprintf("%#x", v)
	return &s
}

func optHex(v uint64, known bool) *report.Hex {
	if !known {
		return nil
	}
	return hex(v)
}

func seconds(v float64) *float64 {
	v = math.Round(v*1000) / 1000
	return &v
}

func (w *walk) outcome() report.Outcome {
	o := w.end.Outcome
	kind := w.found.Kind
	if kind == "" {
		kind = w.c.Kind
	}
	r := report.Outcome{Kind: string(kind), Detail: opt(o.LaunchError)}
	if by := w.c.SentBy(); by != "" {
		if !w.end.Outcome.Forwarded { // our own name begins with a small letter
			by = strings.ToUpper(by[:1]) + by[1:]
		}
		r.Detail = opt(by + ".")
	}
	if o.End == crash.EndExit {
		r.ExitCode = &o.ExitCode
	}
	if o.Elapsed > 0 {
		r.ElapsedS = seconds(o.Elapsed.Seconds())
	}
	if s := o.Signal; s != nil {
		r.Signal = &report.Signal{Name: s.Name(), Number: s.Number, Code: s.CodeName(), Address: optHex(s.Address, s.HasAddress())}
	}
	return r
}

func (w *walk) output() report.Output {
	out := report.Output{Tail: []report.OutputLine{}}
	lines := w.end.Output.Lines
	for _, l := range lines[max(0, len(lines)-tailLines):] {
		line := report.OutputLine{Text: said(l.Text)}
		if w.end.Output.Observed {
			line.AtS = seconds(l.At.Seconds())
		}
		if l.Stream != crash.UnknownStream {
			s := string(l.Stream)
			line.Stream = &s
		}
		out.Tail = append(out.Tail, line)
	}
	return out
}

func (w *walk) phase() report.Phase {
	t := &w.c.Startup
	p := report.Phase{Why: opt(t.Why)}
	if len(t.Steps) == 0 {
		return p
	}
	of, index := len(t.Steps), t.Last+1
	p.Of, p.Index = &of, &index
	if t.Last+1 < of {
		p.NextMessage = opt(t.Steps[t.Last+1].Message)
	}
	if t.Last < 0 {
		p.ID, p.Title = opt("launch"), opt("Before the first start-up message")
	} else {
		s := t.Steps[t.Last]
		p.ID, p.Title, p.LastMessage = opt(s.ID), opt(s.Title), opt(s.Message)
		if s.Seen && w.end.Output.Observed {
			p.AtS = seconds(s.At.Seconds())
		}
	}
	switch w.found.Kind {
	case crash.Healthy, crash.Killed: // nothing that the program did has to be explained
	default:
		p.Explains = startup.Explains(w.crash, w.c.Roles, w.crash.Focus)
	}
	return p
}

func (w *walk) thread() *report.Thread {
	t := w.crash.FocusThread()
	if t == nil {
		return nil
	}
	role := w.c.Roles[w.crash.Focus]
	return &report.Thread{TID: t.TID, Name: said(t.Name), Role: string(role.Role), Actor: opt(role.Actor)}
}

func (w *walk) faultReport() *report.Fault {
	f := w.c.Fault
	if f == nil {
		return nil
	}
	r := &report.Fault{Access: opt(string(f.Access)), Class: opt(string(f.Class)), Operand: opt(f.Operand), Register: opt(f.Register),
		Value: optHex(f.Value, f.ValueOK), Address: optHex(f.Address, f.AddressOK), Describe: opt(f.Describe), Region: opt(f.Region)}
	if f.Insn != "" {
		r.Instruction = &report.Instruction{Address: *hex(f.PC), Text: f.Insn}
	}
	return r
}

func (w *walk) chain() []report.Step {
	steps := []report.Step{}
	if w.c.Chain == nil {
		return steps
	}
	for _, s := range w.c.Chain.Steps {
		steps = append(steps, report.Step{Step: string(s.Kind), Address: optHex(s.Addr, s.Addr != 0), Text: said(symbols.DemangleIn(s.Text)),
			Symbol: opt(s.Symbol), Function: w.function(s.Symbol), Tier: tier(s.Tier)})
	}
	return steps
}

func tier(t provenance.Tier) string {
	if t == "" {
		return string(provenance.Possible)
	}
	return string(t)
}

func (w *walk) reportCauses(found []heuristics.Hypothesis) []report.Cause {
	out := []report.Cause{}
	for _, h := range found {
		c := report.Cause{ID: h.ID, Kind: opt(h.Kind), Confidence: math.Round(h.Confidence*1000) / 1000, Title: said(h.Title),
			Summary: said(h.Summary), LookAt: saidAll(h.LookAt), Next: saidAll(h.Next), Evidence: []report.Evidence{},
			Blame: report.Blame{Symbol: opt(h.Blame.Symbol), Function: w.function(h.Blame.Symbol), Extern: opt(h.Blame.Extern),
				ExternFunction: w.function(h.Blame.Extern), Source: opt(h.Blame.Source)}}
		for _, e := range h.Evidence {
			c.Evidence = append(c.Evidence, report.Evidence{ID: e.ID, Text: said(e.Text), Weight: e.Weight, Supports: e.Weight > 0})
		}
		out = append(out, c)
	}
	return out
}

func saidAll(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, said(s))
	}
	return out
}

// launchFailed is the report of a target that never ran.
func (w *walk) launchFailed() *report.Report {
	w.c = heuristics.Case{Crash: w.crash, Kind: crash.LaunchFailed}
	w.found = heuristics.Run(&w.c)
	w.found.Kind = crash.LaunchFailed
	r := w.base()
	r.Causes = w.reportCauses(w.found.Causes)
	return r
}
