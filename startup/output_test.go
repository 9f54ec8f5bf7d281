package startup

import (
	"strings"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
)

const planLines = `[Mesher] Connecting to PostgreSQL...
[Mesher] Partitions created (7 days ahead)
[Mesher] Running in standalone mode (no distribution)
[Mesher] OrgService started
[Mesher] ProjectService started
[Mesher] UserService started
[Mesher] Foundation ready
[Mesher] WebSocket server starting on :8081
[Mesher] HTTP server starting on :8080`

const currentLines = `[Mesher] Connecting to PostgreSQL...
[Mesher] Running in standalone mode (no distribution)
[Mesher] Partitions created (7 days ahead)
[Mesher] OrgService started
[Mesher] ProjectService started
[Mesher] UserService started
[Mesher] StreamManager started
[Mesher] StreamManager drain ticker started (250ms interval)
[Mesher] RateLimiter started (60s window, 1000 max)
[Mesher] EventProcessor started
[Mesher] StorageWriter started (default project)
[Mesher] Running in standalone mode (skipping global registration)
[Mesher] PipelineRegistry started and registered
[Mesher] Health checker started (10s interval)
[Mesher] Spike checker started (5 min interval)
[Mesher] Alert evaluator started (30s interval)
[Mesher] Retention cleaner started (24h interval)
[Mesher] Load monitor started (5s interval, threshold: 100 events)
[Mesher] Foundation ready
[Mesher] WebSocket server starting on :8081
2>[mesh-rt] WebSocket server listening on 0.0.0.0:8081
[Mesher] HTTP server starting on :8080
2>[mesh-rt] HTTP server listening on 0.0.0.0:8080`

func head(text string, n int) []string { return strings.Split(text, "\n")[:n] }

func without(lines []string, part string) []string {
	var out []string
	for _, l := range lines {
		if !strings.Contains(l, part) {
			out = append(out, l)
		}
	}
	return out
}

func observed(lines ...string) *crash.Crash {
	c := &crash.Crash{Memory: crash.NoMemory{}, Focus: -1, Output: crash.Output{Observed: true}}
	printing(c, lines...)
	return c
}

// The phase by output alone: the binary is stripped or not there.
func TestPhaseByOutput(t *testing.T) {
	swapped := head(currentLines, 23)
	swapped[20], swapped[21] = swapped[21], swapped[20] // the listening line of another thread comes late
	reordered := head(currentLines, 7)
	reordered[4], reordered[5] = reordered[5], reordered[4]
	tests := []struct {
		name, known, last string
		lines             []string
		index, of         int
		done              bool
	}{
		{"nothing printed", "current", "", nil, -1, 23, false},
		{"plan, complete", "plan", "http", head(planLines, 9), 9, 11, true},
		{"plan, listening", "plan", "http-listening", append(head(planLines, 9), "2>[mesh-rt] HTTP server listening on 0.0.0.0:8080"), 10, 11, true},
		{"plan, two lines tell it from the other", "plan", "partitions", head(planLines, 2), 1, 11, false},
		{"plan, up to services", "plan", "org-service", head(planLines, 4), 3, 11, false},
		{"one line fits both", "current", "connecting", head(currentLines, 1), 0, 23, false},
		{"current, two lines", "current", "standalone", head(currentLines, 2), 1, 23, false},
		{"current, complete", "current", "http-listening", head(currentLines, 23), 22, 23, true},
		{"current, not listening yet", "current", "http", head(currentLines, 22), 21, 23, false},
		{"current, listening line late", "current", "http-listening", swapped, 22, 23, true},
		{"missing optional line", "current", "pipeline-registry", without(head(currentLines, 13), "skipping"), 12, 23, false},
		{"missing line", "current", "rate-limiter", without(head(currentLines, 9), "UserService"), 8, 23, false},
		{"other order than in the table", "current", "stream-manager", reordered, 6, 23, false},
		{"last printed line, other order", "current", "project-service", reordered[:6], 5, 23, false},
		{"details differ", "current", "websocket", append(head(currentLines, 19), "[Mesher] WebSocket server starting on :9999"), 19, 23, false},
		{"distributed", "current", "partitions", []string{"[Mesher] Connecting to PostgreSQL...", "[Mesher] Node started: a@b", "[Mesher] Partition error: x"}, 2, 23, false},
		{"coloured", "plan", "partitions", []string{"\x1b[32m[Mesher] Connecting to PostgreSQL...\x1b[0m", "\x1b[32m[Mesher] Partitions created (7 days ahead)\x1b[0m"}, 1, 11, false},
		{"said twice", "plan", "partitions", append(head(planLines, 2), head(planLines, 1)...), 1, 11, false},
		{"on the wrong stream", "current", "", []string{"2>[Mesher] Connecting to PostgreSQL..."}, -1, 23, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := observed(tt.lines...)
			got, _ := Read(c, nil, load(t, "mesh"), nil)
			last := ""
			if got.Last >= 0 {
				last = got.Steps[got.Last].ID
			}
			if got.Known != tt.known || last != tt.last || got.Last != tt.index || len(got.Steps) != tt.of || got.Done != tt.done {
				t.Errorf("%s: %q, step %d of %d, done %v; want %s: %q, %d of %d, %v\n%s", got.Known, last, got.Last, len(got.Steps), got.Done,
					tt.known, tt.last, tt.index, tt.of, tt.done, ids(got))
			}
			if got.Source != "profile" || got.From != "output" || got.Why == "" {
				t.Errorf("source %q from %q: %s", got.Source, got.From, got.Why)
			}
		})
	}
}

