package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"
)

// The program's SQL is held against the real tables without being run: the server parses and analyses each statement
// (the message Parse of the protocol) and says what it does not know. Nothing is bound, planned or executed, and the
// transaction is read-only all the same.

const (
	statementsTimeout = 1500 * time.Millisecond // for all statements together
	maxFindings       = 3                       // told in full
	maxQuoted         = 120                     // characters of a statement
)

// lacking is a statement that cannot run.
type lacking struct {
	sql  string
	err  *pgconn.PgError
	name string // as the statement writes it, at the place of the error
}

const checkStatements = "database-statements"

func (in *inside) statements(ctx context.Context) (Check, bool) {
	const id = checkStatements
	if in.constants == nil {
		return Check{}, false
	}
	all := in.constants.Statements()
	if _, err := in.conn.Exec(ctx, "SAVEPOINT question").ReadAll(); err != nil {
		return Check{}, false // the next question says why
	}
	begin := time.Now()
	var bad []lacking
	checked := 0
	for _, sql := range all {
		if time.Since(begin) > statementsTimeout {
			break
		}
		err := in.analyse(ctx, sql)
		var e *pgconn.PgError
		if err != nil && !errors.As(err, &e) {
			break // the connection is gone; the next question says so
		}
		checked++
		if e == nil {
			continue
		}
		if l := (lacking{sql, e, nameAt(sql, int(e.Position))}); in.counts(ctx, &l) {
			bad = append(bad, l)
		}
	}
	if len(bad) > 0 {
		return in.unfit(id, bad), true
	}
	if checked == 0 {
		return Check{}, false
	}
	return passed(id, "none of %d SQL %s in the program's constants names a table, column or function that is missing",
		checked, plural(checked, "statement")), true
}

// analyse lets the server parse one statement. Rolling back to the savepoint gives back the locks that analysis took.
func (in *inside) analyse(ctx context.Context, sql string) error {
	_, err := in.conn.Prepare(ctx, "", sql, nil)
	if _, undo := in.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT question").ReadAll(); undo != nil && err == nil {
		return undo
	}
	return err
}

// counts reports whether an error tells of the database, and not of a text that is no whole statement, of another
// dialect, or of a table that the program makes itself.
func (in *inside) counts(ctx context.Context, l *lacking) bool {
	if l.name == "" {
		return false
	}
	last := l.name[strings.LastIndexByte(l.name, '.')+1:]
	switch l.err.Code {
	case stateUndefinedTable:
		if l.err.Routine != "parserOpenTable" {
			return false // an alias that no FROM clause has: a piece
		}
		if strings.HasPrefix(last, "pg_") || strings.HasPrefix(l.name, "information_schema.") ||
			slices.Contains(in.missing, last) || in.constants.creates(last) {
			return false
		}
		return !in.piece(ctx, l, last)
	case stateUndefinedColumn:
		t := tableOf(l.sql)
		if t == "" {
			return false // columns of no table: a piece, or English
		}
		return !in.constants.creates(last) && !in.constants.creates(t) && !strings.HasPrefix(t, "pg_")
	case stateUndefinedFunction:
		if strings.HasPrefix(last, "pg_") || in.constants.creates(last) {
			return false
		}
		rows, err := in.rows(ctx, "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = $1)", last)
		return err == nil && len(rows) == 1 && rows[0][0] == "f" // else it is there for other types, and those of $1 are not known here
	}
	return false
}

// piece reports whether a missing table stands at the end of a text that the program makes longer before it sends it:
// "SELECT * FROM events_" is no statement yet.
func (in *inside) piece(ctx context.Context, l *lacking, table string) bool {
	if !strings.HasSuffix(strings.TrimRight(l.sql, " ;\n\t\""), table) {
		return false
	}
	if strings.HasSuffix(table, "_") {
		return true
	}
	rows, err := in.rows(ctx, "SELECT EXISTS (SELECT FROM pg_class WHERE starts_with(relname, $1))", table)
	return err != nil || len(rows) != 1 || rows[0][0] == "t"
}

func (in *inside) unfit(id string, bad []lacking) Check {
	t := in.target
	c := Check{ID: id, Cause: causeDatabase, Kind: kindNoSchema}
	var told, tables []string
	for i, l := range bad {
		if i == maxFindings {
			told = append(told, fmt.Sprintf("and %d more", len(bad)-i))
			break
		}
		why := l.err.Message
		if l.err.Hint != "" && l.err.Code != stateUndefinedFunction {
			why += " (" + strings.TrimSuffix(l.err.Hint, ".") + ")"
		}
		told = append(told, fmt.Sprintf("%q: %s", short(l.sql), why))
		if table := tableOf(l.sql); table != "" && l.err.Code == stateUndefinedColumn && !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	c.Detail = fmt.Sprintf("database %q does not fit the program's SQL: %s", t.config.Database, strings.Join(told, "; "))
	if in.newer != "" {
		c.Detail += fmt.Sprintf("; it was migrated to version %s, and the program is known to need %s", in.newer, t.want.Migrations.Version)
		c.Next = append(c.Next, "build the program that belongs to migration "+in.newer+", or point this one at a database that was not migrated further")
	} else if m := t.migrate(); m != "" {
		c.Next = append(c.Next, "run the migrations: "+m)
	}
	for _, table := range tables {
		c.Next = append(c.Next, "see the columns that are there: "+t.admin(t.config.Database, `\d `+table))
	}
	if len(tables) == 0 {
		for _, l := range bad[:1] {
			pattern := `\dt *.` + l.name[strings.LastIndexByte(l.name, '.')+1:]
			if l.err.Code == stateUndefinedFunction {
				pattern = `\dx`
			}
			c.Next = append(c.Next, "see what is there: "+t.admin(t.config.Database, pattern))
		}
	}
	return c
}

// nameAt is the possibly qualified name at a position of a statement, counted in characters from 1; "" for none.
func nameAt(sql string, position int) string {
	runes := []rune(sql)
	if position < 1 || position > len(runes) {
		return ""
	}
	rest := string(runes[position-1:])
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '.' && r != '"' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end >= 0 {
		rest = rest[:end]
	}
	return strings.Trim(strings.ReplaceAll(rest, `"`, ""), ".")
}

// tableOf is the first table that a statement names; "" for none.
func tableOf(sql string) string {
	words := strings.Fields(sql)
	for i := range len(words) - 1 {
		switch strings.ToUpper(words[i]) {
		case "FROM", "INTO", "UPDATE":
			if name := nameAt(words[i+1], 1); name != "" && name == strings.TrimRight(words[i+1], ",;()") {
				return name
			}
		}
	}
	return ""
}

// short is a statement on one line, cut.
func short(sql string) string {
	runes := []rune(strings.Join(strings.Fields(sql), " "))
	if len(runes) > maxQuoted {
		return string(runes[:maxQuoted]) + "…"
	}
	return string(runes)
}
