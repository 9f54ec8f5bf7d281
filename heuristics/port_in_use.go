package heuristics

import (
	"meshdiag/startup"
)

var portInUse = Heuristic{Doc: docPort, Run: runPort}

func runPort(c *Case) Finding {
	describe := func(h *Hypothesis, text string) {
		what := map[string]string{kindHTTP: "the HTTP server", kindWebSocket: "the WebSocket server"}[h.Kind]
		h.Title = "The port of " + or(what, "a server") + " is already in use"
		h.Summary = upper(text) + ". Another process holds the port, often an older instance of the same program."
		h.next("find the holder: ss -ltnp", "end it, or give this program another port")
		c.blameSpeaker(h)
	}
	hs := c.spoken(idPort, func(h *Hypothesis, m *startup.Message) { describe(h, or(m.Text, m.Line.Text)) })
	hs = c.probed(idPort, hs, describe)
	return finding(hs...)
}

var docPort = Doc{
	ID:    idPort,
	Title: "A port that the program wants is taken",
	Kinds: map[string]string{
		kindHTTP:      "the port of its HTTP server",
		kindWebSocket: "the port of its WebSocket server",
		kindOther:     "another port",
	},
	Text: `Another process listens there already, often an older instance of the same program. Some servers print that and live on, deaf:
they look well and answer nothing, until a watchdog or the user ends them.

Example: "Failed to start HTTP server on 0.0.0.0:8080: Address already in use (os error 98)".`,
	For:            []string{"the target's own words", "a check of who holds the port, where one was made"},
	Against:        []string{"the process died of a fault"},
	FalsePositives: []string{"a client that runs out of local ports gets the same error number"},
	Fix:            []string{"ss -ltnp shows who holds the port", "end the old instance, or choose another port"},
}
