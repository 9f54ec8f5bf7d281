package symbols

// Describe fills in Demangled, Language and Inlined of all kept frames.
func (s *Symbolizer) Describe(st *Stack) {
	for i := range st.Frames {
		s.DescribeFrame(&st.Frames[i])
	}
}

// DescribeFrame fills in Demangled, Language and Inlined of one frame. Inlined stays nil where there is no line
// information. The language is what the name's form shows, else what the debug information says: Rust functions with C
// names are told only by the latter.
func (s *Symbolizer) DescribeFrame(f *Frame) {
	calls, lang := s.source(f.Code)
	f.Inlined = calls
	switch {
	case f.Symbol.Name != "":
		f.Demangled, f.Language = Demangle(f.Symbol.Name)
	case len(calls) > 0:
		f.Demangled = calls[len(calls)-1].Function
	}
	if f.Language == LangUnknown {
		f.Language = lang
	}
}
