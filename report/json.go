package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxReport bounds what ReadJSON takes in. The largest real report (300 threads with 100 frames each) has a third of it.
const maxReport = 32 << 20

// WriteJSON writes r by the contract meshdiag/report/v1: all fields, null for unknown, [] for empty lists, addresses in lower
// case hexadecimal, strings cleaned and masked. The result ends with a newline.
func WriteJSON(w io.Writer, r *Report) error {
	out := Scrub(r)
	out.Schema = SchemaID
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ReadJSON reads a report that WriteJSON wrote, of this or a later version with the same schema (fields that are not known
// are dropped). The error says what the input is instead. At most 32 MiB are read. The content is not trusted: the writers
// clean it again.
func ReadJSON(in io.Reader) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxReport {
		return nil, fmt.Errorf("larger than %d MiB: not a meshdiag report", maxReport>>20)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("empty: not a meshdiag report")
	}
	if err := checkSchema(data); err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, describeJSONError(err)
	}
	if err := checkRanges(r); err != nil {
		return nil, err
	}
	return r, nil
}

// checkSchema looks at the schema alone first, so that a report of another version is told by its version and not by the
// first field that has changed.
func checkSchema(data []byte) error {
	var head struct {
		Schema *string `json:"schema"`
	}
	err := json.Unmarshal(data, &head)
	switch {
	case err != nil:
		return describeJSONError(err)
	case head.Schema == nil:
		return fmt.Errorf("JSON without a \"schema\" field: not a meshdiag report (expected %q)", SchemaID)
	case *head.Schema != SchemaID:
		return fmt.Errorf("schema is %.80q, but this version of meshdiag reads %q", Clean(*head.Schema), SchemaID)
	}
	return nil
}

func describeJSONError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON: byte %d: %s", syntax.Offset, Clean(syntax.Error()))
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("not a meshdiag report: a JSON %s, not an object", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("not a valid report: field %q holds a JSON %s", Clean(kind.Field), Clean(kind.Value))
	default:
		return fmt.Errorf("not a valid report: %s", Clean(err.Error()))
	}
}

// checkRanges refuses numbers that would make the rendering lie.
func checkRanges(r *Report) error {
	for i, c := range r.Causes {
		if c.Confidence < 0 || c.Confidence > 1 {
			return fmt.Errorf("not a valid report: causes[%d].confidence is %g, not between 0 and 1", i, c.Confidence)
		}
	}
	return nil
}
