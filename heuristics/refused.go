package heuristics

// RefusedPointer is the pointer that a debug build's own check refused before the processor could fault on it, as far as
// the panic that ended the process tells it. The same bug is a fault in a release build, so its value deserves to be
// traced back alike.
func RefusedPointer(c *Case) (value uint64, ok bool) {
	p := c.fatalPanic()
	if p == nil {
		return 0, false
	}
	value, known, ok := refusedPointer(p.Message)
	return value, ok && known
}
