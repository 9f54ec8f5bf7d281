package diagnose

import (
	"strings"
	"testing"

	"meshdiag/lab"
	"meshdiag/lab/mesher"
	"meshdiag/report"
)

// quietly is the sound program but for one edit, in a world where no database listens.
func quietly(t *testing.T, e mesher.Edit, probes Probes) *report.Report {
	t.Helper()
	s, err := lab.NewScenario(t.Context(), lab.Fault{ID: "midway", Edits: []mesher.Edit{e}, World: lab.World{Database: lab.DatabaseNone}}, lab.Variant{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cleanup()
	t.Setenv("MESHER_DATABASE_URL", "postgres://mesh:mesh@127.0.0.1:1/mesher")
	return probed(t, RunOptions{Path: s.Path, Options: Options{Probes: probes}})
}

// TestStartUpThatStops ends the program between two start-up messages, with status 0 and without a word.
func TestStartUpThatStops(t *testing.T) {
	swallowed := mesher.Edit{In: "mesh_main", Find: "  call void @mesh_println(ptr %str.4)\n", With: ""}
	t.Run("the reason is swallowed, and the database does not answer", func(t *testing.T) {
		r := quietly(t, swallowed, Probes{})
		if r.Outcome.Kind != "exited" || len(r.Causes) == 0 || r.Causes[0].ID != "database" || str(r.Causes[0].Kind) != "unreachable" {
			t.Errorf("%+v %+v", r.Outcome, r.Causes)
		}
	})
	t.Run("nobody was asked", func(t *testing.T) {
		r := quietly(t, swallowed, Probes{Off: true})
		if r.Outcome.Kind != "exited" || len(r.Causes) == 0 || r.Causes[0].ID != "exit-failure" || str(r.Causes[0].Kind) != "start-up" || r.Causes[0].Confidence > 0.8 {
			t.Fatalf("%+v %+v", r.Outcome, r.Causes)
		}
		for _, say := range []string{`after "[Mesher] Connecting to PostgreSQL..."`, `before "[Mesher] `, "mesh_pool_open"} {
			if !strings.Contains(whole(r), say) {
				t.Errorf("it does not say %q:\n%s", say, whole(r))
			}
		}
	})
}