func TestStepTimes(t *testing.T) {
	got, _ := Read(observed(head(planLines, 3)...), nil, load(t, "mesh"), nil)
	if s := got.Steps[2]; !s.Seen || s.At != 20*time.Millisecond || got.Steps[3].Seen {
		t.Errorf("%+v", got.Steps[:4])
	}
}

// One channel for both streams: which is which is not known, and every rule may apply.
func TestOneChannel(t *testing.T) {
	c := observed(head(currentLines, 20)...)
	c.Output.Lines = append(c.Output.Lines, crash.OutputLine{Text: "[mesh-rt] WebSocket server listening on 0.0.0.0:8081"})
	for i := range c.Output.Lines {
		c.Output.Lines[i].Stream = crash.UnknownStream
	}
	got, _ := Read(c, nil, load(t, "mesh"), nil)
	if got.Last != 20 || got.Steps[20].ID != "websocket-listening" {
		t.Errorf("step %d", got.Last)
	}
}

func TestUnnamedLines(t *testing.T) {
	lines := head(planLines, 1)
	lines = append(lines, "", "hello", "[Mesher] Load monitor: 3 events", "2>thread 'x' panicked at a.rs:1:2:", "2>my own words", "2>stack backtrace:", "2>   0: f")
	for range 40 {
		lines = append(lines, "more")
	}
	got, _ := Read(observed(lines...), nil, load(t, "mesh"), nil)
	if len(got.Unnamed) != maxUnnamed || got.Unnamed[0].Text != "hello" || got.Unnamed[1].Text != "more" {
		t.Errorf("%d unnamed: %v", len(got.Unnamed), got.Unnamed[:2])
	}
}

// A flood of failures keeps the first and the last ones.
func TestManyMessages(t *testing.T) {
	var lines []string
	for range 3 * maxMessages {
		lines = append(lines, "2>free(): invalid pointer")
	}
	lines = append(lines, "2>double free or corruption (out)")
	_, msgs := Read(observed(lines...), nil, nil, nil)
	if len(msgs) > maxMessages || msgs[0].Index != 0 || msgs[len(msgs)-1].Index != 3*maxMessages {
		t.Errorf("%d messages, the last of line %d", len(msgs), msgs[len(msgs)-1].Index)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(currentLines)
	f.Add("2>thread 'a' (1) panicked at x.rs:1:2:\n2>Mesh panic at m.mesh:3: boom\n2>thread caused non-unwinding panic. aborting.")
	f.Add("2>thread 'a' panicked at 'x\n2>  left: 1\n2> right: 2', a.rs:1:2\n2>[mesh-rt] HTTP handler panicked: x")
	f.Add("2>terminate called after throwing an instance of 'T'\n2>  what():  w\n2>memory allocation of 8031924123371070824 bytes failed")
	mesh := load(f, "mesh")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		c := observed(lines[:min(len(lines), 400)]...)
		for _, p := range []*profile.Profile{nil, mesh} {
			got, msgs := Read(c, nil, p, nil)
			if got.Last >= len(got.Steps) || got.Last < -1 {
				t.Fatalf("step %d of %d", got.Last, len(got.Steps))
			}
			for i := 1; i < len(msgs); i++ {
				if msgs[i].Index < msgs[i-1].Index {
					t.Fatal("messages are not in the order of the lines")
				}
			}
			for _, pt := range Panics(msgs) {
				if strings.ContainsFunc(pt.Message, func(r rune) bool { return r < ' ' && r != '\t' }) {
					t.Fatalf("control characters in %q", pt.Message)
				}
			}
		}
	})
}
