package heuristics

import (
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/startup"
)

var database = Heuristic{Doc: docDatabase, Run: runDatabase}

var databaseTitles = map[string]string{
	kindUnreachable: "The database could not be reached",
	kindAuth:        "The database refused the login",
	kindNoDatabase:  "The database does not exist",
	kindNoSchema:    "The database lacks a table or column that the program needs",
	kindNoExtension: "The database lacks an extension that the program needs",
	kindOther:       "The database could not be used",
}

func runDatabase(c *Case) Finding {
	tell := func(h *Hypothesis, text string) {
		h.Title = or(databaseTitles[h.Kind], databaseTitles[kindOther])
		h.Summary = upper(text) + ". Nothing is wrong with the program's code as far as this goes."
		c.blameSpeaker(h)
	}
	describe := func(h *Hypothesis, detail string) { // by a check
		tell(h, detail)
		h.Title += ": " + gist(detail)
	}
	hs := c.spoken(idDatabase, func(h *Hypothesis, m *startup.Message) {
		text := or(m.Text, m.Line.Text)
		tell(h, text)
		if h.Kind == kindOther && !m.Open {
			h.Title += ": " + gist(text)
		}
	})
	c.exact(idDatabase, hs, describe)
	for _, h := range hs { // who asks from outside sees more than who was refused
		if i := slices.IndexFunc(c.Checks, func(k Check) bool { return !k.OK && k.Cause == idDatabase && k.Kind == h.Kind }); i >= 0 {
			describe(h, c.Checks[i].Detail)
		}
	}
	hs = c.probed(idDatabase, hs, describe)
	for _, h := range hs {
		h.fact(c.Kind == crash.Hung && (h.Kind == kindUnreachable && c.unreachable() || h.Kind == kindOther && c.lockedOut()),
			"waits-for-it", "wait", wWaitsForIt, "that keeps waiting whoever asks the database, and the program makes no progress")
	}
	return finding(hs...)
}

// gist is what a sentence says before it goes into detail.
func gist(text string) string {
	for _, detail := range []string{": ", " (", ", which "} {
		text, _, _ = strings.Cut(text, detail)
	}
	return short(text)
}

var docDatabase = Doc{
	ID:    idDatabase,
	Title: "The database is the reason",
	Kinds: map[string]string{
		kindUnreachable: "nobody answers at the address",
		kindAuth:        "the login was refused",
		kindNoDatabase:  "the server has no such database",
		kindNoSchema:    "a table or column is missing: the migrations were not run",
		kindNoExtension: "an extension is missing that the program's SQL needs",
		kindOther:       "another refusal, such as no free connection",
	},
	Text: `The program could not use its database and said so. Some programs swallow the reason and exit with status 0; then only the
words "failed to connect" are known, and which of the kinds it is must be asked from outside.

Example: 'relation "events" does not exist': the server is there and the login is right, the tables are not.`,
	For:            []string{"the target's own words, by the profile's and PostgreSQL's messages", "a check of the database from outside, where one was made"},
	Against:        []string{"the process died of a fault: a failed connection does not explain that by itself"},
	FalsePositives: []string{"a connection refused by another service that is mentioned in the same line"},
	Fix: []string{
		"pg_isready -h HOST -p PORT, then psql with the same user, password and database",
		"run the migrations; CREATE EXTENSION as a superuser of that database",
	},
}
