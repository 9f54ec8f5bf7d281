package diagnose

import (
	"context"
	"fmt"
	"io"
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
	hold  string // variable with the port that another process holds; "itself": both servers want one port
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

// listening is a TCP server that is not PostgreSQL, or pretends to be in a state that a real one cannot be held in.
func listening(serve func(net.Conn)) func(*testing.T, *lab.Postgres) string {
	return func(t *testing.T, _ *lab.Postgres) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		return "postgres://mesh:mesh@" + l.Addr().String() + "/mesher"
	}
}

// startingUp answers as a server does while it recovers: an ErrorResponse with SQLSTATE 57P03.
func startingUp(c net.Conn) {
	defer c.Close()
	first := make([]byte, 8)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if first[4] == 4 && first[5] == 0xd2 { // SSLRequest
		_, _ = c.Write([]byte("N"))
		_, _ = c.Read(make([]byte, 512))
	}
	body := "SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"
	_, _ = c.Write(append([]byte{'E', 0, 0, 0, byte(len(body) + 4)}, body...))
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
	{name: "silent server", url: listening(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), stall: time.Second,
		cause: "database/unreachable", check: "database-login", say: "accepts connections and then says nothing"},
	{name: "another service on the port", url: listening(func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")); c.Close() }),
		cause: "database/unreachable", check: "database-login", say: "does not speak PostgreSQL's protocol"},
	{name: "server starting up", url: listening(startingUp),
		cause: "database/unreachable", check: "database-login", say: "the database system is starting up"},
	{name: "read-only by default", url: spoilt("ALTER DATABASE {db} SET default_transaction_read_only = on"), stall: time.Second,
		cause: "database/other", check: "database-writable", say: "read-only by default"},
	{name: "HTTP port taken", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "mesher") }), hold: "MESHER_HTTP_PORT",
		stall: time.Second, cause: "port-in-use/http", check: "port-", say: "which the HTTP server wants, is taken: process "},
	{name: "WebSocket port taken", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "mesher") }), hold: "MESHER_WS_PORT",
		stall: time.Second, cause: "port-in-use/websocket", check: "port-", say: "which the WebSocket server wants, is taken: process "},
	{name: "one port for two servers", url: fixed(func(pg *lab.Postgres) string { return pg.URL("mesh", "mesh", "mesher") }), hold: "itself",
		stall: time.Second, cause: "port-in-use/http", check: "port-", say: "is held by the program itself"},
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
				if w.hold == "itself" { // the second server gets the port of the first
					t.Setenv("MESHER_HTTP_PORT", fmt.Sprint(port))
				}
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
	core := false
	for _, c := range r.Checks {
		core = core || c.ID == "core-pattern"
		if !strings.HasPrefix(c.ID, "limit-") && c.ID != "core-pattern" && c.ID != "ptrace-scope" {
			t.Errorf("%+v", c)
		}
	}
	if !core {
		t.Errorf("nothing is said of cores: %+v", r.Checks)
	}
}

// TestSickProgramsInASoundWorld checks the other side: ten programs that are broken themselves, in a world that is sound.
func TestSickProgramsInASoundWorld(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	faults, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	pg, err := lab.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	ran := 0
	for _, f := range faults {
		sick := f.Label.Outcome == "crashed" || f.Label.Outcome == "panicked"
		sound := f.World.Database == "" && f.World.SQL == "" && len(f.World.Hold) == 0 && len(f.World.Env) == 0
		idle := len(f.Trigger.HTTP) == 0 && len(f.Trigger.WS) == 0 && f.Trigger.EndAfter == "" && f.Trigger.LimitMiB == 0 && !f.Trigger.HangUp
		v, err := lab.Variant{}.Complete()
		if err != nil {
			t.Fatal(err)
		}
		if !sick || !sound || !idle || f.Skipped(v) != "" || ran == 10 {
			continue
		}
		ran++
		t.Run(f.ID, func(t *testing.T) {
			s, err := lab.NewScenario(t.Context(), f, v, pg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Cleanup()
			for _, e := range s.Env {
				if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "MESHER_") {
					t.Setenv(name, value)
				}
			}
			r := probed(t, RunOptions{Path: s.Path, StallAfter: 5 * time.Second})
			if len(r.Causes) == 0 {
				t.Fatal("no cause")
			}
			switch r.Causes[0].ID {
			case "database", "port-in-use", "stale-artifact", "out-of-memory":
				t.Errorf("the world is blamed: %s", r.Causes[0].Title)
			}
			for _, c := range r.Checks {
				if !c.OK || !strings.HasPrefix(c.ID, "artefact-") {
					t.Errorf("a plain crash asked: %+v", c)
				}
			}
		})
	}
	if ran < 10 {
		t.Errorf("only %d sick programs", ran)
	}
}

// TestStaleProgram runs a program whose compiler output is newer than it, in a world that is broken, too.
func TestStaleProgram(t *testing.T) {
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "mesher")
	if err := os.WriteFile(copied, image, 0o755); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-73 * time.Hour)
	if err := os.Chtimes(copied, past, past); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(copied), "libmesh_rt.a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MESHER_DATABASE_URL", "postgres://mesh:mesh@127.0.0.1:1/mesher")
	r := probed(t, RunOptions{Path: copied})
	stale := false
	for _, c := range r.Checks {
		stale = stale || c.ID == "artefact-fresh" && !c.OK && strings.Contains(c.Detail, "libmesh_rt.a by 3 days")
	}
	if !stale || r.Causes[0].ID != "database" {
		t.Errorf("stale %v, first %s: %+v", stale, r.Causes[0].ID, r.Checks)
	}
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "look at the artefact: by the dates of the files, the program "+copied+" is older") {
		t.Errorf("warnings: %q", r.Warnings)
	}
}
