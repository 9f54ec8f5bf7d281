package startup

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"meshdiag/profile"
)

// said makes messages of "text" or "text < call call" (functions called just before).
func said(lines ...string) []printed {
	var out []printed
	for _, l := range lines {
		text, calls, _ := strings.Cut(l, " < ")
		out = append(out, printed{texts: [][]string{{text}}, before: strings.Fields(calls)})
	}
	return out
}

func TestAlign(t *testing.T) {
	p := load(t, "mesh")
	plan := slices.IndexFunc(p.Startup, func(s profile.Sequence) bool { return s.ID == "plan" })
	phases := p.Startup[plan].Phases
	tests := []struct {
		name  string
		steps []printed
		want  []string // phase ids, "" none
	}{
		{"known words", said("[Mesher] Connecting to PostgreSQL...", "[Mesher] OrgService started"), []string{"connecting", "org-service"}},
		{"other order", said("[Mesher] Running in standalone mode (no distribution)", "[Mesher] Partitions created (7 days ahead)"), []string{"standalone", "partitions"}},
		{"one between two that are known", said("[Mesher] Connecting to PostgreSQL...", "[Mesher] Tables ready", "[Mesher] Running in standalone mode (no distribution)"),
			[]string{"connecting", "partitions", "standalone"}},
		{"by words", said("[Mesher] Connecting to PostgreSQL...", "[Mesher] started OrgService", "[Mesher] started UserService", "[Mesher] Foundation ready"),
			[]string{"connecting", "org-service", "user-service", "foundation-ready"}},
		{"by calls", said("[Mesher] Connecting to PostgreSQL...", "[Mesher] eins < __service_orgservice_start", "[Mesher] zwei < __service_userservice_start", "[Mesher] Foundation ready"),
			[]string{"connecting", "org-service", "user-service", "foundation-ready"}},
		{"new ones match nothing", said("[Mesher] Connecting to PostgreSQL...", "[Mesher] alpha", "[Mesher] beta", "[Mesher] Foundation ready"),
			[]string{"connecting", "", "", "foundation-ready"}},
		{"none", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, j := range align(tt.steps, phases) {
				id := ""
				if j >= 0 {
					id = phases[j].ID
				}
				got = append(got, id)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSplitFormat(t *testing.T) {
	tests := []struct {
		format string
		want   []string
	}{
		{"plain", []string{"plain"}},
		{"on %s, port %d", []string{"on ", ", port "}},
		{"%-10.3lf of %zu", []string{" of "}},
		{"100%% sure", []string{"100% sure"}},
		{"50% of it", []string{"50", "f it"}}, // "% o" is an octal conversion with a blank for the sign
		{"%", []string{"%"}},
		{"ends %", []string{"ends %"}},
		{"%s", nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, splitFormat(tt.format)); d != "" {
			t.Errorf("%q: %s", tt.format, d)
		}
	}
}

func TestMadeOf(t *testing.T) {
	tests := []struct {
		line   string
		pieces []string
		fits   bool
	}{
		{"listening on :80", []string{"listening on :"}, true},
		{"listening on a, port 80", []string{"listening on ", ", port "}, true},
		{"listening on a", []string{"listening on ", ", port "}, false},
		{"ok", []string{"ok"}, true},
		{"ok then", []string{"ok"}, false}, // too short to be the beginning of anything
		{"x", nil, false},
	}
	for _, tt := range tests {
		if got := madeOf(tt.line, tt.pieces) > 0; got != tt.fits {
			t.Errorf("%q of %q: %v", tt.line, tt.pieces, got)
		}
	}
}
