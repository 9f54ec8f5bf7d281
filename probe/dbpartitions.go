package probe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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
var bound = regexp.MustCompile(`^FOR VALUES FROM \((.*?)\) TO \((.*?)\)$`)

// parseSpan reads a partition's bound. It returns false for one that is not a range of dates.
func parseSpan(name, text string) (span, bool) {
	if text == "DEFAULT" {
		return span{name: name, other: true}, true
	}
	m := bound.FindStringSubmatch(text)
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
	return in.coverage(id, spans), true
}

func (in *inside) coverage(id string, spans []span) Check {
	p := in.target.want.Partitions
	var missing []string
	for i := range p.Days {
		day := in.days.AddDate(0, 0, i).Format(time.DateOnly)
		if !slices.ContainsFunc(spans, func(s span) bool { return s.covers(day) }) {
			missing = append(missing, day)
		}
	}
	if len(missing) == 0 {
		return passed(id, "table %s has partitions for the next %d days", p.Table, p.Days)
	}
	day, _ := time.Parse(time.DateOnly, missing[0])
	name := p.Table + "_" + day.Format("20060102")
	sql := fmt.Sprintf("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s')", identifier(name), identifier(p.Table),
		missing[0], day.AddDate(0, 0, 1).Format(time.DateOnly))
	t := in.target
	return Check{ID: id, Cause: causeDatabase, Kind: kindNoSchema,
		Detail: fmt.Sprintf("table %s has no partition for %s: rows of %s will be refused", p.Table, days(missing), plural(len(missing), "that day")),
		Next:   []string{t.admin(t.config.Database, sql)}}
}

// days names a few days.
func days(list []string) string {
	if len(list) <= 2 {
		return strings.Join(list, " and ")
	}
	return fmt.Sprintf("%s to %s (%d days)", list[0], list[len(list)-1], len(list))
}
