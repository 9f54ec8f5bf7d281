package lab

import (
	"strings"
	"testing"
)

// representative faults: one for each way in which a run can end and each kind of change. `lab check` runs all of them.
var representative = []struct {
	id  string
	opt string
}{
	{"missing-map-key", "O0"}, {"truncated-reply", "O2"}, {"service-null-handler", "O2"}, {"swapped-response", "O0"},
	{"int-as-string", "O2"}, {"dead-service", "O0"}, {"division-by-zero", "O2"}, {"trap-on-default", "O0"},
	{"unknown-tag", "O0"}, {"caught-panic", "O0"}, {"recursion-actor", "O2"}, {"small-stack", "O0"}, {"heap-overrun", "O2"},
	{"shared-missing-at-start", "O0"}, {"shared-missing-at-call", "O0"}, {"bad-configuration", "O0"},
	{"no-database", "O0"}, {"missing-migrations", "O0"}, {"http-port-held", "O0"}, {"killed-from-outside", "O0"},
	{"broken-pipe", "O0"}, {"out-of-memory", "O0"}, {"endless-loop", "O2"}, {"silent-database", "O0"},
}

func TestRepresentativeFaultsEndAsLabelled(t *testing.T) {
	for _, c := range representative {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			f, err := Find(c.id)
			if err != nil {
				t.Fatal(err)
			}
			wrong, r, err := Check(t.Context(), f, Variant{Opt: c.opt}, server)
			if err != nil {
				t.Fatal(err)
			}
			if len(wrong) > 0 {
				t.Errorf("%s\n%s%s", strings.Join(wrong, "; "), r.Stdout, r.Stderr)
			}
		})
	}
}

func TestContradictions(t *testing.T) {
	const ready = "[Mesher] Foundation ready"
	label := Label{Outcome: "crashed", Signal: "SIGSEGV", LastMessage: ready}
	sound := Result{Exit: -1, Signal: "SIGSEGV", Stdout: ready + "\n"}
	cases := []struct {
		name  string
		label func(l *Label)
		run   func(r *Result)
		want  string
	}{
		{"true", func(*Label) {}, func(*Result) {}, ""},
		{"other signal", func(*Label) {}, func(r *Result) { r.Signal = "SIGABRT" }, "signal \"SIGABRT\""},
		{"either signal", func(l *Label) { l.SignalAlso = []string{"SIGABRT"} }, func(r *Result) { r.Signal = "SIGABRT" }, ""},
		{"no signal", func(*Label) {}, func(r *Result) { r.Signal, r.Exit = "", 0 }, "signal \"\""},
		{"other status", func(l *Label) { l.Signal, l.Exit = "", 2 }, func(r *Result) { r.Signal, r.Exit = "", 1 }, "exit status 1"},
		{"hung", func(*Label) {}, func(r *Result) { r.TimedOut = true }, "hung: true"},
		{"not hung", func(l *Label) { l.Outcome = "hung" }, func(*Result) {}, "hung: false"},
		{"early", func(*Label) {}, func(r *Result) { r.Stdout = "" }, "last message \"\""},
		{"late", func(*Label) {}, func(r *Result) { r.Stdout += "[Mesher] HTTP server starting on :1\n" }, "last message"},
		{"chatter", func(*Label) {}, func(r *Result) { r.Stdout += "[Mesher] Load monitor: 0 events\nhello\n" }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l, r := label, sound
			c.label(&l)
			c.run(&r)
			got := strings.Join(l.contradictions(r), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("contradictions %q, want %q", got, c.want)
			}
		})
	}
}

func TestLastMessageKnowsTheServersOnStderr(t *testing.T) {
	r := Result{
		Stdout: "[Mesher] Foundation ready\n[Mesher] WebSocket server starting on :1\n[Mesher] HTTP server starting on :2\n",
		Stderr: "[mesh-rt] WebSocket server listening on 0.0.0.0:1\n",
	}
	if got := lastMessage(r); got != "[Mesher] HTTP server starting on :2" {
		t.Errorf("before the port opened: %q", got)
	}
	r.Stderr += "[mesh-rt] HTTP server listening on 0.0.0.0:2\n"
	if got := lastMessage(r); got != "[mesh-rt] HTTP server listening on 0.0.0.0:2" {
		t.Errorf("after it: %q", got)
	}
}
