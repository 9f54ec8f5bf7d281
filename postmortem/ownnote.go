package postmortem

import (
	"bytes"
	"encoding/json"
	"time"

	"meshdiag/crash"
)

// A core of the kernel has no place for much of what the tracer saw: the names of the other threads, what was printed, how
// a process ended that was frozen at its exit, the panics before the last one. Cores that meshdiag writes hold it in a note
// of their own, owner "meshdiag", which other tools skip. It is JSON, so that later versions can add to it.
const (
	ownName    = "meshdiag"
	ntOwn      = 0x4d444947 // "MDIG"
	ownVersion = 1
	maxOwn     = 16 << 20 // bytes of the note

	maxOwnSightings = 256
	maxOwnLines     = 10000
	maxOwnChildren  = 64
)

// ownNote is the JSON of the note. Lists are decoded entry by entry, so that a hostile one cannot make millions of them.
type ownNote struct {
	Version   int
	Outcome   crash.Outcome
	Focus     int // TID, 0 when there is none
	Target    crash.Target
	Process   *crash.Process    `json:",omitempty"`
	Threads   []json.RawMessage // crash.Thread without registers
	Sightings []json.RawMessage // ownSighting
	Output    crash.Output
	Lines     []json.RawMessage // crash.OutputLine
	Mappings  []ownMapping
	Warnings  []string
	World     *ownWorld `json:",omitempty"`
}

// ownWorld is crash.World.
type ownWorld struct {
	crash.World
	Files    []json.RawMessage // crash.File
	Children []json.RawMessage // crash.Child
}

// ownSighting is a sighting with those of its saved pages that differed from the process's memory at the end.
type ownSighting struct {
	crash.Sighting
	Pages map[uint64][]byte
}

// ownMapping is what /proc/PID/maps knows of a mapping and neither PT_LOAD nor NT_FILE does.
type ownMapping struct {
	Start    uint64
	Name     string `json:",omitempty"` // "[heap]"
	Shared   bool   `json:",omitempty"`
	FileSize int64
}

// makeOwn encodes the note. What does not fit is left out, the largest part first.
func makeOwn(c *crash.Crash) []byte {
	n := ownNote{Version: ownVersion, Outcome: c.Outcome, Target: c.Target, Process: c.Process, Output: c.Output, Warnings: c.Warnings}
	n.Target.Env, n.Output.Lines = nil, nil // the environment is in the process's memory
	if t := c.FocusThread(); t != nil {
		n.Focus = t.TID
	}
	for i := range c.Threads {
		t := c.Threads[i]
		t.Regs, t.FP = crash.Regs{}, nil
		n.Threads = append(n.Threads, encoded(t))
	}
	for _, l := range c.Output.Lines {
		n.Lines = append(n.Lines, encoded(l))
	}
	for i := range c.Panics {
		s := ownSighting{Sighting: c.Panics[i], Pages: changedPages(c.Panics[i].Memory, c.Memory)}
		s.Memory, s.Thread.FP = nil, nil
		n.Sightings = append(n.Sightings, encoded(s))
	}
	n.World = makeWorld(c.World)
	for i := range c.Mappings {
		m := &c.Mappings[i]
		o := ownMapping{Start: m.Start, Shared: m.Perms&crash.Shared != 0, FileSize: m.FileSize}
		if m.Path != "" && m.Path[0] == '[' {
			o.Name = m.Path
		}
		if o != (ownMapping{Start: m.Start, FileSize: -1}) {
			n.Mappings = append(n.Mappings, o)
		}
	}
	for _, drop := range []func(){func() {}, func() { n.Mappings = nil }, func() { n.Sightings = nil }, func() { n.World = nil }, func() { n.Threads = nil }} {
		drop()
		if b := encoded(&n); len(b) <= maxOwn {
			return b
		}
	}
	return nil
}

func makeWorld(w *crash.World) *ownWorld {
	if w == nil {
		return nil
	}
	o := &ownWorld{World: *w}
	o.World.Files, o.World.Children = nil, nil
	for _, f := range w.Files {
		o.Files = append(o.Files, encoded(f))
	}
	for _, c := range w.Children {
		o.Children = append(o.Children, encoded(c))
	}
	return o
}

