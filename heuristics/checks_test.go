package heuristics

import (
	"strings"
	"testing"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/startup"
)

// gaveUp is a program that said "cannot connect", without the reason, and exited with 0.
func gaveUp(checks ...Check) *Case {
	m := startup.Message{Meaning: profile.MeansFailure, Cause: idDatabase, Kind: kindOther, Open: true, Fatal: true, Text: "it could not connect",
		Line: startup.Line{Text: "cannot connect"}, Next: []string{"ask the database"}}
	return &Case{Kind: crash.Exited, Crash: &crash.Crash{Outcome: crash.Outcome{End: crash.EndExit}, Focus: -1, Memory: crash.NoMemory{}},
		Messages: []startup.Message{m}, Checks: checks}
}

func failedCheck(kind string) Check {
	return Check{ID: "database-" + kind, Detail: "found " + kind, Cause: idDatabase, Kind: kind, Next: []string{"mend " + kind}}
}

func TestCheckNamesTheKind(t *testing.T) {
	passed := failedCheck(kindAuth)
	passed.OK = true
	port := failedCheck(kindHTTP)
	port.Cause = idPort
	tests := []struct {
		name   string
		checks []Check
		kind   string
		next   string // the first step
	}{
		{"no check", nil, kindOther, "ask the database"},
		{"one that passed", []Check{passed}, kindOther, "ask the database"},
		{"another cause's", []Check{port}, kindOther, "ask the database"},
		{"one that tells", []Check{failedCheck(kindAuth)}, kindAuth, "mend auth"},
		{"the first that tells", []Check{failedCheck(kindNoExtension), failedCheck(kindNoSchema)}, kindNoExtension, "mend missing-extension"},
		{"the open kind confirmed", []Check{failedCheck(kindOther), failedCheck(kindNoSchema)}, kindOther, "mend other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			causes := Run(gaveUp(tt.checks...)).Causes
			if len(causes) == 0 {
				t.Fatal("no cause")
			}
			c := causes[0]
			title := databaseTitles[tt.kind]
			if strings.HasPrefix(tt.next, "mend") {
				title += ": found " + tt.kind
			}
			if c.ID != idDatabase || c.Kind != tt.kind || c.Title != title || c.Next[0] != tt.next {
				t.Errorf("%s/%s %q, next %q", c.ID, c.Kind, c.Title, c.Next)
			}
		})
	}
}

// TestUnfitStatements checks that SQL which the program may never have run explains words about the database, and is no
// explanation of an end that nobody connected with it.
func TestUnfitStatements(t *testing.T) {
	unfit := Check{ID: checkStatements, Detail: "a column is missing", Cause: idDatabase, Kind: kindNoSchema}
	if c := Run(gaveUp(unfit)).Causes[0]; c.ID != idDatabase || c.Kind != kindNoSchema {
		t.Errorf("after words about the database: %s/%s", c.ID, c.Kind)
	}
	quiet := gaveUp(unfit)
	quiet.Messages = nil
	quiet.Crash.Outcome.ExitCode = 3
	if c := Run(quiet).Causes[0]; c.ID != idExit {
		t.Errorf("after an exit without a word: %s/%s", c.ID, c.Kind)
	}
}
