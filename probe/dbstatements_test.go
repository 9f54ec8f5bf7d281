package probe

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"meshdiag/lab"
)

// sqlInC is a program with SQL, with text that only looks like it, and with pieces that become SQL later.
const sqlInC = `
#include <stdio.h>
const char *all[] = {
	"SELECT id, message FROM events WHERE project = $1",
	"INSERT INTO events (project, level, message) VALUES ($1, $2, $3)",
	"select name from projects where id = $1 -- caf\xc3\xa9",
	"Select a file from the list below",
	"select one file from list of files",
	"With great power comes great responsibility",
	"UPDATE failed",
	"SELECT day FROM events_",
	"DELETE FROM eve",
	"SELECT id FROM scratch WHERE n = 1",
	"CREATE TEMP TABLE scratch (n int)",
	"SELECT extra FROM issues WHERE n = 1",
	"ALTER TABLE issues ADD COLUMN extra int",
	"SELECT LINE",
	"SELECT c.relname, n.nspname",
	"SELECT %s FROM nowhere WHERE n = 1",
	"WITH early (a, b) AS (SELECT 1, 2)",
	"SELECT a FROM early WHERE a = 1",
	"SELECT * FROM users WHERE email = ?",
	"UPDATE users SET email = $1",
	"SELECT crypt($1, gen_salt('md5'))",
	"SELECT 1; DROP TABLE events",
	"DELETE FROM events",
};
int main(int argc, char **argv) { return puts(all[argc]); }`

// sqlInRust has strings without an end mark: loaded with their length by code, and in a table.
const sqlInRust = `
static TABLE: [&str; 2] = ["SELECT slug FROM organizations WHERE id = $1", "SELECT gone FROM organizations WHERE name = $1"];
#[inline(never)]
fn query(sql: &str) -> usize { std::hint::black_box(sql).len() }
fn main() {
    let n = query("SELECT email FROM users WHERE id = $1") + query("DELETE FROM sessions WHERE token = $1");
    println!("{}", n + query(TABLE[std::env::args().count() % 2]));
}`

func compileRust(t testing.TB, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	src, exe := filepath.Join(dir, "main.rs"), filepath.Join(dir, "main")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("rustc", append(flags, "-o", exe, src)...).CombinedOutput(); err != nil {
		t.Fatalf("rustc: %v\n%s", err, out)
	}
	return exe
}

func TestStatements(t *testing.T) {
	rust := []string{"SELECT slug FROM organizations WHERE id = $1", "SELECT gone FROM organizations WHERE name = $1",
		"SELECT email FROM users WHERE id = $1", "DELETE FROM sessions WHERE token = $1"}
	for _, tt := range []struct {
		name string
		exe  string
		has  []string
		not  []string
	}{
		{"C", compileC(t, sqlInC), []string{"SELECT id, message FROM events WHERE project = $1", "UPDATE failed"},
			[]string{"Select a file from the list below", "CREATE TEMP TABLE scratch (n int)", "SELECT %s FROM nowhere WHERE n = 1",
				"SELECT * FROM users WHERE email = ?"}},
		{"Rust", compileRust(t, sqlInRust), rust, nil},
		{"Rust, optimised", compileRust(t, sqlInRust, "-O"), rust, nil},
		{"for SQLite", compileC(t, `const char *all[] = {"SELECT name FROM sqlite_master", "SELECT id FROM crates WHERE n = 1"}; int main(int c, char **v) { return all[c][0]; }`), nil, nil},
		{"no program", "/nonexistent", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ReadConstants(tt.exe).Statements()
			for _, s := range tt.has {
				if !slices.Contains(got, s) {
					t.Errorf("%q was not found", s)
				}
			}
			for _, s := range got {
				if slices.Contains(tt.not, s) || len(tt.has) == 0 {
					t.Errorf("%q is no statement", s)
				}
			}
		})
	}
}

// TestStatementsOfLab reads the SQL of the stand-in, whose constants stand one behind the other.
func TestStatementsOfLab(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program of the lab")
	}
	for _, opt := range []string{"O0", "O2"} {
		exe, err := lab.Build(t.Context(), lab.Variant{Opt: opt}, "")
		if err != nil {
			t.Fatal(err)
		}
		got := ReadConstants(exe).Statements()
		for _, s := range []string{
			"SELECT version::text FROM _mesh_migrations WHERE version = 20260216120000",
			"SELECT encode(digest('mesher'::text, 'sha256'), 'hex') AS sum",
			"SELECT id::text, name, slug FROM organizations WHERE slug = $1::text",
			"SELECT id::text, org_id::text, name, platform, rate::text FROM projects WHERE name = $1::text",
			"SELECT id::text, email FROM users WHERE email = $1::text",
			"SELECT id::text, name, slug FROM organizations ORDER BY slug",
			"INSERT INTO events (project, level, message) VALUES ($1::text, $2::text, $3::text)",
		} {
			if !slices.Contains(got, s) {
				t.Errorf("%s: %q was not found in %q", opt, s, got)
			}
		}
	}
}

