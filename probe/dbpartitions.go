package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"meshdiag/lazyregexp"
)

// span is the range of one partition: from <= day < to, as dates "2006-01-02"; "" is without end on that side.
type span struct {
	name, from, to string
	other          bool // DEFAULT: takes what no other takes
}

func (s span) covers(day string) bool {
	return s.other || (s.from == "" || s.from <= day) && (s.to == "" || day < s.to)
}

// bound is how pg_get_expr prints the bound of a range partition (ruleutils.c, get_range_partbound_string).
var bound = lazyregexp.New(`^FOR VALUES FROM \((.*?)\) TO \((.*?)\)$`)

// parseSpan reads a partition's bound. It returns false for one that is not a range of dates.
func parseSpan(name, text string) (span, bool) {
	if text == "DEFAULT" {
		return span{name: name, other: true}, true
	}
	m := bound().FindStringSubmatch(text)
	if m == nil {
		return span{}, false
	}
	from, ok1 := boundDay(m[1], "MINVALUE")
	to, ok2 := boundDay(m[2], "MAXVALUE")
	return span{name: name, from: from, to: to}, ok1 && ok2
}

// boundDay is the date in one side of a bound: a date, or a timestamp of which the day counts.
func boundDay(text, open string) (string, bool) {
	if text == open {
		return "", true
	}
	text = strings.Trim(text, "'")
	if len(text) < len(time.DateOnly) {
		return "", false
	}
	day := text[:len(time.DateOnly)]
	_, err := time.Parse(time.DateOnly, day)
	return day, err == nil
}

// partitions checks that each day from in.days on has its partition.
func (in *inside) partitions(ctx context.Context) (Check, bool) {
	const id = "database-partitions"
	p := in.target.want.Partitions
	if p.Table == "" || in.days.IsZero() {
		return Check{}, false
	}
	rows, err := in.rows(ctx, `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = $1::regclass ORDER BY 1 LIMIT 10000`, identifier(p.Table))
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == stateUndefinedTable {
		return Check{}, false // the check of the tables says it
	}
	if err != nil {
		return in.unknown(id, err)
	}
	var spans []span
	for _, r := range rows {
		s, ok := parseSpan(r[0], r[1])
		if !ok {
			return Check{}, false // partitioned by something else: nothing can be said
		}
		spans = append(spans, s)
	}
	c := in.coverage(id, spans)
	if !c.OK {
		in.mayMake(ctx, &c)
	}
	return c, true
}

// mayMake adds why a program that makes its partitions itself could not, as far as its role is the reason.
func (in *inside) mayMake(ctx context.Context, c *Check) {
	t := in.target
	rows, err := in.rows(ctx, `SELECT n.nspname, has_schema_privilege(n.oid, 'CREATE'), pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::regclass`, identifier(t.want.Partitions.Table))
	if err != nil || len(rows) != 1 {
		return
	}
	role, db := t.config.User, t.config.Database
	switch r := rows[0]; {
	case r[1] != "t":
		c.Detail += fmt.Sprintf("; role %q cannot make it, for it may not create anything in schema %q", role, r[0])
		c.Next = append([]string{t.admin(db, "GRANT CREATE ON SCHEMA "+identifier(r[0])+" TO "+identifier(role))}, c.Next...)
	case r[2] != "t":
		c.Detail += fmt.Sprintf("; role %q cannot make it, for the table belongs to %q", role, r[3])
		c.Next = append([]string{t.admin(db, "ALTER TABLE "+identifier(t.want.Partitions.Table)+" OWNER TO "+identifier(role))}, c.Next...)
	}
}

func (in *inside) coverage(id string, spans []span) Check {
	p := in.target.want.Partitions
	var missing, all []string
	for i := range p.Days {
		day := in.days.AddDate(0, 0, i).Format(time.DateOnly)
		all = append(all, day)
		if !slices.ContainsFunc(spans, func(s span) bool { return s.covers(day) }) {
			missing = append(missing, day)
		}
	}
	if len(missing) == 0 {
		return passed(id, "table %s has partitions for the next %d days", p.Table, p.Days)
	}
	t := in.target
	c := Check{ID: id, Cause: causeDatabase, Kind: kindNoSchema,
		Detail: fmt.Sprintf("table %s has no partition for %s: rows of %s will be refused", p.Table, days(missing), plural(len(missing), "that day"))}
	for _, s := range spans {
		if taken := s.inTheWay(all); len(taken) > 0 {
			c.Detail += fmt.Sprintf("; partition %s (%s) takes %s, for which no partition of a day can be made beside it", s.name, s.text(), days(taken))
			c.Next = append(c.Next, t.admin(t.config.Database, "ALTER TABLE "+identifier(p.Table)+" DETACH PARTITION "+identifier(s.name))+
				" (its rows stay in "+s.name+"; put them back when the partitions of the days are there)")
		}
	}
	var make []string
	for _, text := range missing {
		day, _ := time.Parse(time.DateOnly, text)
		make = append(make, fmt.Sprintf("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s')", identifier(p.Table+"_"+day.Format("20060102")),
			identifier(p.Table), text, day.AddDate(0, 0, 1).Format(time.DateOnly)))
	}
	c.Next = append(c.Next, t.admin(t.config.Database, strings.Join(make, "; ")))
	return c
}

// inTheWay are the days that a partition of more than one day takes.
func (s span) inTheWay(all []string) (taken []string) {
	from, err := time.Parse(time.DateOnly, s.from)
	if s.other || err == nil && s.to == from.AddDate(0, 0, 1).Format(time.DateOnly) {
		return nil
	}
	for _, day := range all {
		if s.covers(day) {
			taken = append(taken, day)
		}
	}
	return taken
}

// text is the range for a sentence.
func (s span) text() string {
	return or(s.from, "the beginning") + " until before " + or(s.to, "the end")
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// days names a few days.
func days(list []string) string {
	if len(list) <= 2 {
		return strings.Join(list, " and ")
	}
	return fmt.Sprintf("%s to %s (%d days)", list[0], list[len(list)-1], len(list))
}
