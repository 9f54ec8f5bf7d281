package diagnose

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meshdiag/lab"
	"meshdiag/report"
)

// brokenWorld is something wrong outside a sound program, and what the report must say first.
type brokenWorld struct {
	name  string
	url   func(t *testing.T, pg *lab.Postgres) string
	hold  string // variable with the port that another process holds
	stall time.Duration
	cause string // id/kind
	check string // id of the check that failed
	say   string // in its detail
}

func fixed(url func(pg *lab.Postgres) string) func(*testing.T, *lab.Postgres) string {
	return func(_ *testing.T, pg *lab.Postgres) string { return url(pg) }
}

// spoilt is a copy of the sound database on which a superuser runs SQL.
func spoilt(sql string) func(*testing.T, *lab.Postgres) string {
	return func(t *testing.T, pg *lab.Postgres) string {
		name := "world_" + fmt.Sprint(time.Now().UnixNano())
		superuser(t, pg, "postgres", "CREATE DATABASE "+name+" OWNER mesh TEMPLATE mesher_template")
		superuser(t, pg, name, strings.ReplaceAll(sql, "{db}", name))
		return pg.URL("mesh", "mesh", name)
	}
}

func superuser(t *testing.T, pg *lab.Postgres, db, sql string) {
	t.Helper()
	psql := "psql"
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql"); len(found) > 0 {
		psql = found[0]
	}
	cmd := exec.Command(psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", pg.Dir, "-p", fmt.Sprint(pg.Port), "-U", "lab", "-d", db)
	cmd.Stdin = strings.NewReader(sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

var brokenWorlds = []brokenWorld{
	{name: "no server", url: fixed(func(*lab.Postgres) string { return "postgres://mesh:mesh@127.0.0.1:1/mesher" }),
		cause: "database/unreachable", check: "database-login", say: "nobody listens on 127.0.0.1:1"},
	{name: "host unknown", url: fixed(func(*lab.Postgres) string { return "postgres://mesh:mesh@db.invalid:5432/mesher" }),
		cause: "database/unreachable", check: "database-login", say: `"db.invalid", cannot be resolved`},
	{name: "wrong password", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "other", "mesher") }),
		cause: "database/auth", check: "database-login", say: `the password of role "mesh"`},
	{name: "no such role", url: fixed(func(pg *lab.Postgres) string { return pg.URL("nobody", "mesh", "mesher") }),
		cause: "database/auth", check: "database-login", say: `role "nobody"`},
	{name: "no such database", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "gone") }),
		cause: "database/missing-database", check: "database-login", say: `no database "gone"`},
	{name: "no rights to connect", url: spoilt("REVOKE CONNECT ON DATABASE {db} FROM PUBLIC, mesh; ALTER DATABASE {db} OWNER TO lab"),
		cause: "database/auth", check: "database-login", say: "may not connect"},
	{name: "connections used up", url: spoilt("ALTER DATABASE {db} CONNECTION LIMIT 0"),
		cause: "database/other", check: "database-login", say: "no free connection"},
	{name: "never migrated", url: spoilt("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION mesh; CREATE EXTENSION pgcrypto"),
		cause: "database/missing-schema", check: "database-tables", say: "lacks 10 of the 10 tables"},
	{name: "table of events missing", url: spoilt("DROP TABLE events"), stall: time.Second,
		cause: "database/missing-schema", check: "database-tables", say: "events"},
	{name: "HTTP port taken", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "mesher") }), hold: "MESHER_HTTP_PORT",
		stall: time.Second, cause: "port-in-use/http", check: "port-", say: "which the HTTP server wants, is taken: process "},
	{name: "WebSocket port taken", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "mesher") }), hold: "MESHER_WS_PORT",
		stall: time.Second, cause: "port-in-use/websocket", check: "port-", say: "which the WebSocket server wants, is taken: process "},
}

// TestBrokenWorlds runs a sound program in worlds that are not.
func TestBrokenWorlds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	exe, err := lab.Build(ctx, lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	for _, w := range brokenWorlds {
		t.Run(w.name, func(t *testing.T) {
			t.Setenv("MESHER_DATABASE_URL", w.url(t, pg))
			for _, name := range []string{"MESHER_HTTP_PORT", "MESHER_WS_PORT"} {
				port, err := lab.FreePort()
				if err != nil {
					t.Fatal(err)
				}
				t.Setenv(name, fmt.Sprint(port))
				if name == w.hold {
					l, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
					if err != nil {
						t.Fatal(err)
					}
					defer l.Close()
				}
			}
			begin := time.Now()
			r := probed(t, RunOptions{Path: exe, StallAfter: w.stall})
			t.Logf("%s in %v", w.cause, time.Since(begin).Round(time.Millisecond))
			judge(t, r, &w)
		})
	}
}

// probed runs a program quietly with its profile recognised.
func probed(t *testing.T, o RunOptions) *report.Report {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.Stdout, o.Stderr = null, null
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // what should have ended is ended
	defer cancel()
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func judge(t *testing.T, r *report.Report, w *brokenWorld) {
	t.Helper()
	if len(r.Causes) == 0 {
		t.Fatal("no cause")
	}
	first := r.Causes[0]
	if got := first.ID + "/" + str(first.Kind); got != w.cause {
		t.Errorf("cause %s, want %s", got, w.cause)
	}
	if first.Blame.Symbol != nil {
		t.Errorf("the program's %s is blamed", *first.Blame.Symbol)
	}
	found := false
	for _, c := range r.Checks {
		found = found || !c.OK && strings.HasPrefix(c.ID, w.check) && strings.Contains(c.Detail, w.say)
		if strings.Contains(c.Detail, ":mesh@") {
			t.Errorf("a password is shown: %s", c.Detail)
		}
	}
	if !found {
		t.Errorf("no failed check %s says %q: %+v", w.check, w.say, r.Checks)
	}
	if len(first.Next) == 0 {
		t.Error("nothing is said of what to do next")
	}
}

// TestPlainCrashAsksNothing checks that an ordinary fault starts no probe: neither a connection nor a look-up.
func TestPlainCrashAsksNothing(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://x:y@127.0.0.1:1/z")
	r := probed(t, RunOptions{Path: "/bin/sh", Args: []string{"-c", "kill -SEGV $$"}})
	if len(r.Checks) != 0 {
		t.Errorf("%+v", r.Checks)
	}
}

// TestProbesSwitchedOff checks --no-probe and --probe against a world that would be asked.
func TestProbesSwitchedOff(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://x:y@127.0.0.1:1/z")
	exit := RunOptions{Path: "/bin/sh", Args: []string{"-c", "exit 3"}}
	exit.Probes = Probes{Off: true}
	if r := probed(t, exit); len(r.Checks) != 0 {
		t.Errorf("switched off: %+v", r.Checks)
	}
	exit.Probes = Probes{Only: []string{ProbeLimits}}
	r := probed(t, exit)
	if len(r.Checks) == 0 {
		t.Fatal("limits were asked for")
	}
	for _, c := range r.Checks {
		if !strings.HasPrefix(c.ID, "limit-") {
			t.Errorf("%+v", c)
		}
	}
}
