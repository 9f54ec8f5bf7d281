package postmortem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"meshdiag/crash"
)

// systemd-coredump writes an entry for each crash, also where it kept no core or the core is gone by now. journalctl reads
// them: the format of the files is systemd's own affair, and it shows each user what that user may see.
const (
	coredumpMessage = "fc2e22bc6ee647b6b90729ab34a250b1" // SD_MESSAGE_COREDUMP of systemd/sd-messages.h
	journalPatience = 3 * time.Second
	maxJournal      = 8 << 20 // bytes of journalctl's output
	maxEntries      = 500     // crashes that are asked for, the newest
)

// journalFields are what is asked of each entry (systemd.journal-fields(7), "COREDUMP_*"). COREDUMP is the core itself where it
// is kept in the journal; journalctl gives null in place of anything so long.
const journalFields = "COREDUMP_PID,COREDUMP_UID,COREDUMP_GID,COREDUMP_SIGNAL,COREDUMP_TIMESTAMP,COREDUMP_COMM,COREDUMP_EXE," +
	"COREDUMP_HOSTNAME,COREDUMP_CGROUP,COREDUMP_UNIT,COREDUMP_USER_UNIT,COREDUMP_FILENAME,COREDUMP"

// entry is one crash in the journal.
type entry struct {
	witness
	file   string // where the core was stored; "" nowhere as a file
	inside bool   // the core is in the journal
}

// Journal says where entries are read from: a journal file, or the machine's journal when it is "".
type Journal string

// entries asks for the newest crashes, and only for those of one core when file is not "". The error says why there may be
// more than these; a machine without journalctl has no journal and no error.
func (j Journal) entries(ctx context.Context, file string) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	args := []string{"--quiet", "--no-pager", "--reverse", "--lines=" + strconv.Itoa(maxEntries), "--output=json", "--output-fields=" + journalFields,
		"MESSAGE_ID=" + coredumpMessage}
	if j != "" {
		args = append([]string{"--file=" + string(j)}, args...)
	}
	if file != "" {
		args = append(args, "COREDUMP_FILENAME="+file)
	}
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	data, _ := io.ReadAll(io.LimitReader(out, maxJournal+1))
	late := ctx.Err() != nil
	if len(data) > maxJournal {
		cancel() // it may have much more to say
	}
	err = cmd.Wait()
	switch {
	case late:
		err = fmt.Errorf("it was not read to its end within %v", journalPatience)
	case len(data) > maxJournal:
		err = fmt.Errorf("it has more than %d MiB of entries", maxJournal>>20)
	case err != nil && said.Len() > 0:
		line, _, _ := strings.Cut(said.String(), "\n")
		err = errors.New(line)
	}
	return parseEntries(data), err // what was read counts, however it ended
}

// parseEntries reads journalctl's JSON, an object a line. A line that is cut or damaged is left out.
func parseEntries(data []byte) []entry {
	var all []entry
	for line := range bytes.Lines(data) {
		var fields map[string]json.RawMessage
		if json.Unmarshal(line, &fields) != nil {
			continue
		}
		if e, ok := newEntry(fields); ok {
			all = append(all, e)
		}
	}
	return all
}

func newEntry(fields map[string]json.RawMessage) (entry, bool) {
	get := func(name string) string { return journalText(fields["COREDUMP_"+name]) }
	e := entry{witness: newWitness(), file: get("FILENAME")}
	e.pid = number(get("PID"), 0)
	if e.pid == 0 {
		return e, false
	}
	e.command, e.exe, e.Hostname = unescapeComm(get("COMM")), get("EXE"), get("HOSTNAME")
	e.UID, e.GID, e.signal = number(get("UID"), -1), number(get("GID"), -1), number(get("SIGNAL"), 0)
	e.at(unixTime(get("TIMESTAMP")), crash.FromJournal)
	e.InCgroup(get("CGROUP"))
	for _, unit := range []string{get("USER_UNIT"), get("UNIT")} {
		if unit != "" {
			e.Unit = unit // the user's own is the narrower one, and the machine's says so anyway
			break
		}
	}
	_, e.inside = fields["COREDUMP"]
	return e, true
}

// journalText is a field's value: a string, a list of byte values where it is no printable UTF-8, or a list of several
// values, of which the first counts. Null is a value too long to be printed (systemd, "Journal JSON Format").
func journalText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var codes []int
	if json.Unmarshal(raw, &codes) == nil {
		b := make([]byte, len(codes))
		for i, c := range codes {
			b[i] = byte(c)
		}
		return string(b)
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 && !bytes.HasPrefix(several[0], []byte("[[")) {
		return journalText(several[0])
	}
	return ""
}

// unescapeComm undoes the C escapes that systemd writes a process's name with.
func unescapeComm(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	if plain, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`); err == nil {
		return plain
	}
	return s
}

// AskJournal adds what the journal says of a core that systemd-coredump stored at path, and whether it said anything.
func (c *Core) AskJournal(ctx context.Context, j Journal, path string) bool {
	real, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	entries, _ := j.entries(ctx, real) // the report names its witness: of one that is silent it says nothing
	for _, e := range entries {
		if e.pid == c.hostPID() {
			e.add(c.Crash.Process, c.Crash.Target.PID)
			return true
		}
	}
	return false
}

// hostPID is the process's number as its machine saw it.
func (c *Core) hostPID() int {
	if pid := c.Crash.Process.HostPID; pid != 0 {
		return pid
	}
	return c.Crash.Target.PID
}
