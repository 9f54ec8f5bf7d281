package probe

import (
	"context"
	"fmt"
	"time"
)

const checkLocks = "database-locks"

// locks reports sessions of the program's role that wait for a lock, and who holds it. It says nothing where none waits.
// Of another role's session PostgreSQL shows an ordinary role no more than its number.
func (in *inside) locks(ctx context.Context) (Check, bool) {
	rows, err := in.rows(ctx, `SELECT w.pid, left(w.query, 400), b.pid, coalesce(b.usename, ''), coalesce(b.state, ''), coalesce(b.application_name, ''),
			coalesce(extract(epoch FROM now() - b.xact_start)::bigint::text, '')
		FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) blocker, pg_stat_activity b
		WHERE w.wait_event_type = 'Lock' AND w.datname = current_database() AND w.usename = current_user AND b.pid = blocker
		ORDER BY w.query_start LIMIT 1`)
	if err != nil || len(rows) == 0 {
		return Check{}, false
	}
	r, t := rows[0], in.target
	who := fmt.Sprintf("session %s of role %q", r[2], r[3])
	if r[5] != "" {
		who += fmt.Sprintf(" (%s)", r[5])
	}
	if r[4] != "" {
		who += ", " + r[4]
	}
	if r[6] != "" {
		if age, err := time.ParseDuration(r[6] + "s"); err == nil {
			who += fmt.Sprintf(", in a transaction for %v", age)
		}
	}
	return Check{ID: checkLocks, Cause: causeDatabase, Kind: kindOther,
		Detail: fmt.Sprintf("the program's statement %q waits for a lock in database %q, which %s holds", short(r[1]), t.config.Database, who),
		Next: []string{"look what it does, and let it finish: " + t.admin("", "SELECT pid, usename, state, query FROM pg_stat_activity WHERE pid = "+r[2]),
			"or end it: " + t.admin("", "SELECT pg_terminate_backend("+r[2]+")")}}, true
}
