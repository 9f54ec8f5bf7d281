package probe

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

	"github.com/jackc/pgx/v5/pgconn"

	"meshdiag/lab"
	"meshdiag/profile"
)

// server is the one PostgreSQL of this package's tests.
var server *lab.Postgres

func TestMain(m *testing.M) {
	if host, ok := os.LookupEnv("PROBE_LISTEN"); ok {
		listenUntilTold(host)
		return
	}
	var err error
	if server, err = lab.StartPostgres(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// sql runs statements as the superuser, who is let in over the socket without a password.
func sql(t testing.TB, db, statements string) {
	t.Helper()
	tool, err := exec.LookPath("psql")
	if err != nil {
		tools, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
		if len(tools) == 0 {
			t.Fatal("no psql")
		}
		tool = tools[0]
	}
	cmd := exec.Command(tool, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.Dir, "-p", fmt.Sprint(server.Port), "-U", "lab", "-d", db)
	cmd.Stdin = strings.NewReader(statements)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// database makes a copy of the sound database, spoils it, and returns its URL.
func database(t testing.TB, name, spoil string) string {
	t.Helper()
	name = "probe_" + name
	sql(t, "postgres", "CREATE DATABASE "+name+" OWNER mesh TEMPLATE mesher_template")
	if spoil != "" {
		sql(t, name, spoil)
	}
	return server.URL("mesh", "mesh", name)
}

func meshWants(t testing.TB) *profile.Database {
	p, err := profile.Load("mesh")
	if err != nil {
		t.Fatal(err)
	}
	return p.Database
}

// find is the first failed check; nil when all passed.
func firstFailed(checks []Check) *Check {
	for i := range checks {
		if !checks[i].OK {
			return &checks[i]
		}
	}
	return nil
}

// listen accepts TCP connections and does with each what serve says.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
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
	return l.Addr().String()
}

// postgresError is an ErrorResponse of the wire protocol, for states that a server cannot be held in.
func postgresError(code, message string) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		first := make([]byte, 8)
		if _, err := io.ReadFull(c, first); err != nil {
			return
		}
		if first[4] == 4 && first[5] == 0xd2 { // SSLRequest
			_, _ = c.Write([]byte("N"))
		}
		body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
		_, _ = c.Write(append([]byte{'E', 0, 0, byte((len(body) + 4) >> 8), byte(len(body) + 4)}, body...))
	}
}

