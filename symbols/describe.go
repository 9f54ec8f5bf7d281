package symbols

// Describe fills in Demangled, Language and Inlined of all kept frames.
func (s *Symbolizer) Describe(st *Stack) {
	for i := range st.Frames {
		s.DescribeFrame(&st.Frames[i])
	}
}

// DescribeFrame fills in Demangled, Language and Inlined of one frame. Inlined stays nil where there is no line
// information.
func (s *Symbolizer) DescribeFrame(f *Frame) {
	if f.Symbol.Name != "" {
		f.Demangled, f.Language = Demangle(f.Symbol.Name)
	}
	f.Inlined = s.Lines(f.Code)
}
