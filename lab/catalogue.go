package lab

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"meshdiag/lab/mesher"
)

// faultData is the catalogue: every fault with its mechanism and its label.
//
//go:embed faults.toml
var faultData []byte

// Fault is one way to break the sound program, with the truth about it.
type Fault struct {
	ID    string `toml:"id"`
	Title string `toml:"title"`
	How   string `toml:"how"` // the mechanism, in a sentence or two

	// What is changed.
	Sequence  string            `toml:"sequence"`   // start-up sequence that the fault needs; empty: the variant's
	Edits     []mesher.Edit     `toml:"edit"`       // changes to the IR
	Additions []mesher.Addition `toml:"add"`        // IR put behind the program
	Features  []string          `toml:"features"`   // of the runtime's build
	LinkFlags []string          `toml:"link_flags"` // extra arguments of the linking cc
	Shared    bool              `toml:"shared"`     // link against the runtime as a shared object
	World     World             `toml:"world"`      // what is wrong outside the program

	// What sets it off once the program runs, and the truth.
	Trigger Trigger `toml:"trigger"`
	Label   Label   `toml:"label"`

	Overrides []Override `toml:"override"` // where variants truthfully differ; the last match wins, field by field
	Skips     []Skip     `toml:"skip"`     // variants in which the mechanism does not exist, with the reason
}

// Trigger is what the driver does once the start-up is through. All empty: the fault needs nothing.
type Trigger struct {
	HTTP     []string `toml:"http"`      // requests "GET /path" or "POST /path BODY", one after the other
	WS       []string `toml:"ws"`        // one message each, on connections of its own
	Together bool     `toml:"together"`  // WebSocket connections stay open until the end; otherwise each is closed before the next
	EndAfter string   `toml:"end_after"` // the program lives: end it with this signal ("SIGTERM", "SIGKILL")
	LimitMiB int64    `toml:"limit_mib"` // before triggering: limit the address space to what it is plus this
	WaitFor  string   `toml:"wait_for"`  // text to wait for instead of the HTTP port
	HangUp   bool     `toml:"hang_up"`   // the reader of the program's output goes away before the requests
}

// Label is the ground truth.
type Label struct {
	Outcome     string   `toml:"outcome"`      // kind of the report contract
	OutcomeAlso []string `toml:"outcome_also"` // other kinds that are equally true
	Signal      string   `toml:"signal"`       // signal that ends the process, "SIGSEGV"
	SignalAlso  []string `toml:"signal_also"`  // signals that the same mechanism may end in, where chance decides
	Exit        int      `toml:"exit"`         // exit status when no signal ends it
	Phase       []string `toml:"phase"`        // acceptable phase ids, the usual one first; "launch" before the first message
	LastMessage string   `toml:"last_message"` // last start-up message before the end, without the port; empty before the first
	Role        string   `toml:"role"`         // of the thread that dies, or that hangs
	Actor       string   `toml:"actor"`        // service or actor on it
	Cause       string   `toml:"cause"`        // "id" or "id/kind"
	Accept      []string `toml:"accept"`       // other answers that count as right, as "id" or "id/kind"
	Blame       []string `toml:"blame"`        // symbols, each of which is a right answer, "rule_{0..9}" stands for ten; empty: nobody's code is to blame
	Extern      string   `toml:"extern"`       // the runtime function at the boundary, if one is involved
	Truth       string   `toml:"truth"`        // what really happens, in one sentence
}

// Override replaces label fields in the variants that match; empty selectors match all.
type Override struct {
	Opt     string `toml:"opt"`
	Runtime string `toml:"runtime"`
	Label   Label  `toml:"label"`
}

// Skip takes a fault out of some variants.
type Skip struct {
	Opt     string `toml:"opt"`
	Runtime string `toml:"runtime"`
	Reason  string `toml:"reason"`
}

