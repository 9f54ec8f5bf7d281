package diagnose

import (
	"slices"

	"meshdiag/crash"
)

// view is the observation as the rooms should see it: where the process died in consequence of an earlier sighting (a
// fault whose handler then aborted), the dying thread's registers and memory are those of that first sight.
func view(c *crash.Crash) *crash.Crash {
	s := finalFault(c)
	if s == nil {
		return c
	}
	v := *c
	v.Threads = slices.Clone(c.Threads)
	v.Memory = crash.Layers{s.Memory, c.Memory}
	for i := range v.Threads {
		if v.Threads[i].TID == s.Thread.TID {
			v.Threads[i] = s.Thread
			v.Threads[i].Signal = s.Signal
			v.Focus = i
			return &v
		}
	}
	// The thread is gone already (an exit after the handler): it is still the one that the report is about.
	t := s.Thread
	t.Signal = s.Signal
	v.Threads = append(v.Threads, t)
	v.Focus = len(v.Threads) - 1
	return &v
}

// finalFault is the fault signal that led to the end although a handler took it first; nil when there is none.
func finalFault(c *crash.Crash) *crash.Sighting {
	for i := len(c.Panics) - 1; i >= 0; i-- {
		if s := &c.Panics[i]; s.Final && s.Signal != nil && s.Why == "signal" {
			return s
		}
	}
	return nil
}
