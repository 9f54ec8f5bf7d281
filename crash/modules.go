package crash

import "sort"

// MappingAt returns the mapping that holds addr.
func (c *Crash) MappingAt(addr uint64) (*Mapping, bool) {
	i := sort.Search(len(c.Mappings), func(i int) bool { return c.Mappings[i].End > addr })
	if i < len(c.Mappings) && c.Mappings[i].Contains(addr) {
		return &c.Mappings[i], true
	}
	return nil, false
}

// Neighbours returns the mappings just below and just above addr, which must itself be unmapped; nil at the ends.
func (c *Crash) Neighbours(addr uint64) (below, above *Mapping) {
	i := sort.Search(len(c.Mappings), func(i int) bool { return c.Mappings[i].End > addr })
	if i > 0 {
		below = &c.Mappings[i-1]
	}
	if i < len(c.Mappings) {
		above = &c.Mappings[i]
	}
	return below, above
}

// FocusThread is the thread the report is about, or nil.
func (c *Crash) FocusThread() *Thread {
	if c.Focus < 0 || c.Focus >= len(c.Threads) {
		return nil
	}
	return &c.Threads[c.Focus]
}

// IsLeader reports whether t is the thread group's leader (the main thread).
func (c *Crash) IsLeader(t *Thread) bool { return t != nil && t.TID == c.Target.PID }