// Catalogue returns all faults, in the order of the file. An edit of the file that breaks a rule is an error here.
func Catalogue() ([]Fault, error) { return parseCatalogue(faultData) }

func parseCatalogue(data []byte) ([]Fault, error) {
	var file struct {
		Faults []Fault `toml:"fault"`
	}
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		if strict, ok := err.(*toml.StrictMissingError); ok {
			return nil, fmt.Errorf("faults.toml: unknown field\n%s", strict.String())
		}
		return nil, fmt.Errorf("faults.toml: %w", err)
	}
	seen := map[string]bool{}
	for _, f := range file.Faults {
		if seen[f.ID] {
			return nil, fmt.Errorf("faults.toml: fault %s stands twice", f.ID)
		}
		seen[f.ID] = true
		if err := f.validate(); err != nil {
			return nil, fmt.Errorf("faults.toml: fault %s: %w", f.ID, err)
		}
	}
	return file.Faults, nil
}

// Find returns the fault of an id.
func Find(id string) (Fault, error) {
	faults, err := Catalogue()
	if err != nil {
		return Fault{}, err
	}
	for _, f := range faults {
		if f.ID == id {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("no fault %q in the catalogue (`lab list` prints all)", id)
}

// variant completes a variant for the fault, which may need a sequence of its own.
func (f Fault) variant(v Variant) (Variant, error) {
	if f.Sequence != "" {
		v.Sequence = f.Sequence
	}
	return v.Complete()
}

// Skipped says why the fault does not exist in a variant; empty when it does.
func (f Fault) Skipped(v Variant) string {
	for _, s := range f.Skips {
		if selects(s.Opt, s.Runtime, v) {
			return s.Reason
		}
	}
	return ""
}

// Expect is the label in a variant.
func (f Fault) Expect(v Variant) Label {
	label := f.Label
	for _, o := range f.Overrides {
		if selects(o.Opt, o.Runtime, v) {
			label = label.with(o.Label)
		}
	}
	var symbols []string
	for _, b := range label.Blame {
		symbols = append(symbols, numbered(b)...)
	}
	label.Blame = symbols
	return label
}

// numbered writes "rule_{0..2}" out as rule_0, rule_1, rule_2.
func numbered(symbol string) []string {
	before, rest, ok := strings.Cut(symbol, "{")
	limits, after, _ := strings.Cut(rest, "}")
	var from, to int
	if !ok {
		return []string{symbol}
	}
	if _, err := fmt.Sscanf(limits, "%d..%d", &from, &to); err != nil {
		return []string{symbol}
	}
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("%s%d%s", before, i, after))
	}
	return all
}

func selects(opt, runtime string, v Variant) bool {
	return (opt == "" || opt == v.Opt) && (runtime == "" || runtime == v.Runtime)
}

// with returns the label with the fields that o sets.
func (l Label) with(o Label) Label {
	texts := []struct{ to, from *string }{
		{&l.Outcome, &o.Outcome}, {&l.Signal, &o.Signal}, {&l.LastMessage, &o.LastMessage}, {&l.Role, &o.Role},
		{&l.Actor, &o.Actor}, {&l.Cause, &o.Cause}, {&l.Extern, &o.Extern}, {&l.Truth, &o.Truth},
	}
	for _, t := range texts {
		if *t.from != "" {
			*t.to = *t.from
		}
	}
	lists := []struct{ to, from *[]string }{
		{&l.OutcomeAlso, &o.OutcomeAlso}, {&l.SignalAlso, &o.SignalAlso}, {&l.Phase, &o.Phase}, {&l.Accept, &o.Accept}, {&l.Blame, &o.Blame},
	}
	for _, t := range lists {
		if *t.from != nil {
			*t.to = *t.from
		}
	}
	if o.Exit != 0 {
		l.Exit = o.Exit
	}
	return l
}

// Kind splits a cause into id and kind.
func Kind(cause string) (id, kind string) {
	id, kind, _ = strings.Cut(cause, "/")
	return id, kind
}