// TestStatementsAgainstTables holds a program's SQL against real tables.
func TestStatementsAgainstTables(t *testing.T) {
	constants := ReadConstants(compileC(t, sqlInC))
	tests := []struct {
		name, spoil string
		say         []string // "" passes
		next        string
	}{
		{"fits", "", nil, ""},
		{"column", "ALTER TABLE events RENAME COLUMN message TO body",
			[]string{`"SELECT id, message FROM events WHERE project = $1": column "message" does not exist`,
				`"INSERT INTO events (project, level, message) VALUES ($1, $2, $3)": column "message" of relation "events" does not exist`}, `\d events`},
		{"table", "DROP TABLE users CASCADE", []string{`"UPDATE users SET email = $1": relation "users" does not exist`}, `\dt *.users`},
		{"function", "DROP EXTENSION pgcrypto CASCADE", []string{`"SELECT crypt($1, gen_salt('md5'))": function gen_salt(unknown) does not exist`}, `\dx`},
		{"too new", "ALTER TABLE events RENAME COLUMN message TO body; INSERT INTO _mesh_migrations VALUES (20270101000000)",
			[]string{"it was migrated to version 20270101000000, and the program is known to need 20260216120000"}, "build the program that belongs to migration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := *meshWants(t)
			want.Extensions, want.Tables = nil, nil
			url := database(t, "sql_"+strings.ReplaceAll(tt.name, " ", "_"), tt.spoil)
			var c *Check
			for _, k := range Database(t.Context(), Use{URL: url, Want: &want, Constants: constants}) {
				if k.ID == checkStatements {
					c = &k
				}
			}
			if c == nil {
				t.Fatal("no check of statements")
			}
			for _, say := range tt.say {
				if !strings.Contains(c.Detail, say) {
					t.Errorf("%q is not in %s", say, c.Detail)
				}
			}
			if c.OK != (tt.say == nil) || !strings.Contains(strings.Join(c.Next, "\n"), tt.next) {
				t.Errorf("ok %v: %s\nnext %q", c.OK, c.Detail, c.Next)
			}
			t.Log(c.Detail)
		})
	}
}

// TestStatementsChangeNothing holds SQL that would change a lot against a database.
func TestStatementsChangeNothing(t *testing.T) {
	url := database(t, "sql_safe", `CREATE TABLE hits (n int); INSERT INTO hits VALUES (0); GRANT ALL ON hits TO mesh;
		CREATE FUNCTION hit(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN UPDATE hits SET n = n + 1; RETURN true; END';
		CREATE DOMAIN sly AS text CHECK (hit(VALUE))`)
	exe := compileC(t, `const char *all[] = {"DELETE FROM hits WHERE n = n", "UPDATE hits SET n = 7", "SELECT hit('a'::sly)", "SELECT 'a'::sly = 'b'",
		"WITH gone AS (DELETE FROM hits RETURNING n) SELECT n FROM gone", "SELECT 1; DELETE FROM hits", "SELECT pg_sleep(30) FROM hits",
		"SELECT n FROM hits; COMMIT"}; int main(int c, char **v) { return all[c][0]; }`)
	constants := ReadConstants(exe)
	if got := constants.Statements(); len(got) != 8 {
		t.Fatalf("%d statements: %q", len(got), got)
	}
	for _, c := range Database(t.Context(), Use{URL: url, Constants: constants}) {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
	sql(t, "probe_sql_safe", `DO 'BEGIN IF (SELECT count(*) || ''.'' || sum(n) FROM hits) <> ''1.0'' THEN RAISE ''changed''; END IF; END'`)
}

// TestManyStatements checks that a program full of SQL is asked about for a bounded time.
func TestManyStatements(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "\"SELECT c%d FROM t%d WHERE x = 1\",\n", i, i)
	}
	constants := ReadConstants(compileC(t, "const char *all[] = {"+b.String()+"}; int main(int c, char **v) { return all[c][0]; }"))
	if n := len(constants.Statements()); n != maxStatements {
		t.Errorf("%d statements", n)
	}
	checks := Database(context.Background(), Use{URL: server.URL("mesh", "mesh", "mesher"), Constants: constants})
	last := checks[len(checks)-1]
	if last.OK || len(last.Detail) > 1000 || !strings.Contains(last.Detail, "and 125 more") {
		t.Errorf("%d bytes: %s", len(last.Detail), last.Detail)
	}
}
