package report

import _ "embed" // for the schema

//go:embed schema.json
var schemaJSON []byte

// Schema is the published JSON Schema (draft 2020-12) of the report. The caller must not change it.
func Schema() []byte { return schemaJSON }
