package symbols

import "meshdiag/crash"

type lineIndex struct{}

func (s *Symbolizer) Lines(a crash.CodeAddress) []InlinedCall { return nil }
