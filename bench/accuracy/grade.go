package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"meshdiag/lab"
	"meshdiag/report"
	"meshdiag/report/schemacheck"
)

// confident is the confidence from which a wrong cause counts as a defect of its own.
const confident = 0.8

// labelled is one fault in one variant.
type labelled struct {
	fault   lab.Fault
	variant lab.Variant
}

func (c labelled) String() string {
	return fmt.Sprintf("%s %s-%s", c.fault.ID, c.variant.Opt, c.variant.Runtime)
}

// result is the grade of one run.
type result struct {
	labelled
	failed  string // why there is no report; the other fields are then zero
	outcome bool
	phase   bool
	role    bool
	top1    bool
	top3    bool
	graded  bool // somebody's code is to blame, so blame and baseline count
	blame   bool
	thumb   bool // the rule of thumb would have blamed the right function
	sure    float64
	said    string // what was said, for the table of misses
	wanted  string
}

// run runs one case and grades its report.
func (c labelled) run(ctx context.Context, exe, keep string, pg *lab.Postgres) result {
	r := result{labelled: c}
	scenario, err := lab.NewScenario(ctx, c.fault, c.variant, pg)
	if err != nil {
		r.failed = err.Error()
		return r
	}
	defer scenario.Cleanup()
	out := filepath.Join(keep, fmt.Sprintf("%s-%s-%s.json", c.fault.ID, c.variant.Opt, c.variant.Runtime))
	wrap := []string{exe, "run", "--format", "json", "-o", out}
	if scenario.StallAfter > 0 {
		wrap = append(wrap, "--stall-after", scenario.StallAfter.String())
	}
	if _, err := lab.Run(ctx, scenario, wrap); err != nil {
		r.failed = err.Error()
		return r
	}
	data, err := os.ReadFile(out)
	if err == nil {
		err = schemacheck.Validate(data)
	}
	if err != nil {
		r.failed = err.Error()
		return r
	}
	rep, err := report.ReadJSON(bytes.NewReader(data))
	if err != nil {
		r.failed = err.Error()
		return r
	}
	r.grade(c.fault.Expect(c.variant), rep)
	return r
}

func (r *result) grade(want lab.Label, rep *report.Report) {
	r.outcome = rep.Outcome.Kind == want.Outcome || slices.Contains(want.OutcomeAlso, rep.Outcome.Kind)
	r.phase = len(want.Phase) == 0 || slices.Contains(want.Phase, value(rep.Phase.ID))
	r.role = want.Role == "" || rep.Thread != nil && rep.Thread.Role == want.Role
	for i, cause := range rep.Causes {
		right := matches(want, cause)
		r.top1 = r.top1 || right && i == 0
		r.top3 = r.top3 || right && i < 3
	}
	r.graded = len(want.Blame) > 0
	blamed := ""
	if len(rep.Causes) > 0 {
		top := rep.Causes[0]
		blamed, r.sure = value(top.Blame.Symbol), top.Confidence
		r.said = fmt.Sprintf("%s %.2f", causeName(top.ID, value(top.Kind)), top.Confidence)
	}
	r.blame = oneOf(want.Blame, blamed)
	r.thumb = oneOf(want.Blame, thumb(rep))
	r.said = strings.Join([]string{rep.Outcome.Kind, value(rep.Phase.ID), r.said, blamed}, " | ")
	r.wanted = strings.Join([]string{want.Outcome, strings.Join(want.Phase, ","), want.Cause, strings.Join(want.Blame, ",")}, " | ")
}

// matches reports whether a cause is the label's or one that the label accepts. A label without a kind takes any kind.
func matches(want lab.Label, c report.Cause) bool {
	for _, w := range append([]string{want.Cause}, want.Accept...) {
		id, kind := lab.Kind(w)
		if id == c.ID && (kind == "" || kind == value(c.Kind)) {
			return true
		}
	}
	return false
}

func causeName(id, kind string) string {
	if kind == "" {
		return id
	}
	return id + "/" + kind
}

// thumb is the rule of thumb that the bench compares with: the first frame outside libc and std.
func thumb(rep *report.Report) string {
	for _, t := range rep.Threads {
		if !t.Crashed {
			continue
		}
		for _, f := range t.Frames {
			if f.Symbol != nil && f.Kind != "libc" && f.Kind != "std" {
				return *f.Symbol
			}
		}
	}
	return ""
}

// oneOf compares symbols; a label may name a Rust function without the hash that its symbol carries.
func oneOf(labels []string, symbol string) bool {
	for _, l := range labels {
		if l == symbol || symbol != "" && strings.HasPrefix(symbol, "_") && strings.Contains(symbol, fmt.Sprintf("%d%s", len(l), l)) {
			return true
		}
	}
	return false
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (r *result) wrongAndSure() bool { return r.failed == "" && !r.top1 && r.sure >= confident }

// line is the grade in a line.
func (r *result) line() string {
	if r.failed != "" {
		return "FAILED " + r.failed
	}
	mark := func(ok bool, name string) string {
		if ok {
			return name
		}
		return strings.ToUpper("no-" + name)
	}
	return strings.Join([]string{mark(r.outcome, "outcome"), mark(r.phase, "phase"), mark(r.role, "role"), mark(r.top1, "cause"),
		mark(r.blame || !r.graded, "blame")}, " ")
}
