// Package lazyregexp compiles regular expressions of the program when they are first needed: a diagnosis uses few of them,
// and compiling all would take a tenth of its time.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// inTest is true in what `go test` builds.
var inTest = strings.HasSuffix(os.Args[0], ".test")

// New returns what gives the compiled expression (RE2 syntax). One that is malformed panics at its first use, and in tests
// at once, so that none is shipped.
func New(src string) func() *regexp.Regexp {
	get := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(src) })
	if inTest {
		get()
	}
	return get
}
