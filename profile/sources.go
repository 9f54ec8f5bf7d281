package profile

import (
	"fmt"
	"slices"
	"strings"
)

// SourcesFor lists the source files to read for a symbol, most exact first: where the profile's table says a runtime
// function is defined, then what the source rules say of its name. It is empty when nothing is known.
func (p *Profile) SourcesFor(symbol string) []string {
	if p == nil {
		return nil
	}
	var paths []string
	add := func(path string) {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	bare := bareSymbol(symbol)
	for i := range p.Sources {
		r := &p.Sources[i]
		m := r.Pattern.FindStringSubmatchIndex(bare)
		if m == nil {
			continue
		}
		for _, path := range r.Paths {
			add(p.fillExtern(r.Pattern.expand(path, bare, m), bare))
		}
	}
	return paths
}

// externPlace in a source rule's path stands for the file and line of the runtime function itself.
const externPlace = "{extern}"

// fillExtern puts the place of a runtime function in a path that asks for it; "" when that place is not known.
func (p *Profile) fillExtern(path, symbol string) string {
	before, found := strings.CutSuffix(path, externPlace)
	if !found {
		return path
	}
	e := p.Extern(symbol)
	if e == nil || e.File == "" {
		return ""
	}
	if e.Line == 0 {
		return before + e.File
	}
	return fmt.Sprintf("%s%s:%d", before, e.File, e.Line)
}
