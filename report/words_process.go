package report

import (
	"fmt"
	"strings"
	"time"
)

// postMortem reports whether r is of a process that the reader did not start: who it was is then part of the answer.
func postMortem(r *Report) bool { return r.Process != nil && r.Target.Source == "core" }

// processWords is "6925, user 1000, group 100, child of process 6919".
func processWords(p *Process) string {
	var parts []string
	add := func(format string, id, host *int) {
		switch {
		case id != nil && host != nil:
			parts = append(parts, fmt.Sprintf(format+" (%d on the host)", *id, *host))
		case id != nil:
			parts = append(parts, fmt.Sprintf(format, *id))
		case host != nil:
			parts = append(parts, fmt.Sprintf(format+" on the host", *host))
		}
	}
	add("%d", p.PID, p.HostPID)
	add("user %d", p.UID, p.HostUID)
	add("group %d", p.GID, nil)
	add("child of process %d", p.PPID, nil)
	return strings.Join(parts, ", ")
}

var diedFrom = map[string]string{
	"handler":   "as the kernel told meshdiag handler",
	"xattr":     "by the attributes that systemd-coredump gave the core",
	"journal":   "by the journal",
	"file-name": "by the name of the core's file",
	"file-time": "when the core's file was last written",
}

// diedWords is the time of death and how well it is known; "" when it is not.
func diedWords(p *Process) string {
	if p.DiedAt == nil {
		return ""
	}
	s := *p.DiedAt
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		s = t.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if from := deref(p.DiedAtSource); from != "" && from != "observer" {
		s += ", " + orElse(diedFrom[from], "by its "+from)
	}
	return s
}

// placeWords says where it ran: "on build7, unit mesher.service, container 0f3a9c61be12".
func placeWords(p *Process) string {
	var parts []string
	add := func(before string, s *string) {
		if deref(s) != "" {
			parts = append(parts, before+*s)
		}
	}
	add("on ", p.Hostname)
	if id := deref(p.Container); id == "" || !strings.Contains(deref(p.Unit), id) { // a unit of its own says the same again
		add("unit ", p.Unit)
	}
	if c := []rune(deref(p.Container)); len(c) == 64 {
		parts = append(parts, "container "+string(c[:12])) // an ID, as the tools of containers show it
	} else {
		add("container ", p.Container)
	}
	if p.Unit == nil {
		add("cgroup ", p.Cgroup)
	}
	return strings.Join(parts, ", ")
}

// processRows are the labelled lines on whose death it was.
func processRows(r *Report) [][2]string {
	if !postMortem(r) {
		return nil
	}
	when := "died"
	if r.Outcome.Kind == kindHealthy || r.Outcome.Kind == kindHung {
		when = "seen" // alive
	}
	return [][2]string{{"process", processWords(r.Process)}, {when, diedWords(r.Process)}, {"where", placeWords(r.Process)}}
}
