package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestReadJSONErrors(t *testing.T) {
	valid := `{"schema":"meshdiag/report/v1"`
	tests := []struct{ name, in, want string }{
		{"empty", "", "empty"},
		{"blank", " \n", "empty"},
		{"text", "Segmentation fault", "not JSON: byte 1"},
		{"cut", `{"schema":"meshdiag/report/v1","causes":[`, "not JSON: byte 41"},
		{"more behind it", valid + "}}", "not JSON: byte 32"},
		{"an array", "[]", "a JSON array, not an object"},
		{"a string", `"x"`, "a JSON string, not an object"},
		{"other JSON", `{"a":1}`, `without a "schema" field`},
		{"null schema", `{"schema":null}`, `without a "schema" field`},
		{"schema of another type", `{"schema":7}`, `field "schema" holds a JSON number`},
		{"later version", `{"schema":"meshdiag/report/v2"}`, `schema is "meshdiag/report/v2", but this version of meshdiag reads "meshdiag/report/v1"`},
		{"hostile schema", `{"schema":"\u001b]0;x\u0007"}`, `schema is "\\x1b]0;x\\x07"`},
		{"wrong type deep inside", valid + `,"causes":[{"evidence":[{"weight":"much"}]}]}`, `field "causes.evidence.weight" holds a JSON string`},
		{"impossible confidence", valid + `,"causes":[{"confidence":1},{"confidence":1.5}]}`, "causes[1].confidence is 1.5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ReadJSON(strings.NewReader(tt.in))
			if err == nil || r != nil {
				t.Fatalf("got %v and error %v, want an error alone", r, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// endless is a reader that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestReadJSONBounded(t *testing.T) {
	in := new(endless)
	_, err := ReadJSON(in)
	if err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") {
		t.Errorf("error %v", err)
	}
	if in.read > maxReport+1<<20 {
		t.Errorf("%d bytes were read", in.read)
	}
}

func TestReadJSONIgnoresNewFields(t *testing.T) {
	r, err := ReadJSON(strings.NewReader(`{"schema":"meshdiag/report/v1","new":{"x":1},"causes":[{"id":"hang","more":[1]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Causes) != 1 || r.Causes[0].ID != "hang" {
		t.Errorf("causes %+v", r.Causes)
	}
}

// TestEmptyReport checks the contract's rule on emptiness: every field is there, lists are [] and unknown is null.
func TestEmptyReport(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSON(&out, &Report{}); err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"provenance", "causes", "ruled_out", "threads", "checks", "warnings"} {
		if string(m[list]) != "[]" {
			t.Errorf("%s is %s", list, m[list])
		}
	}
	for _, unknown := range []string{"thread", "fault"} {
		if string(m[unknown]) != "null" {
			t.Errorf("%s is %s", unknown, m[unknown])
		}
	}
}

func TestScrubLeavesItsInputAlone(t *testing.T) {
	for _, name := range []string{"hostile", "nullkey"} {
		r, before := readGolden(t, name), readGolden(t, name)
		out := Scrub(r)
		if !reflect.DeepEqual(r, before) {
			t.Errorf("%s was changed", name)
		}
		if out.Fault == r.Fault || &out.Causes[0] == &r.Causes[0] {
			t.Errorf("%s: the copy shares memory", name)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("file:///report.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("file:///report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaAcceptsReports validates everything that WriteJSON makes of the golden reports, the hostile one included.
func TestSchemaAcceptsReports(t *testing.T) {
	schema := compileSchema(t)
	for _, file := range goldenFiles(t, "*.json") {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".json")
		t.Run(name, func(t *testing.T) {
			if err := schema.Validate(asJSON(t, readGolden(t, name))); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func asJSON(t *testing.T, r *Report) any {
	t.Helper()
	var out bytes.Buffer
	if err := WriteJSON(&out, r); err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(&out)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSchemaRefuses checks that the schema says something: each change breaks one promise of the contract.
func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	at := func(v any, path ...any) any {
		for _, p := range path {
			switch p := p.(type) {
			case string:
				v = v.(map[string]any)[p]
			case int:
				v = v.([]any)[p]
			}
		}
		return v
	}
	tests := map[string]func(v any){
		"a field is missing":      func(v any) { delete(at(v).(map[string]any), "warnings") },
		"a list is null":          func(v any) { at(v).(map[string]any)["causes"] = nil },
		"an address is a number":  func(v any) { at(v, "fault").(map[string]any)["address"] = 16 },
		"an address in capitals":  func(v any) { at(v, "fault").(map[string]any)["address"] = "0xDEAD" },
		"an unknown outcome":      func(v any) { at(v, "outcome").(map[string]any)["kind"] = "sad" },
		"confidence above 1":      func(v any) { at(v, "causes", 0).(map[string]any)["confidence"] = 1.2 },
		"a frame without trust":   func(v any) { delete(at(v, "threads", 0, "frames", 0).(map[string]any), "trust") },
		"another schema":          func(v any) { at(v).(map[string]any)["schema"] = "meshdiag/report/v2" },
		"explains is not said":    func(v any) { delete(at(v, "phase").(map[string]any), "explains") },
		"a cause id is no id":     func(v any) { at(v, "causes", 0).(map[string]any)["id"] = "Null Value" },
		"signal number is a text": func(v any) { at(v, "outcome", "signal").(map[string]any)["number"] = "11" },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			v := asJSON(t, readGolden(t, "nullkey"))
			breakIt(v)
			if schema.Validate(v) == nil {
				t.Error("accepted")
			}
		})
	}
	v := asJSON(t, readGolden(t, "nullkey")).(map[string]any)
	v["added"] = map[string]any{"later": true}
	if err := schema.Validate(v); err != nil {
		t.Errorf("an added field must be allowed: %v", err)
	}
}

// TestSchemaKnowsEveryField compares schema and Go types, so that neither can grow without the other.
func TestSchemaKnowsEveryField(t *testing.T) {
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	checkFields(t, "report", schema.object, reflect.TypeFor[Report]())
	for name, goType := range map[string]reflect.Type{
		"tool": reflect.TypeFor[Tool](), "target": reflect.TypeFor[Target](), "runtime": reflect.TypeFor[Runtime](), "outcome": reflect.TypeFor[Outcome](),
		"signal": reflect.TypeFor[Signal](), "phase": reflect.TypeFor[Phase](), "thread": reflect.TypeFor[Thread](), "fault": reflect.TypeFor[Fault](),
		"instruction": reflect.TypeFor[Instruction](), "step": reflect.TypeFor[Step](), "cause": reflect.TypeFor[Cause](), "blame": reflect.TypeFor[Blame](),
		"evidence": reflect.TypeFor[Evidence](), "ruled_out": reflect.TypeFor[RuledOut](), "stack": reflect.TypeFor[Stack](), "frame": reflect.TypeFor[Frame](),
		"output": reflect.TypeFor[Output](), "output_line": reflect.TypeFor[OutputLine](), "check": reflect.TypeFor[Check](), "corpus": reflect.TypeFor[Corpus](),
		"known": reflect.TypeFor[Known](),
	} {
		checkFields(t, name, schema.Defs[name], goType)
	}
}

type object struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
}

func checkFields(t *testing.T, name string, o object, goType reflect.Type) {
	t.Helper()
	for i := range goType.NumField() {
		tag := goType.Field(i).Tag.Get("json")
		if _, ok := o.Properties[tag]; !ok || !slices.Contains(o.Required, tag) {
			t.Errorf("%s: the schema lacks or does not require %q", name, tag)
		}
	}
	if len(o.Properties) != goType.NumField() {
		t.Errorf("%s: %d properties for %d fields", name, len(o.Properties), goType.NumField())
	}
}

// FuzzReadJSON checks that whatever is read can be rendered, and that a report written once more is the same.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"schema":"meshdiag/report/v1","target":{"args":[""]},"threads":[{"frames":[{},{},{}]}]}`))
	f.Add([]byte(`{"schema":"meshdiag/report/v1","outcome":{"kind":"hung"},"causes":[{"evidence":[{}]}],"provenance":[{},{},{},{},{},{},{},{},{}]}`))
	for _, name := range []string{"hostile", "nullkey"} {
		var b bytes.Buffer
		if err := WriteJSON(&b, readGolden(f, name)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadJSON(bytes.NewReader(data))
		if (r == nil) == (err == nil) {
			t.Fatalf("report %v and error %v", r, err)
		}
		if err != nil {
			return
		}
		var text, md, once bytes.Buffer
		if err := WriteText(&text, r, TextOptions{Width: 50}); err != nil {
			t.Fatal(err)
		}
		if err := WriteMarkdown(&md, r); err != nil {
			t.Fatal(err)
		}
		checkMarkdown(t, md.String())
		checkWidth(t, text.String(), 50)
		if err := WriteJSON(&once, r); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadJSON(bytes.NewReader(once.Bytes())); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
	})
}
