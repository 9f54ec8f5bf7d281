package diagnose

import (
	"time"

	"meshdiag/crash"
	"meshdiag/report"
)

// process is what the report says of whose death it was; nil when nothing is known.
func process(c *crash.Crash) *report.Process {
	p := c.Process
	if p == nil {
		return nil
	}
	r := &report.Process{PID: id(c.Target.PID, 0), PPID: id(p.PPID, 0), UID: id(p.UID, -1), GID: id(p.GID, -1),
		HostPID: id(p.HostPID, 0), HostUID: id(p.HostUID, -1),
		Hostname: opt(p.Hostname), Cgroup: opt(p.Cgroup), Unit: opt(p.Unit), Container: opt(p.Container)}
	if !p.Died.IsZero() {
		r.DiedAt, r.DiedAtSource = opt(p.Died.UTC().Format(time.RFC3339)), opt(p.DiedFrom)
	}
	return r
}

// id is nil for the value that means unknown, and for what can be no ID.
func id(n, unknown int) *int {
	if n == unknown || n < 0 {
		return nil
	}
	return &n
}
