package postmortem

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"sort"
	"strings"

	"meshdiag/crash"
)

// writtenNotes makes the notes of a core in the kernel's order: the dying thread first with the process's notes behind
// its registers, then the other threads.
func writtenNotes(c *crash.Crash) []byte {
	var b bytes.Buffer
	first := max(c.Focus, 0)
	if first >= len(c.Threads) {
		return nil
	}
	writeStatus(&b, c, &c.Threads[first])
	writeNote(&b, "CORE", ntPrpsinfo, psinfo(c))
	writeSiginfo(&b, c, &c.Threads[first])
	writeNote(&b, "CORE", ntAuxv, auxvBytes(c.Auxv))
	writeNote(&b, "CORE", ntFile, fileBytes(c.Mappings))
	writeFP(&b, &c.Threads[first])
	for i := range c.Threads {
		if i != first {
			writeStatus(&b, c, &c.Threads[i])
			writeSiginfo(&b, c, &c.Threads[i])
			writeFP(&b, &c.Threads[i])
		}
	}
	if own := makeOwn(c); own != nil {
		writeNote(&b, ownName, ntOwn, own)
	}
	return b.Bytes()
}

func writeNote(b *bytes.Buffer, name string, kind uint32, desc []byte) {
	var head [12]byte
	le := binary.LittleEndian
	le.PutUint32(head[0:], uint32(len(name)+1))
	le.PutUint32(head[4:], uint32(len(desc)))
	le.PutUint32(head[8:], kind)
	b.Write(head[:])
	for _, part := range [][]byte{append([]byte(name), 0), desc} {
		b.Write(part)
		b.Write(make([]byte, align4(uint64(len(part)))-uint64(len(part))))
	}
}

// writeStatus writes struct elf_prstatus, 336 bytes on x86-64.
func writeStatus(b *bytes.Buffer, c *crash.Crash, t *crash.Thread) {
	d := make([]byte, 336)
	le := binary.LittleEndian
	if s := fatalSignal(c, t); s != nil {
		le.PutUint32(d[0:], uint32(s.Number))
		le.PutUint32(d[4:], uint32(s.Code))
		le.PutUint16(d[12:], uint16(s.Number))
	}
	le.PutUint32(d[32:], uint32(t.TID))
	if c.Process != nil {
		le.PutUint32(d[36:], uint32(c.Process.PPID))
	}
	var regs bytes.Buffer
	_ = binary.Write(&regs, le, &t.Regs)
	copy(d[112:], regs.Bytes())
	if len(t.FP) >= 512 {
		le.PutUint32(d[328:], 1)
	}
	writeNote(b, "CORE", ntPrstatus, d)
}

// fatalSignal is the signal a thread's notes carry: its own, or for the dying thread the process's.
func fatalSignal(c *crash.Crash, t *crash.Thread) *crash.Signal {
	if t.Signal != nil {
		return t.Signal
	}
	if f := c.FocusThread(); f == t {
		return c.Outcome.Signal
	}
	return nil
}

// writeSiginfo writes siginfo_t, 128 bytes.
func writeSiginfo(b *bytes.Buffer, c *crash.Crash, t *crash.Thread) {
	s := fatalSignal(c, t)
	if s == nil {
		return
	}
	d := make([]byte, 128)
	le := binary.LittleEndian
	le.PutUint32(d[0:], uint32(s.Number))
	le.PutUint32(d[8:], uint32(s.Code))
	if s.Sent() {
		le.PutUint32(d[16:], uint32(s.PID))
		le.PutUint32(d[20:], uint32(s.UID))
	} else {
		le.PutUint64(d[16:], s.Address)
	}
	writeNote(b, "CORE", ntSiginfo, d)
}

func writeFP(b *bytes.Buffer, t *crash.Thread) {
	if len(t.FP) < 512 {
		return
	}
	writeNote(b, "CORE", ntFpregset, t.FP[:512])
	if len(t.FP) > 512 {
		writeNote(b, "LINUX", ntXstate, t.FP)
	}
}

// psinfo makes struct elf_prpsinfo, 136 bytes.
func psinfo(c *crash.Crash) []byte {
	d := make([]byte, 136)
	le := binary.LittleEndian
	le.PutUint32(d[24:], uint32(c.Target.PID))
	if p := c.Process; p != nil {
		le.PutUint32(d[16:], uint32(p.UID)) // -1, which is nobody's, when it is not known
		le.PutUint32(d[20:], uint32(p.GID))
		le.PutUint32(d[28:], uint32(p.PPID))
	}
	name := filepath.Base(c.Target.Path)
	if t := c.FocusThread(); t != nil && c.IsLeader(t) && t.Name != "" {
		name = t.Name
	}
	copy(d[40:55], name)
	copy(d[56:135], strings.Join(c.Target.Args, " "))
	return d
}

func auxvBytes(auxv map[uint64]uint64) []byte {
	keys := make([]uint64, 0, len(auxv))
	for k := range auxv {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	var b []byte
	for _, k := range append(keys, 0) {
		b = binary.LittleEndian.AppendUint64(b, k)
		b = binary.LittleEndian.AppendUint64(b, auxv[k])
	}
	return b
}

func fileBytes(mappings []crash.Mapping) []byte {
	le := binary.LittleEndian
	var table, names []byte
	count := uint64(0)
	for i := range mappings {
		m := &mappings[i]
		if !strings.HasPrefix(m.Path, "/") {
			continue
		}
		count++
		table = le.AppendUint64(table, m.Start)
		table = le.AppendUint64(table, m.End)
		table = le.AppendUint64(table, m.Offset/pageSize)
		names = append(names, m.Path...)
		if m.Deleted {
			names = append(names, deletedSuffix...)
		}
		names = append(names, 0)
	}
	b := le.AppendUint64(nil, count)
	b = le.AppendUint64(b, pageSize)
	return append(append(b, table...), names...)
}