func TestDatabase(t *testing.T) {
	free, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	sound := database(t, "sound", "")
	sql(t, "postgres", "CREATE ROLE nologin_role PASSWORD 'mesh'; CREATE ROLE crowded LOGIN PASSWORD 'mesh' CONNECTION LIMIT 0")
	tests := []struct {
		name, url  string
		id, kind   string // "" all is well
		say, typed string
	}{
		{"sound", sound, "", "", "", ""},
		{"refused", fmt.Sprintf("postgres://mesh:hidden@127.0.0.1:%d/mesher", free), "database-login", "unreachable", "nobody listens on", "createuser"},
		{"no socket", "postgres:///mesher?host=/nonexistent&user=mesh&password=hidden", "database-login", "unreachable", "nobody listens on /nonexistent/.s.PGSQL.5432", ""},
		{"name unknown", "postgres://mesh:hidden@db.invalid:5432/mesher", "database-login", "unreachable", `"db.invalid", cannot be resolved`, "getent hosts db.invalid"},
		{"silent", "postgres://mesh:hidden@" + listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) + "/mesher", "database-login", "unreachable", "accepts connections and then says nothing", "ss -ltnp"},
		{"another service", "postgres://mesh:hidden@" + listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }) + "/mesher", "database-login", "unreachable", "does not speak PostgreSQL's protocol", "ss -ltnp"},
		{"no TLS", server.URL("mesh", "hidden", "mesher") + "?sslmode=require", "database-login", "unreachable", "demands TLS", "ssl = on"},
		{"wrong password", server.URL("mesh", "hidden", "mesher"), "database-login", "auth", `refuses the password of role "mesh"`, `\password mesh`},
		{"role missing, as the network says it", server.URL("nobody", "hidden", "mesher"), "database-login", "auth", "the same when there is no such role", "createuser -p "},
		{"role missing", fmt.Sprintf("postgres://nobody@/mesher?host=%s&port=%d", server.Dir, server.Port), "database-login", "auth", `has no role "nobody"`, "createuser -p "},
		{"role may not log in", fmt.Sprintf("postgres://nologin_role@/mesher?host=%s&port=%d", server.Dir, server.Port), "database-login", "auth", "may not log in", "ALTER ROLE nologin_role LOGIN"},
		{"database missing", server.URL("mesh", "mesh", "Of%20Last%20Week"), "database-login", "missing-database", `no database "Of Last Week"`, `-O mesh 'Of Last Week'`},
		{"too many connections", server.URL("crowded", "mesh", "mesher"), "database-login", "other", "no free connection", "pg_stat_activity"},
		{"starting up", "postgres://mesh:hidden@" + listen(t, postgresError("57P03", "the database system is starting up")) + "/mesher", "database-login", "unreachable", "is starting up", "pg_isready"},
		{"no rule in pg_hba.conf", "postgres://mesh:hidden@" + listen(t, postgresError("28000", "no pg_hba.conf entry for host")) + "/mesher", "database-login", "auth", "no pg_hba.conf entry", "psql"},
		{"disk full", "postgres://mesh:hidden@" + listen(t, postgresError("53100", "could not extend file")) + "/mesher", "database-login", "other", "lacks room", "df -h"},
		{"may not connect", database(t, "closed", "REVOKE CONNECT ON DATABASE probe_closed FROM PUBLIC, mesh; ALTER DATABASE probe_closed OWNER TO lab"), "database-login", "auth", "may not connect", "GRANT CONNECT ON DATABASE probe_closed TO mesh"},
		{"extension missing", database(t, "noext", "DROP EXTENSION pgcrypto CASCADE"), "database-extensions", "missing-extension", "lacks the extension pgcrypto", "-d probe_noext -c 'CREATE EXTENSION pgcrypto'"},
		{"table missing", database(t, "notable", "DROP TABLE alerts, api_keys"), "database-tables", "missing-schema", "lacks 2 of the 10 tables that the program uses: api_keys, alerts", "meshc migrate"},
		{"empty database", database(t, "empty", "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION pgcrypto"), "database-tables", "missing-schema", "lacks 10 of the 10", "meshc migrate"},
		{"table closed", database(t, "closedtable", "ALTER TABLE users OWNER TO lab"), "database-tables", "other", `role "mesh" may not read users`, "GRANT ALL"},
		{"never migrated", database(t, "nevermigrated", "DROP TABLE _mesh_migrations"), "database-migrations", "missing-schema", "no migration was ever run", "meshc migrate"},
		{"migration pending", database(t, "pending", "UPDATE _mesh_migrations SET version = 20250101000000"), "database-migrations", "missing-schema", "migration 20260216120000 has not been applied; the newest one is 20250101000000", "meshc migrate"},
		{"no migration", database(t, "nomigration", "DELETE FROM _mesh_migrations"), "database-migrations", "missing-schema", "is empty", "meshc migrate"},
		{"newer migration", database(t, "newer", "INSERT INTO _mesh_migrations VALUES (20270101000000)"), "", "", "", ""},
		{"read-only", database(t, "readonly", "ALTER DATABASE probe_readonly SET default_transaction_read_only = on"), "database-writable", "other", "read-only by default", "RESET default_transaction_read_only"},
		{"no URL", "mysql://h/d", "database-url", "unreachable", "does not begin with postgres://", "postgres://ROLE"},
		{"bad URL", "postgres://mesh:hid%zzden@h/d", "database-url", "unreachable", "no valid URL", "postgres://ROLE"},
	}
	want := meshWants(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checks := Database(t.Context(), Use{URL: tt.url, Want: want})
			c := firstFailed(checks)
			for _, k := range checks {
				if s := fmt.Sprint(k); strings.Contains(s, "hidden") || strings.Contains(s, ":mesh@") {
					t.Errorf("a password is shown: %s", s)
				}
			}
			if tt.id == "" {
				if c != nil || len(checks) < 4 {
					t.Errorf("failed: %+v (of %d checks)", c, len(checks))
				}
				return
			}
			if c == nil {
				t.Fatalf("all %d checks passed", len(checks))
			}
			if c.ID != tt.id || c.Cause != "database" || c.Kind != tt.kind || !strings.Contains(c.Detail, tt.say) {
				t.Errorf("%s %s/%s: %s", c.ID, c.Cause, c.Kind, c.Detail)
			}
			if next := strings.Join(c.Next, "\n"); len(c.Next) == 0 || !strings.Contains(next, tt.typed) {
				t.Errorf("next: %s", next)
			}
		})
	}
}

// TestMending types what the checks say, until everything passes: from an empty server to a sound database.
func TestMending(t *testing.T) {
	sql(t, "postgres", "CREATE ROLE mender LOGIN PASSWORD 'mesh'")
	want := &profile.Database{Extensions: []string{"pgcrypto"}, Partitions: profile.Partitions{Table: "events", Days: 1}}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	made := false
	for range 8 {
		checks := Database(t.Context(), Use{URL: server.URL("mender", "mesh", "mended"), Want: want, Days: now})
		c := firstFailed(checks)
		if c == nil && made {
			return
		}
		if c == nil { // the table with partitions is the program's own
			sql(t, "mended", "CREATE TABLE events (received date NOT NULL) PARTITION BY RANGE (received)")
			made = true
			continue
		}
		typed(t, c.Next[0])
	}
	t.Error("not mended after eight steps")
}

