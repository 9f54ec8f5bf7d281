package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// server is the one PostgreSQL of this package's tests.
var server *Postgres

func TestMain(m *testing.M) {
	var err error
	if server, err = StartPostgres(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// planMessages are the nine of the plan, in order; ports are free ones here.
var planMessages = []string{
	"[Mesher] Connecting to PostgreSQL...",
	"[Mesher] Partitions created (7 days ahead)",
	"[Mesher] Running in standalone mode (no distribution)",
	"[Mesher] OrgService started",
	"[Mesher] ProjectService started",
	"[Mesher] UserService started",
	"[Mesher] Foundation ready",
	"[Mesher] WebSocket server starting on :",
	"[Mesher] HTTP server starting on :",
}

// conversation is what a sound program answers.
var conversation = []struct {
	request string
	status  int
	body    string // a part of it
}{
	{"GET /health", 200, `"ok"`},
	{"GET /orgs", 200, "/orgs/acme\n/orgs/globex"},
	{"GET /orgs/acme", 200, `"Acme Rockets"`},
	{"GET /orgs/acme", 200, `"slug":"acme"`},
	{"GET /orgs/nobody", 404, "not found"},
	{"GET /projects/website", 200, `"rate":100`},
	{"GET /users/ada@example.org", 200, "ada@example.org"},
	{"GET /stats", 200, `"levels":3`},
	{`POST /events {"project":"website","level":"error","message":"it broke"}`, 202, "true"},
	{`POST /events {"project":"website","level":"odd","message":"it broke"}`, 422, "unknown level"},
	{`POST /events {"project":"website"}`, 422, "needed"},
	{`POST /events not json`, 400, "error"},
	{"GET /stats", 200, `"error":100`},
	{"GET /search?q=Quick+Brown+of+Foxes", 200, "quick brown foxes"},
	{`POST /events {"project":"website","level":"info","message":"{{word *200}}"}`, 202, "true"},
	{"GET /nothing", 404, "Not Found"},
}

func TestHealthyProgramServes(t *testing.T) {
	for _, v := range []Variant{
		{Opt: "O0", Sequence: "plan"}, {Opt: "O2", Runtime: "debug", Sequence: "plan"},
		{Opt: "O2", Sequence: "current"}, {Opt: "O0", Prefix: "snow", Sequence: "current"},
	} {
		v, _ := v.Complete()
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			s, err := NewScenario(t.Context(), Fault{}, v, server)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Cleanup()
			drive := s.Drive
			s.Drive = func(ctx context.Context, p *Process) error {
				if err := s.ready(ctx, p); err != nil {
					return err
				}
				talk(ctx, t, s)
				return drive(ctx, p)
			}
			r, err := Run(t.Context(), s, nil)
			if err != nil || r.DriveErr != nil {
				t.Fatalf("run: %v, trigger: %v", err, r.DriveErr)
			}
			if r.Signal != "SIGTERM" {
				t.Errorf("ended with status %d, signal %q, not by our SIGTERM\n%s", r.Exit, r.Signal, r.Stderr)
			}
			if v.Sequence == "plan" {
				checkMessages(t, r.Stdout, planMessages)
			}
		})
	}
}

func talk(ctx context.Context, t *testing.T, s *Scenario) {
	for _, c := range conversation {
		status, body, err := s.Request(ctx, c.request)
		if err != nil || status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: status %d, body %q, error %v; want %d with %q", c.request, status, body, err, c.status, c.body)
		}
	}
	for _, text := range []string{"ping", "orgs", "anything else"} {
		conn, err := s.Message(ctx, text)
		if err != nil {
			t.Errorf("WebSocket %q: %v", text, err)
		}
		if conn != nil {
			_ = conn.CloseNow()
		}
	}
}

// checkMessages wants exactly these lines, each a prefix of what was printed.
func checkMessages(t *testing.T, stdout string, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), stdout)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %q, want %q", i+1, line, want[i])
		}
	}
}
