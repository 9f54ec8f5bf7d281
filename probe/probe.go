// Package probe asks the world outside a process: its PostgreSQL server, who holds a port, whether the executable is what
// was built last, which limits hold. Every probe only reads, has a time limit, talks to no address but those that the
// target itself uses, and never prints a password.
//
// A probe says what it found in checks. It does not weigh them: a failed check names the cause that it points to, and
// package heuristics decides.
package probe

import (
	"fmt"
	"strings"
)

// Check is one question that was asked and its answer.
type Check struct {
	ID          string // stable, such as "database-login"
	OK          bool
	Detail      string   // one sentence without its full stop; may quote the target, so it is hostile
	Cause, Kind string   // of the report contract; "" when a failed check points to none
	Next        []string // what to type or do to mend it
	Hint        bool     // a failed check that may have an innocent explanation, as a file's date has
}

func passed(id, format string, args ...any) Check {
	return Check{ID: id, OK: true, Detail: fmt.Sprintf(format, args...)}
}

// shellQuote makes s one word of a POSIX shell.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// operand makes s one word of a shell that a command does not take for an option.
func operand(s string) string {
	if strings.HasPrefix(s, "-") {
		return "-- " + shellQuote(s)
	}
	return shellQuote(s)
}

// identifier makes s one name of SQL; a name that needs no quotes gets none.
func identifier(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// list joins names for a sentence.
func list(names []string) string { return strings.Join(names, ", ") }

// plural is word, or word with an s.
func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
