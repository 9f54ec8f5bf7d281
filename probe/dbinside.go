package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// inside asks a server that let us in. Everything runs in one read-only transaction; after an error PostgreSQL refuses
// the rest of it, so each question stands behind a savepoint.
type inside struct {
	target *dbTarget
	conn   *pgconn.PgConn
	days   time.Time

	constants *Constants
	missing   []string // tables that were found to be missing
	newer     string   // a migration that is newer than the one that the program needs
}

func (in *inside) checks(ctx context.Context) []Check {
	all := []func(context.Context) (Check, bool){in.locks, in.writable, in.extensions, in.tables, in.migrations, in.statements, in.partitions}
	var out []Check
	for _, ask := range all {
		c, ok := ask(ctx)
		if !ok {
			continue
		}
		out = append(out, c)
		if c.ID == checkWritable && !c.OK {
			in.days = time.Time{} // a program that may not write cannot make its partitions either
		}
	}
	return out
}

// rows runs one query. Answers come as text; a NULL is "".
func (in *inside) rows(ctx context.Context, sql string, args ...string) ([][]string, error) {
	if _, err := in.conn.Exec(ctx, "SAVEPOINT question").ReadAll(); err != nil {
		return nil, err
	}
	params := make([][]byte, len(args))
	for i := range args {
		params[i] = []byte(args[i])
	}
	result := in.conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	if result.Err != nil {
		_, _ = in.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT question").ReadAll() // if this fails too, so will the next question
		return nil, result.Err
	}
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		for _, field := range row {
			rows[i] = append(rows[i], string(field))
		}
	}
	return rows, nil
}

// unknown is the answer to a question that the server did not answer: no finding about the world.
func (in *inside) unknown(id string, err error) (Check, bool) {
	c := Check{ID: id, Cause: causeDatabase, Kind: kindOther}
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.Code == stateStatementCanceled:
		c.Detail = fmt.Sprintf("the database did not answer within %v: it is overloaded, or a lock is held", statementTimeout)
		c.Next = []string{"who waits and who holds: " + in.target.admin(in.target.config.Database, "SELECT pid, state, wait_event_type, query FROM pg_stat_activity WHERE state <> 'idle'")}
	case errors.As(err, &e) && e.Code == stateForbidden:
		c.Detail = fmt.Sprintf("role %q may not read it in database %q: %s", in.target.config.User, in.target.config.Database, e.Message)
		c.Next = []string{in.target.admin(in.target.config.Database, "GRANT ALL ON ALL TABLES IN SCHEMA public TO "+identifier(in.target.config.User))}
	case errors.As(err, &e):
		c.Detail = fmt.Sprintf("the database refused to answer: %s (SQLSTATE %s)", e.Message, e.Code)
	default:
		c.Detail = "the connection to the database was lost while it was asked"
	}
	return c, true
}

// array is a text[] literal.
func array(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return "{" + strings.Join(quoted, ",") + "}"
}

const checkWritable = "database-writable"

func (in *inside) writable(ctx context.Context) (Check, bool) {
	const id = checkWritable
	rows, err := in.rows(ctx, "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')")
	if err != nil || len(rows) == 0 {
		return in.unknown(id, err)
	}
	t := in.target
	switch {
	case rows[0][0] == "t":
		return Check{ID: id, Detail: fmt.Sprintf("the server %s is a read-only standby: it refuses every write of the program", t.address()),
			Cause: causeDatabase, Kind: kindOther, Next: []string{
				"point the program at the primary server: " + t.admin("", "SELECT sender_host, sender_port FROM pg_stat_wal_receiver") + " names it",
				"or make this one the primary: " + t.admin("", "SELECT pg_promote()")}}, true
	case rows[0][1] == "on":
		return Check{ID: id, Detail: fmt.Sprintf("transactions of role %q in database %q are read-only by default: every write of the program fails", t.config.User, t.config.Database),
			Cause: causeDatabase, Kind: kindOther, Next: []string{
				t.admin("", "ALTER DATABASE "+identifier(t.config.Database)+" RESET default_transaction_read_only"),
				t.admin("", "ALTER ROLE "+identifier(t.config.User)+" RESET default_transaction_read_only")}}, true
	}
	return passed(id, "the server takes writes"), true
}

