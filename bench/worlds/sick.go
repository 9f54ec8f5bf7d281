package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"meshdiag/lab"
)

// outside are the causes that lie in the world.
var outside = []string{"database", "port-in-use", "stale-artifact", "out-of-memory", "killed"}

// sickPrograms are the first ten faults of the lab that end a program by a crash or a panic of its own in a world in which
// nothing is wrong.
func sickPrograms() ([]lab.Fault, error) {
	faults, err := lab.Catalogue()
	if err != nil {
		return nil, err
	}
	v, err := lab.Variant{}.Complete()
	if err != nil {
		return nil, err
	}
	var all []lab.Fault
	for _, f := range faults {
		sick := f.Label.Outcome == "crashed" || f.Label.Outcome == "panicked"
		sound := f.World.Database == "" && f.World.SQL == "" && len(f.World.Hold) == 0 && len(f.World.Env) == 0
		t := f.Trigger
		idle := len(t.HTTP) == 0 && len(t.WS) == 0 && t.EndAfter == "" && t.LimitMiB == 0 && !t.HangUp
		if sick && sound && idle && f.Skipped(v) == "" && len(all) < 10 {
			all = append(all, f)
		}
	}
	if len(all) < 10 {
		return nil, fmt.Errorf("only %d sick programs in the lab", len(all))
	}
	return all, nil
}

// askSick runs a sick program in a sound world.
func (s *stage) askSick(ctx context.Context, f lab.Fault) (*answer, error) {
	scenario, err := lab.NewScenario(ctx, f, lab.Variant{}, s.pg)
	if err != nil {
		return nil, err
	}
	defer scenario.Cleanup()
	here := &site{stage: s, Scenario: scenario, ctx: ctx, stall: scenario.StallAfter}
	if here.folder, err = os.MkdirTemp(s.dir, "sick-"); err != nil {
		return nil, err
	}
	a, err := s.run(ctx, here)
	if err != nil {
		return nil, err
	}
	if c := a.report.Causes[0]; slices.Contains(outside, c.ID) {
		a.wrong = append(a.wrong, "the world is blamed: "+c.Title)
	}
	for _, c := range a.report.Checks {
		if !c.OK {
			a.wrong = append(a.wrong, "a sound world is found broken: "+c.Detail)
		}
	}
	return a, nil
}
