package lab

import (
	"regexp"
	"strings"
	"testing"

	"meshdiag/lab/mesher"
)

// all returns the catalogue; a broken one fails the test.
func all(t *testing.T) []Fault {
	t.Helper()
	faults, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestCatalogueIsLargeEnough(t *testing.T) {
	signals, onActors := 0, 0
	for _, f := range all(t) {
		if f.Label.DiesBySignal() {
			signals++
			if f.Label.OnActor() {
				onActors++
			}
		}
	}
	if n := len(all(t)); n < 44 || signals < 25 || onActors < 12 {
		t.Errorf("%d faults, %d deaths by signal, %d on actors; want at least 44, 25, 12", n, signals, onActors)
	}
}

// unreachable are the causes of the contract that no fault here has, each with the reason.
var unreachable = map[string]string{
	"missing-extern/link":      "the program would not exist",
	"database/other":           "stands for what the others do not name",
	"port-in-use/other":        "the program opens two ports",
	"panic/assertion":          "Mesh has no assertions",
	"panic/uncaught-exception": "Mesh has no exceptions",
	"panic/abort":              "nothing in Mesh calls abort by itself",
	"hang/abandoned-lock":      "the runtime is Rust: a lock is given back when its holder ends",
	"hang/slow":                "a program that only takes long has no fault",
	"hang/no-progress":         "what is left when the others do not apply",
	"truncated-mapping":        "nothing in the runtime maps files",
	"stale-artifact":           "an accepted answer of the faults that have a stale archive",
	"unknown":                  "every fault has a cause",
}

func TestEveryCauseOfTheContractIsProduced(t *testing.T) {
	produced := map[string]bool{}
	for _, f := range all(t) {
		produced[f.Label.Cause] = true
	}
	for id, kinds := range Causes {
		causes := []string{id}
		if len(kinds) > 0 {
			causes = nil
			for _, kind := range kinds {
				causes = append(causes, id+"/"+kind)
			}
		}
		for _, cause := range causes {
			if _, excused := unreachable[cause]; produced[cause] == excused {
				t.Errorf("cause %s: produced %v, excused %v", cause, produced[cause], excused)
			}
		}
	}
}

func TestEveryFaultChangesTheProgram(t *testing.T) {
	for _, f := range all(t) {
		v, err := f.variant(Variant{})
		if err != nil {
			t.Fatal(err)
		}
		sound, err := mesher.Generate(mesher.Sequence(v.Sequence), "mesh", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		broken, err := mesher.Generate(mesher.Sequence(v.Sequence), "mesh", f.Edits, f.Additions)
		if err != nil {
			t.Errorf("%s: %v", f.ID, err)
			continue
		}
		elsewhere := len(f.Features) > 0 || f.World.Database != "" || f.World.SQL != "" || len(f.World.Hold) > 0 || !f.Trigger.idle()
		if broken == sound && !elsewhere {
			t.Errorf("%s changes neither the program nor the world", f.ID)
		}
	}
}

var (
	defined = regexp.MustCompile(`(?m)^(?:define [^@]*)?@([\w.]+)`)
	telling = regexp.MustCompile(`(?i)crash|fault|segv|bug|broken|smash|overrun|overflow|corrupt|leak`)
)

// Names must not give the answer away: a diagnosis that reads them would look better than it is.
func TestNamesAreInnocent(t *testing.T) {
	for _, f := range all(t) {
		v, _ := f.variant(Variant{})
		ir, err := mesher.Generate(mesher.Sequence(v.Sequence), "mesh", f.Edits, f.Additions)
		if err != nil {
			continue // TestEveryFaultChangesTheProgram says it
		}
		for _, symbol := range defined.FindAllStringSubmatch(ir, -1) {
			if telling.MatchString(symbol[1]) {
				t.Errorf("%s: the name %s tells what is wrong", f.ID, symbol[1])
			}
		}
	}
}

func TestBrokenCataloguesAreRefused(t *testing.T) {
	const head = "[[fault]]\nid = \"a\"\ntitle = \"t\"\nhow = \"h\"\n"
	const label = "[fault.label]\noutcome = \"crashed\"\nphase = [\"launch\"]\ncause = \"wild-pointer\"\ntruth = \"t\"\n"
	cases := []struct{ name, text, want string }{
		{"sound", head + label, ""},
		{"twice", head + label + head + label, "stands twice"},
		{"unknown field", head + "colour = \"red\"\n" + label, "unknown field"},
		{"no mechanism", "[[fault]]\nid = \"a\"\ntitle = \"t\"\n" + label, "how are needed"},
		{"unknown outcome", head + strings.Replace(label, "crashed", "sad", 1), "outcome \"sad\""},
		{"unknown cause", head + strings.Replace(label, "wild-pointer", "gremlins", 1), "not in the report contract"},
		{"unknown kind", head + strings.Replace(label, "wild-pointer", "hang/nap", 1), "has no kind"},
		{"unknown phase", head + strings.Replace(label, "launch", "lunch", 1), "phase \"lunch\""},
		{"unknown role", head + label + "role = \"extra\"\n", "role \"extra\""},
		{"no truth", head + strings.Replace(label, "truth = \"t\"", "", 1), "truth is needed"},
		{"skip without reason", head + "skip = [{ opt = \"O2\" }]\n" + label, "needs a reason"},
		{"bad override", head + "override = [{ opt = \"O2\", label = { outcome = \"sad\" } }]\n" + label, "O2 release: outcome"},
		{"unknown world", head + "world.database = \"haunted\"\n" + label, "state \"haunted\""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseCatalogue([]byte(c.text))
			if got := errorText(err); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("error %q, want one with %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOverridesReplaceFieldByField(t *testing.T) {
	f := Fault{
		Label: Label{Outcome: "crashed", Signal: "SIGSEGV", Blame: []string{"f_{1..3}"}, Truth: "t"},
		Overrides: []Override{
			{Runtime: "debug", Label: Label{Outcome: "panicked", Signal: "SIGABRT"}},
			{Opt: "O2", Label: Label{Blame: []string{"g"}}},
		},
	}
	cases := []struct{ opt, runtime, outcome, blame string }{
		{"O0", "release", "crashed", "f_1 f_2 f_3"},
		{"O0", "debug", "panicked", "f_1 f_2 f_3"},
		{"O2", "debug", "panicked", "g"},
	}
	for _, c := range cases {
		got := f.Expect(Variant{Opt: c.opt, Runtime: c.runtime})
		if got.Outcome != c.outcome || strings.Join(got.Blame, " ") != c.blame || got.Truth != "t" {
			t.Errorf("%s %s: %+v", c.opt, c.runtime, got)
		}
	}
}
