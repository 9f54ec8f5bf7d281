package main

import (
	"testing"

	"meshdiag/report"
)

func TestStatus(t *testing.T) {
	one, zero := 1, 0
	segv := &report.Signal{Name: "SIGSEGV", Number: 11}
	tests := []struct {
		name           string
		outcome        report.Outcome
		report, target int
	}{
		{"healthy", report.Outcome{Kind: "healthy", ExitCode: &zero}, 0, 0},
		{"ended by the user", report.Outcome{Kind: "healthy", Signal: &report.Signal{Name: "SIGINT", Number: 2}}, 0, 130},
		{"crashed", report.Outcome{Kind: "crashed", Signal: segv}, 3, 139},
		{"exited with 1", report.Outcome{Kind: "exited", ExitCode: &one}, 3, 1},
		{"failed with status 0", report.Outcome{Kind: "exited", ExitCode: &zero}, 3, 0},
		{"hung", report.Outcome{Kind: "hung"}, 3, 137},
		{"launch", report.Outcome{Kind: "launch-failed"}, 3, 127},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &report.Report{Outcome: tt.outcome}
			if got := (&diagnosing{exitStatus: "report"}).status(r); got != tt.report {
				t.Errorf("report: %d, want %d", got, tt.report)
			}
			if got := (&diagnosing{exitStatus: "target"}).status(r); got != tt.target {
				t.Errorf("target: %d, want %d", got, tt.target)
			}
		})
	}
}
