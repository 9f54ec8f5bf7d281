package symbols

import (
	"cmp"
	"slices"

	"meshdiag/crash"
)

// Options say where files are looked for.
type Options struct {
	Exe       string   // the executable, when it is not where the process says (a core from elsewhere); "" as observed
	Sysroot   string   // folder that stands for / of the observed machine; "" none
	DebugDirs []string // folders like /usr/lib/debug; it is always looked in, too

	// Fetch is the last resort for a file that lies nowhere: it returns the path of one with m's build ID, or "". It is asked
	// only for the executable and for modules that a stack leads through. nil: there is none.
	Fetch func(m *Module, what Fetched) (path string)
}

// Fetched is what Options.Fetch is asked for.
type Fetched int

const (
	FetchFile  Fetched = iota // the module's own file
	FetchDebug                // its separate debug information
)

// Symbolizer answers questions about code addresses of one observed process. It is not safe for concurrent use: it
// fills caches while it answers.
type Symbolizer struct {
	crash   *crash.Crash
	opts    Options
	modules []*Module
	spans   []moduleSpan
	rows    map[uint64]*rowEntry
}

// moduleSpan is one range of a module, for ModuleAt.
type moduleSpan struct {
	crash.Range
	module *Module
}

// New groups the mappings of c into modules and checks each file on disk against what is mapped. Nothing else is read
// before it is asked for.
func New(c *crash.Crash, o Options) *Symbolizer {
	s := &Symbolizer{crash: c, opts: o, rows: make(map[uint64]*rowEntry)}
	if s.crash.Memory == nil {
		s.crash.Memory = crash.NoMemory{}
	}
	s.modules = s.findModules()
	for _, m := range s.modules {
		for _, r := range m.Ranges {
			s.spans = append(s.spans, moduleSpan{r, m})
		}
	}
	slices.SortFunc(s.spans, func(a, b moduleSpan) int { return cmp.Compare(a.Start, b.Start) })
	if m, ok := s.Main(); ok {
		s.want(m)
	}
	return s
}

// Close unmaps all files. The symbolizer must not be used afterwards; what it returned stays valid.
func (s *Symbolizer) Close() {
	for _, m := range s.modules {
		m.file.close()
		m.debug.close()
	}
}

// Crash is the observation that s was made for.
func (s *Symbolizer) Crash() *crash.Crash { return s.crash }

// Modules returns all modules by rising address.
func (s *Symbolizer) Modules() []*Module { return s.modules }

// ModuleAt returns the module that addr lies in, its zero-initialised data included.
func (s *Symbolizer) ModuleAt(addr uint64) (*Module, bool) {
	i, found := slices.BinarySearchFunc(s.spans, addr, func(m moduleSpan, addr uint64) int {
		switch {
		case m.End <= addr:
			return -1
		case m.Start > addr:
			return 1
		}
		return 0
	})
	if !found {
		return nil, false
	}
	return s.spans[i].module, true
}

// Main returns the module of the executable.
func (s *Symbolizer) Main() (*Module, bool) {
	for _, m := range s.modules {
		if m.Main {
			return m, true
		}
	}
	return nil, false
}