// typed runs a command line of a check in a shell, with this package's server for the one of the machine: its superuser
// has another name and its socket another place.
func typed(t *testing.T, line string) {
	t.Helper()
	_, command, ok := strings.Cut(line, thisMachine().as("postgres"))
	if !ok {
		t.Fatalf("no command of the superuser: %s", line)
	}
	cmd := exec.Command("sh", "-ec", command)
	tools, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	cmd.Env = append(os.Environ(), "PGHOST="+server.Dir, "PGUSER=lab", "PATH="+strings.Join(tools, ":")+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func TestPartitions(t *testing.T) {
	day := time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC)
	part := func(name, from, to string) string {
		return fmt.Sprintf("CREATE TABLE %s PARTITION OF events FOR VALUES FROM (%s) TO (%s);", name, from, to)
	}
	tests := []struct{ name, spoil, say string }{
		{"none", "", "no partition for 2026-11-23 to 2026-11-29 (7 days)"},
		{"one day missing", part("a", "'2026-11-23'", "'2026-11-26'") + part("b", "'2026-11-27'", "'2026-12-30'"), "no partition for 2026-11-26: rows of that day"},
		{"default", "CREATE TABLE rest PARTITION OF events DEFAULT;", ""},
		{"open end", part("a", "MINVALUE", "MAXVALUE"), ""},
		{"all days", part("a", "'2026-11-01'", "'2026-11-30'"), ""},
		{"a week by hand", part("week", "'2026-11-25'", "'2026-11-28'"),
			"partition week (2026-11-25 until before 2026-11-28) takes 2026-11-25 to 2026-11-27 (3 days), for which no partition of a day can be made beside it"},
		{"not in this schema", "ALTER SCHEMA public OWNER TO lab; REVOKE CREATE ON SCHEMA public FROM PUBLIC", `role "mesh" cannot make it, for it may not create anything in schema "public"`},
		{"of another's table", "ALTER TABLE events OWNER TO lab; GRANT ALL ON events TO mesh", `role "mesh" cannot make it, for the table belongs to "lab"`},
		{"one too few", part("a", "'2026-11-01'", "'2026-11-29'"), "no partition for 2026-11-29"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checks := Database(t.Context(), Use{URL: database(t, fmt.Sprintf("part%d", i), tt.spoil), Want: meshWants(t), Days: day})
			last := checks[len(checks)-1]
			if last.ID != "database-partitions" || last.OK != (tt.say == "") || !strings.Contains(last.Detail, tt.say) {
				t.Errorf("%+v", last)
			}
		})
	}
}

// TestLocks asks about a program whose statement waits for somebody.
func TestLocks(t *testing.T) {
	url := database(t, "locks", "")
	connect := func(sql string) *pgconn.PgConn {
		conn, err := pgconn.Connect(t.Context(), url+"?application_name=holder")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	holder := connect("BEGIN; LOCK TABLE events")
	defer holder.Close(context.Background())
	if c := firstFailed(Database(t.Context(), Use{URL: url})); c != nil {
		t.Errorf("nobody waits: %+v", c)
	}
	waiter := connect("SELECT 1")
	defer waiter.Close(context.Background())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = waiter.Exec(ctx, "SELECT count(*) FROM events").ReadAll() }()
	for range 100 {
		if c := firstFailed(Database(t.Context(), Use{URL: url})); c != nil {
			if c.ID != checkLocks || !strings.Contains(c.Detail, fmt.Sprintf(`"SELECT count(*) FROM events" waits for a lock in database "probe_locks", which session %d of role "mesh" (holder), idle in transaction`, holder.PID())) ||
				!strings.Contains(c.Next[1], fmt.Sprintf("pg_terminate_backend(%d)", holder.PID())) {
				t.Errorf("%+v", c)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the lock was not seen")
}

// TestDatabaseWritesNothing checks in the server's own statistics that a probe left no trace.
func TestDatabaseWritesNothing(t *testing.T) {
	url := database(t, "untouched", "")
	probe := newProbeRecorder(t, url)
	for _, statement := range probe {
		if !strings.HasPrefix(statement, "BEGIN TRANSACTION READ ONLY") && !strings.HasPrefix(statement, "SAVEPOINT") &&
			!strings.HasPrefix(statement, "SELECT") && !strings.HasPrefix(statement, "ROLLBACK") {
			t.Errorf("the probe sent %q", statement)
		}
	}
	if len(probe) < 8 {
		t.Errorf("only %d statements were seen: %q", len(probe), probe)
	}
}

// newProbeRecorder runs a probe against a database whose statements the server logs, and returns them.
func newProbeRecorder(t *testing.T, url string) []string {
	t.Helper()
	sql(t, "postgres", "ALTER DATABASE probe_untouched SET log_statement = 'all'")
	log := filepath.Join(server.Dir, "log")
	before, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if c := firstFailed(Database(t.Context(), Use{URL: url, Want: meshWants(t)})); c != nil {
		t.Fatalf("%+v", c)
	}
	after, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(after[len(before):])) {
		for _, mark := range []string{"LOG:  statement: ", "LOG:  execute <unnamed>: "} {
			if _, s, ok := strings.Cut(line, mark); ok {
				all = append(all, strings.TrimSpace(s))
			}
		}
	}
	return all
}
