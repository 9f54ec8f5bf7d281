// Package schemacheck holds reports against the published JSON Schema. Tests and benches use it; the product does not.
package schemacheck

import (
	"bytes"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"meshdiag/report"
)

const location = "file:///report.schema.json"

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(location, doc); err != nil {
		return nil, err
	}
	return c.Compile(location)
})

// Validate says where a JSON report breaks the schema; nil when it does not.
func Validate(data []byte) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Report validates r as it is written.
func Report(r *report.Report) error {
	var out bytes.Buffer
	if err := report.WriteJSON(&out, r); err != nil {
		return err
	}
	return Validate(out.Bytes())
}
