package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/report"
)

// TestWorlds runs every world of the table, and the sick programs in a sound one, and checks each verdict.
func TestWorlds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts database servers and builds programs of the lab")
	}
	meshdiag := filepath.Join(t.TempDir(), "meshdiag")
	if out, err := exec.Command("go", "build", "-o", meshdiag, "meshdiag/cmd/meshdiag").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s, err := newStage(t.Context(), meshdiag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	check := func(t *testing.T, a *answer, err error) {
		switch {
		case err != nil:
			t.Fatal(err)
		case a.unmade != "":
			t.Skip("this machine cannot have this world: " + a.unmade)
		}
		for _, wrong := range a.wrong {
			t.Error(wrong)
		}
	}
	made := 0
	for i := range worlds {
		w := &worlds[i]
		made++
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			a, err := s.ask(t.Context(), w)
			check(t, a, err)
		})
	}
	if made < 30 {
		t.Errorf("only %d worlds", made)
	}
	sick, err := sickPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sick {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			a, err := s.askSick(t.Context(), f)
			check(t, a, err)
		})
	}
}

// TestJudgeMisses checks that a verdict that is wrong in one respect is not let through.
func TestJudgeMisses(t *testing.T) {
	right := world{cause: "database/auth", says: "no such role", typed: "createuser"}
	spoil := map[string]func(a *answer){
		"":                       func(*answer) {},
		"the cause is":           func(a *answer) { a.report.Causes[0].ID = "hang" },
		"is blamed":              func(a *answer) { fn := "main"; a.report.Causes[0].Blame.Symbol = &fn },
		"it does not say \"no":   func(a *answer) { a.report.Causes[0].Summary = "" },
		"it does not say to do ": func(a *answer) { a.report.Causes[0].Next = nil },
	}
	for says, change := range spoil {
		a := sample()
		change(a)
		a.judge(&right)
		if got := strings.Join(a.wrong, "; "); says == "" && got != "" || !strings.Contains(got, says) {
			t.Errorf("%q: %s", says, got)
		}
	}
}

func sample() *answer {
	kind := "auth"
	return &answer{report: &report.Report{Causes: []report.Cause{{ID: "database", Kind: &kind, Summary: "there is no such role",
		Next: []string{"createuser x"}}}}}
}
