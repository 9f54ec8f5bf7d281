package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Check runs a fault bare in a variant and returns what in the run contradicts its label; nil means that the label is true as
// far as an end can tell: exit status or signal, last start-up message, hang or not.
func Check(ctx context.Context, fault Fault, v Variant, pg *Postgres) ([]string, Result, error) {
	s, err := NewScenario(ctx, fault, v, pg)
	if err != nil {
		return nil, Result{}, err
	}
	defer s.Cleanup()
	r, err := Run(ctx, s, nil)
	if err != nil {
		return nil, r, err
	}
	return s.Label.contradictions(r), r, nil
}

func (l Label) contradictions(r Result) []string {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if hung := l.Outcome == "hung"; r.TimedOut != hung {
		add("hung: %v, the label says %v", r.TimedOut, hung)
	} else if !hung {
		signals := append([]string{l.Signal}, l.SignalAlso...)
		if !slices.Contains(signals, r.Signal) {
			add("signal %q, the label says %q", r.Signal, signals)
		}
		if r.Signal == "" && r.Exit != l.Exit {
			add("exit status %d, the label says %d", r.Exit, l.Exit)
		}
	}
	if l.LastMessage != "" {
		if last := lastMessage(r); !strings.HasPrefix(last, l.LastMessage) {
			add("last message %q, the label says %q", last, l.LastMessage)
		}
	}
	return wrong
}

// lastMessage is the last start-up message that a run printed; the server messages on stderr come behind those on stdout
// that announce them.
func lastMessage(r Result) string {
	last := ""
	for line := range strings.Lines(r.Stdout) {
		if line = strings.TrimSuffix(line, "\n"); isStartup(line) {
			last = line
		}
	}
	follow := map[string]string{
		"[Mesher] WebSocket server starting": "[mesh-rt] WebSocket server listening",
		"[Mesher] HTTP server starting":      "[mesh-rt] HTTP server listening",
	}
	for announced, listening := range follow {
		if !strings.HasPrefix(last, announced) {
			continue
		}
		for line := range strings.Lines(r.Stderr) {
			if strings.HasPrefix(line, listening) {
				last = strings.TrimSuffix(line, "\n")
			}
		}
	}
	return last
}

// isStartup tells start-up messages from what the program says later, or of an error.
func isStartup(line string) bool {
	if !strings.HasPrefix(line, "[Mesher] ") {
		return false
	}
	for _, other := range []string{"Load monitor:", "Health check:", "Alert evaluator:", "Partition error", "Schema check failed", "Failed"} {
		if strings.HasPrefix(line, "[Mesher] "+other) {
			return false
		}
	}
	return true
}
