package symbols

// BuildID reads the build ID of the ELF file at path, in hex; "" when it has none.
func BuildID(path string) (string, error) {
	f, err := openELF(path)
	if err != nil {
		return "", err
	}
	defer f.close()
	return f.id, nil
}

// arrive notes that a stack leads through the module at addr, before its unwind information is asked for.
func (s *Symbolizer) arrive(addr uint64) {
	if s.opts.Fetch == nil {
		return
	}
	if m, ok := s.ModuleAt(addr); ok {
		s.want(m)
	}
}

// want makes m a module whose files are worth fetching. What was answered without them is forgotten.
func (s *Symbolizer) want(m *Module) {
	if s.opts.Fetch == nil || m.wanted {
		return
	}
	m.wanted = true
	if m.names.opened && !m.names.full() {
		m.names, m.lines = moduleNames{}, nil
	}
	if m.file != nil || m.img == nil || m.BuildID == "" {
		return
	}
	f := s.fetched(m, FetchFile)
	if f == nil {
		return
	}
	if s.accept(m, f, false) != nil {
		f.close()
		return
	}
	m.Problem = ""
	m.cfi, m.names, m.slots, m.lines = cfiTable{img: m.img}, moduleNames{}, moduleSlots{}, nil
	clear(s.rows)
}

// fetched opens what Fetch finds for m; nil when that is nothing, or not m's.
func (s *Symbolizer) fetched(m *Module, what Fetched) *elfFile {
	path := s.opts.Fetch(m, what)
	if path == "" {
		return nil
	}
	f, err := openELF(path)
	if err != nil {
		return nil
	}
	if f.id != m.BuildID {
		f.close()
		return nil
	}
	return f
}

// fetchedDebug is the debug file of m from afar, asked for once.
func (s *Symbolizer) fetchedDebug(m *Module) *elfFile {
	if !m.wanted || m.debugAsked || m.BuildID == "" || m.Path == "[vdso]" {
		return nil
	}
	m.debugAsked = true
	return s.fetched(m, FetchDebug)
}