func (in *inside) extensions(ctx context.Context) (Check, bool) {
	const id = "database-extensions"
	want := in.target.want.Extensions
	if len(want) == 0 {
		return Check{}, false
	}
	rows, err := in.rows(ctx, `SELECT n, EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = n) FROM unnest($1::text[]) n
		WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = n)`, array(want))
	if err != nil {
		return in.unknown(id, err)
	}
	if len(rows) == 0 {
		return passed(id, "%s %s installed", plural(len(want), "extension"), list(want)), true
	}
	c := Check{ID: id, Cause: causeDatabase, Kind: kindNoExtension}
	var names []string
	for _, r := range rows {
		names = append(names, r[0])
		if r[1] != "t" {
			c.Next = append(c.Next, "sudo apt-get install postgresql-contrib (the server lacks the files of "+r[0]+")")
		}
		c.Next = append(c.Next, in.target.admin(in.target.config.Database, "CREATE EXTENSION "+identifier(r[0])))
	}
	c.Detail = fmt.Sprintf("database %q lacks the %s %s", in.target.config.Database, plural(len(names), "extension"), list(names))
	return c, true
}

func (in *inside) tables(ctx context.Context) (Check, bool) {
	const id = "database-tables"
	want := in.target.want.Tables
	if len(want) == 0 {
		return Check{}, false
	}
	rows, err := in.rows(ctx, `SELECT n, to_regclass(n) IS NULL, CASE WHEN to_regclass(n) IS NULL THEN true
		ELSE has_table_privilege(to_regclass(n)::oid, 'SELECT') END FROM unnest($1::text[]) n`, array(want))
	if err != nil {
		return in.unknown(id, err)
	}
	var missing, closed []string
	for _, r := range rows {
		switch {
		case r[1] == "t":
			missing = append(missing, r[0])
		case r[2] != "t":
			closed = append(closed, r[0])
		}
	}
	t := in.target
	db := t.config.Database
	in.missing = missing
	switch {
	case len(missing) > 0:
		c := Check{ID: id, Cause: causeDatabase, Kind: kindNoSchema,
			Detail: fmt.Sprintf("database %q lacks %d of the %d tables that the program uses: %s", db, len(missing), len(want), list(missing))}
		if m := t.migrate(); m != "" {
			c.Next = append(c.Next, "run the migrations: "+m)
		}
		c.Next = append(c.Next, "or another schema is searched: "+t.admin(db, `\dt *.`+missing[0]))
		return c, true
	case len(closed) > 0:
		return Check{ID: id, Cause: causeDatabase, Kind: kindOther,
			Detail: fmt.Sprintf("role %q may not read %s in database %q", t.config.User, list(closed), db),
			Next:   []string{t.admin(db, "GRANT ALL ON ALL TABLES IN SCHEMA public TO "+identifier(t.config.User))}}, true
	}
	return passed(id, "all %d tables are there", len(want)), true
}

func (in *inside) migrations(ctx context.Context) (Check, bool) {
	const id = "database-migrations"
	t, m := in.target, in.target.want.Migrations
	if m.Table == "" {
		return Check{}, false
	}
	c := Check{ID: id, Cause: causeDatabase, Kind: kindNoSchema}
	if run := t.migrate(); run != "" {
		c.Next = []string{"run the migrations: " + run}
	}
	rows, err := in.rows(ctx, "SELECT "+identifier(m.Column)+"::text FROM "+identifier(m.Table)+" ORDER BY "+identifier(m.Column)+" DESC LIMIT 1000")
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.Code == stateUndefinedTable:
		c.Detail = fmt.Sprintf("no migration was ever run in database %q: it has no table %s", t.config.Database, m.Table)
		return c, true
	case errors.As(err, &e) && e.Code == stateUndefinedColumn:
		c.Detail = fmt.Sprintf("table %s has no column %s: another tool, or another version of it, made it", m.Table, m.Column)
		return c, true
	case err != nil:
		return in.unknown(id, err)
	case len(rows) == 0:
		c.Detail = fmt.Sprintf("table %s is empty: no migration has been applied", m.Table)
		return c, true
	}
	newest := rows[0][0]
	if m.Version == "" || newest == m.Version {
		return passed(id, "migrated to version %s", newest), true
	}
	if !slices.ContainsFunc(rows, func(r []string) bool { return r[0] == m.Version }) {
		c.Detail = fmt.Sprintf("migration %s has not been applied; the newest one is %s", m.Version, newest)
		return c, true
	}
	in.newer = newest
	return passed(id, "migrated to version %s, newer than the %s that the program is known to need", newest, m.Version), true
}