func (o *ownWorld) world() *crash.World {
	if o == nil {
		return nil
	}
	w := o.World
	w.Files, w.Children = nil, nil
	for _, raw := range o.Files[:min(len(o.Files), crash.MaxFiles)] {
		var f crash.File
		if json.Unmarshal(raw, &f) == nil {
			w.Files = append(w.Files, f)
		}
	}
	for _, raw := range o.Children[:min(len(o.Children), maxOwnChildren)] {
		var c crash.Child
		if json.Unmarshal(raw, &c) == nil {
			w.Children = append(w.Children, c)
		}
	}
	return &w
}

// encoded never fails: the types hold nothing that JSON cannot say.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// changedPages are the saved pages that read differently now.
func changedPages(saved, now crash.Memory) map[uint64][]byte {
	pages, ok := saved.(crash.Pages)
	if !ok {
		return nil
	}
	changed := map[uint64][]byte{}
	for addr, page := range pages {
		buf := make([]byte, len(page))
		if n, _ := now.ReadMemory(buf, addr); n < len(buf) || !bytes.Equal(buf, page) {
			changed[addr] = page
		}
	}
	return changed
}

// own decodes the note; damage is told and the rest of the core is used as any other's.
func (n *notes) own(b []byte) {
	var o ownNote
	err := json.Unmarshal(b, &o)
	switch {
	case err != nil || o.Version < 1:
		n.problem("what meshdiag saw of the run cannot be read from the core: its note is damaged")
	case o.Version > ownVersion:
		n.problem("what meshdiag saw of the run was written by a newer version (note version %d)", o.Version)
	default:
		n.seen = &o
	}
}

// apply puts what the note tells over what was read from the rest of the core.
func (o *ownNote) apply(c *crash.Crash) {
	pid := c.Target.PID
	env, args := c.Target.Env, c.Target.Args
	c.Target = o.Target
	c.Target.Source, c.Target.PID, c.Target.Arch, c.Target.Env = crash.SourceCore, pid, "amd64", env
	if c.Target.Args == nil {
		c.Target.Args = args
	}
	if o.Process != nil {
		c.Process = o.Process
	}
	c.Outcome = o.Outcome
	c.Outcome.Elapsed = max(c.Outcome.Elapsed, 0)
	o.threads(c)
	o.output(c)
	o.mappings(c)
	c.World = o.World.world()
	for _, raw := range o.Sightings[:min(len(o.Sightings), maxOwnSightings)] {
		var s ownSighting
		if json.Unmarshal(raw, &s) == nil {
			s.Memory = crash.Pages(s.Pages)
			c.Panics = append(c.Panics, s.Sighting)
		}
	}
	c.Warnings = append(c.Warnings, o.Warnings[:min(len(o.Warnings), maxOwnSightings)]...)
}

func (o *ownNote) threads(c *crash.Crash) {
	byID := map[int]int{}
	for i := range c.Threads {
		byID[c.Threads[i].TID] = i
	}
	for _, raw := range o.Threads[:min(len(o.Threads), len(c.Threads))] {
		var t crash.Thread
		if json.Unmarshal(raw, &t) != nil {
			continue
		}
		if i, ok := byID[t.TID]; ok {
			old := &c.Threads[i]
			t.Regs, t.FP, t.RegsOK = old.Regs, old.FP, old.RegsOK && t.RegsOK
			*old = t
		}
	}
	c.Focus = -1
	if i, ok := byID[o.Focus]; ok && o.Focus != 0 {
		c.Focus = i
	}
}

func (o *ownNote) output(c *crash.Crash) {
	c.Output = o.Output
	c.Output.Lines = nil
	for _, raw := range o.Lines[:min(len(o.Lines), maxOwnLines)] {
		var l crash.OutputLine
		if json.Unmarshal(raw, &l) == nil {
			l.At = max(l.At, time.Duration(0))
			c.Output.Lines = append(c.Output.Lines, l)
		}
	}
	c.Output.FirstTail = min(max(c.Output.FirstTail, 0), len(c.Output.Lines))
}

func (o *ownNote) mappings(c *crash.Crash) {
	at := make(map[uint64]*crash.Mapping, len(c.Mappings))
	for i := range c.Mappings {
		at[c.Mappings[i].Start] = &c.Mappings[i]
	}
	for i := range o.Mappings {
		s := &o.Mappings[i]
		m := at[s.Start]
		if m == nil {
			continue
		}
		if s.Name != "" && m.Path == "" {
			m.Path = s.Name
		}
		if s.Shared {
			m.Perms |= crash.Shared
		}
		m.FileSize = s.FileSize
	}
}
