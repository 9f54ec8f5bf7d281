package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSureness(t *testing.T) {
	tests := []struct {
		confidence float64
		want       string
	}{
		{1, "almost certain, 100 %"}, {0.999, "almost certain, 99 %"}, {0.95, "almost certain, 95 %"}, {0.949, "likely, 95 %"}, {0.7, "likely, 70 %"},
		{0.699, "possible, 70 %"}, {0.4, "possible, 40 %"}, {0.39, "unlikely, 39 %"}, {0.001, "unlikely, 1 %"}, {0, "unlikely, 0 %"},
	}
	for _, tt := range tests {
		if got := sureness(Cause{ID: "hang", Confidence: tt.confidence}); got != tt.want {
			t.Errorf("%g is %q, want %q", tt.confidence, got, tt.want)
		}
	}
	if got := sureness(Cause{ID: "unknown", Confidence: 0.9}); got != "" {
		t.Errorf("unknown is %q sure", got)
	}
}

func TestHeadline(t *testing.T) {
	segv := &Signal{Name: "SIGSEGV"}
	one, zero := 1, 0
	tests := []struct {
		name string
		r    Report
		want string
	}{
		{"signal", Report{Outcome: Outcome{Kind: "crashed", Signal: segv}, Causes: []Cause{{ID: "wild-pointer", Title: "garbage", Confidence: 0.5}}},
			"SIGSEGV: garbage — possible, 50 %"},
		{"the title has the label already", Report{Outcome: Outcome{Kind: "crashed", Signal: segv}, Causes: []Cause{{ID: "wild-pointer", Title: "SIGSEGV in x", Confidence: 0.5}}},
			"SIGSEGV in x — possible, 50 %"},
		{"the title tells the outcome", Report{Outcome: Outcome{Kind: "hung"}, Causes: []Cause{{ID: "hang", Title: "It hangs: x", Confidence: 0.5}}},
			"It hangs: x — possible, 50 %"},
		{"the title does not tell the outcome", Report{Outcome: Outcome{Kind: "hung"}, Causes: []Cause{{ID: "hang", Title: "deadlock", Confidence: 0.5}}},
			"hung: deadlock — possible, 50 %"},
		{"unknown claims nothing", Report{Outcome: Outcome{Kind: "crashed", Signal: segv}, Causes: []Cause{{ID: "unknown", Title: "two ideas", Confidence: 0.5}}},
			"SIGSEGV: cause unknown: two ideas"},
		{"no cause", Report{Outcome: Outcome{Kind: "crashed", Signal: segv}}, "SIGSEGV: cause unknown"},
		{"exit", Report{Outcome: Outcome{Kind: "exited", ExitCode: &one}, Causes: []Cause{{ID: "exit-failure", Title: "it gave up", Confidence: 0.8}}},
			"exit status 1: it gave up — likely, 80 %"},
		{"killed", Report{Outcome: Outcome{Kind: "killed", Signal: &Signal{Name: "SIGKILL"}}}, "killed by SIGKILL: cause unknown"},
		{"healthy", Report{Target: Target{Path: "/bin/true"}, Outcome: Outcome{Kind: "healthy", ExitCode: &zero}}, "true ended without a fault (exit status 0)"},
		{"a snapshot", Report{Target: Target{Path: "/bin/true", Source: "core"}, Outcome: Outcome{Kind: "healthy"}}, "true was alive when its core was made: no fault in it"},
		{"ended by the user", Report{Target: Target{Path: "/bin/srv"}, Outcome: Outcome{Kind: "healthy", Signal: &Signal{Name: "SIGINT"}}}, "srv ended without a fault (ended by SIGINT)"},
		{"launch", Report{Target: Target{Path: "./x"}, Outcome: Outcome{Kind: "launch-failed"}}, "x cannot be launched: The reason is not known."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := headline(&tt.r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	tests := []struct{ name, stack, want string }{
		{"program frames stay", "a:other b:mesh", "a b"},
		{"internals go", "a:other s:std t:std l:libc b:other", "a [… 2 std, 1 libc frames] b"},
		{"one frame", "a:other l:libc", "a [… 1 libc frame]"},
		{"the innermost stays", "l:libc m:libc a:other", "l [… 1 libc frame] a"},
		{"but not below a marked operation", "l:libc m:libc a:other=operation", "[… 2 libc frames] a"},
		{"marks stay", "a:other s:std=suspect t:std b:other", "a s [… 1 std frame] b"},
		{"the boundary to the runtime stays", "x:runtime y:runtime z:runtime a:mesh q:runtime", "x [… 1 runtime frame] z a [… 1 runtime frame]"},
		{"recursion", "a:other r:other r:other r:other r:other m:other", "a r [… the frame above 3 more times] m"},
		{"mutual recursion", "e:other r:other o:other r:other o:other r:other o:other m:other", "e r o [… the 2 frames above 2 more times] m"},
		{"twice is no recursion", "r:other r:other m:other", "r r m"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range fold(framesOf(tt.stack)) {
				if e.frame == nil {
					got = append(got, "["+e.note+"]")
				} else {
					got = append(got, *e.frame.Symbol)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestFoldTail(t *testing.T) {
	lines := func(texts ...string) []OutputLine {
		var out []OutputLine
		for _, s := range texts {
			out = append(out, OutputLine{Text: s})
		}
		return out
	}
	tests := []struct {
		name     string
		in, want []OutputLine
	}{
		{"a backtrace", lines("panicked at x", "stack backtrace:", "   0:     0x55a67f - rust_begin", "      at /rustc/a.rs:5:1", "   1: main", "aborting"),
			lines("panicked at x", "… 4 lines of its own backtrace", "aborting")},
		{"two lines stay", lines("a", "1: one", "2: two", "b"), lines("a", "1: one", "2: two", "b")},
		{"words stay", lines("at noon: we eat", "at five", "at six"), lines("at noon: we eat", "at five", "at six")},
		{"times stay", lines("12:01:02 a", "12:01:03 b", "12:01:04 c"), lines("12:01:02 a", "12:01:03 b", "12:01:04 c")},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, foldTail(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// framesOf reads frames written as name:kind or name:kind=mark.
func framesOf(stack string) []Frame {
	var frames []Frame
	for i, word := range strings.Fields(stack) {
		name, kind, _ := strings.Cut(word, ":")
		kind, mark, marked := strings.Cut(kind, "=")
		f := Frame{Index: i, Symbol: &name, Kind: kind}
		if marked {
			f.Mark = &mark
		}
		frames = append(frames, f)
	}
	return frames
}

func TestLaunchWords(t *testing.T) {
	detail := "There is no file x."
	unknown := []Cause{{ID: "unknown", Title: "not launched", Summary: "it could not be started: There is no file x."}}
	missing := []Cause{{ID: "missing-extern", Title: "a library is missing", Summary: "The loader is not installed."}}
	tests := []struct {
		name string
		r    Report
		want string
	}{
		{"the reason alone", Report{Outcome: Outcome{Detail: &detail}}, detail},
		{"unknown adds nothing", Report{Outcome: Outcome{Detail: &detail}, Causes: unknown}, detail},
		{"a cause adds its summary", Report{Outcome: Outcome{Detail: &detail}, Causes: missing}, detail + " The loader is not installed."},
		{"no reason", Report{Causes: missing}, "The loader is not installed."},
		{"nothing at all", Report{}, "The reason is not known."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := launchWords(&tt.r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
