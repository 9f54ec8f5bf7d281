package heuristics

import (
	"slices"
	"strings"

	"meshdiag/startup"
)

var portInUse = Heuristic{Doc: docPort, Run: runPort}

func runPort(c *Case) Finding {
	describe := func(h *Hypothesis, text string) {
		what := map[string]string{kindHTTP: "the HTTP server", kindWebSocket: "the WebSocket server"}[h.Kind]
		if c.portDenied() {
			h.Title = "The program may not take the port of " + or(what, "a server")
			h.Summary = upper(text) + ". Ports of low numbers are for privileged users, so this one is not in use: it is not allowed."
		} else {
			h.Title = "The port of " + or(what, "a server") + " is already in use"
			h.Summary = upper(text) + ". Another process holds the port, often an older instance of the same program."
			h.next("find the holder: ss -ltnp", "end it, or give this program another port")
		}
		c.blameSpeaker(h)
	}
	hs := c.spoken(idPort, func(h *Hypothesis, m *startup.Message) { describe(h, or(m.Text, m.Line.Text)) })
	hs = c.probed(idPort, hs, describe)
	return finding(hs...)
}

// portDenied reports whether the target was refused a port by its rights, and not because somebody holds it.
func (c *Case) portDenied() bool {
	return slices.ContainsFunc(c.Messages, func(m startup.Message) bool { return m.Cause == idPort && strings.HasSuffix(m.Rule, "-denied") })
}

var docPort = Doc{
	ID:    idPort,
	Title: "A port that the program wants is taken, or not allowed",
	Kinds: map[string]string{
		kindHTTP:      "the port of its HTTP server",
		kindWebSocket: "the port of its WebSocket server",
		kindOther:     "another port",
	},
	Text: `Another process listens there already, often an older instance of the same program. Some servers print that and live on, deaf:
they look well and answer nothing, until a watchdog or the user ends them. A port below 1024 may be free and still be refused:
it takes a right that ordinary users do not have, and the words are then "Permission denied".

Example: "Failed to start HTTP server on 0.0.0.0:8080: Address already in use (os error 98)".`,
	For:            []string{"the target's own words", "a check of who holds the port, where one was made"},
	Against:        []string{"the process died of a fault"},
	FalsePositives: []string{"a client that runs out of local ports gets the same error number"},
	Fix:            []string{"ss -ltnp shows who holds the port", "end the old instance, or choose another port"},
}
