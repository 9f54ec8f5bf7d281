package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/postmortem"
	"meshdiag/report"
)

// coresSchema names the form of the list of cores in JSON. Fields get added, never renamed or dropped.
const coresSchema = "meshdiag/cores/v1"

// listCores prints the cores of this machine, and what the journal tells of crashes whose core is not to be had.
func (c *coreFlags) listCores(ctx context.Context) error {
	if c.format == "markdown" {
		return errUsage("core", "--list is text or json")
	}
	c.plain = os.Stdout
	found, silent := postmortem.Find(ctx, postmortem.Places{})
	if silent != nil {
		silent = fmt.Errorf("what the journal knows is not listed, or not all of it: %s", report.Clean(silent.Error()))
	}
	var b bytes.Buffer
	var err error
	switch {
	case c.format == "json":
		err = writeCores(&b, found, silent)
	case len(found) == 0:
		fmt.Fprintln(os.Stderr, "meshdiag: "+noCores())
	default:
		err = tabulateCores(&b, found, time.Now())
	}
	if err != nil {
		return errDiagnose(err)
	}
	if silent != nil && c.format != "json" {
		fmt.Fprintln(os.Stderr, "meshdiag:", silent)
	}
	out, err := c.open()
	if err != nil {
		return err
	}
	defer out.discard()
	return out.put(b.Bytes())
}

// noCores says where was looked for cores, and why there may be none.
func noCores() string {
	said := "no core dump was found for this user: " + report.Clean(postmortem.Places{}.Searched())
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil && limit.Cur == 0 {
		said += "; programs that are started from here leave none (ulimit -c is 0)"
	}
	return said
}

func tabulateCores(w io.Writer, found []postmortem.Found, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "WHEN\tUSER\tPROGRAM\tPID\tSIGNAL\tSIZE\tSTATE\tFOUND BY\tCORE")
	for i := range found {
		f := &found[i]
		program, bytes := f.Exe, "-"
		if program == "" {
			program = f.Command
		}
		if f.Size > 0 {
			bytes = size(f.Size)
		}
		row := []string{age(now.Sub(f.Time)), userName(f.UID), program, known(f.PID, 0), f.Signal, bytes, string(f.State), f.Where, f.Path}
		for i, cell := range row {
			row[i] = report.Clean(orUnknown(cell))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// known is a number, and nothing for the one that means unknown.
func known(n, unknown int) string {
	if n == unknown {
		return ""
	}
	return strconv.Itoa(n)
}

// userName is the user's name on this machine, or the bare number.
func userName(uid int) string {
	id := known(uid, -1)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// listed is a core in JSON; null is unknown.
type listed struct {
	Path      *string `json:"path"`
	State     string  `json:"state"` // "present" | "gone" | "unreadable" | "in-journal" | "not-kept"
	FoundBy   string  `json:"found_by"`
	Size      *int64  `json:"size"` // bytes of the file
	DiedAt    string  `json:"died_at"`
	DiedFrom  string  `json:"died_at_source"`
	Program   *string `json:"program"` // name of the process
	Exe       *string `json:"exe"`
	PID       *int    `json:"pid"`
	UID       *int    `json:"uid"`
	User      *string `json:"user"`
	Signal    *string `json:"signal"`
	Unit      *string `json:"unit"`
	Container *string `json:"container"`
}

func writeCores(w io.Writer, found []postmortem.Found, silent error) error {
	list := struct {
		Schema   string   `json:"schema"`
		Cores    []listed `json:"cores"`
		Searched string   `json:"searched"`
		Missing  *string  `json:"missing"` // why there may be more; null when there is not
	}{Schema: coresSchema, Cores: []listed{}, Searched: report.Clean(postmortem.Places{}.Searched())}
	if silent != nil {
		list.Missing = text(silent.Error())
	}
	for i := range found {
		f := &found[i]
		l := listed{Path: text(f.Path), State: string(f.State), FoundBy: f.Where, DiedAt: f.Time.UTC().Format(time.RFC3339),
			DiedFrom: f.TimeFrom, Program: text(f.Command), Exe: text(f.Exe), User: text(userName(f.UID)), Signal: text(f.Signal),
			Unit: text(f.Unit), Container: text(f.Container)}
		if f.Size > 0 {
			l.Size = &f.Size
		}
		if f.PID != 0 {
			l.PID = &f.PID
		}
		if f.UID >= 0 {
			l.UID = &f.UID
		}
		list.Cores = append(list.Cores, l)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// text is null for what is unknown, and clean.
func text(s string) *string {
	if s == "" {
		return nil
	}
	s = report.Clean(s)
	return &s
}
