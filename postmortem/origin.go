package postmortem

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"time"

	"meshdiag/crash"
)

// What the handler was told of a process stands in a skippable frame of its own (RFC 8878, 3.1.2) in front of the size mark:
// it stays with the core when the file is copied, which extended attributes do not. The frame holds JSON, a name and, so
// that it can be found from the end of the file, the length of the JSON.
const (
	originName = "mdorigin"
	originTail = len(originName) + 4
	maxOrigin  = 64 << 10
)

// origin is the JSON of the frame. Later versions may add to it.
type origin struct {
	PID    int
	UID    int
	GID    int
	Signal int `json:",omitempty"`
	Time   int64
	Name   string `json:",omitempty"`
	Host   string `json:",omitempty"`
	Cgroup string `json:",omitempty"`
}

// originFrame encodes what is known of a dump.
func originFrame(d Dump) []byte {
	o := origin{PID: d.PID, UID: -1, GID: -1, Signal: d.Signal, Time: d.Time, Name: d.Name}
	if p := d.Process; p != nil {
		o.UID, o.GID, o.Host, o.Cgroup = p.UID, p.GID, p.Hostname, p.Cgroup
	}
	text := encoded(&o)
	if len(text) > maxOrigin {
		return nil
	}
	b := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)+originTail))
	b = append(append(b, text...), originName...)
	return binary.LittleEndian.AppendUint32(b, uint32(len(text)))
}

// storedOrigin reads the frame of a core from the store.
func storedOrigin(f io.ReaderAt, size uint64) (w witness, ok bool) {
	w = newWitness()
	end := size - uint64(sizeMarkSize)
	if markedSize(f, size) == 0 || end < uint64(8+originTail) {
		return w, false
	}
	var tail [originTail]byte
	if _, err := readFull(f, tail[:], end-uint64(originTail)); err != nil || string(tail[:len(originName)]) != originName {
		return w, false
	}
	n := uint64(binary.LittleEndian.Uint32(tail[len(originName):]))
	if n > maxOrigin || n+uint64(8+originTail) > end {
		return w, false
	}
	text := make([]byte, n)
	if _, err := readFull(f, text, end-uint64(originTail)-n); err != nil {
		return w, false
	}
	o := origin{UID: -1, GID: -1}
	if json.Unmarshal(text, &o) != nil {
		return w, false
	}
	w.pid, w.UID, w.GID, w.signal, w.command = max(o.PID, 0), max(o.UID, -1), max(o.GID, -1), o.Signal, o.Name
	w.Hostname = o.Host
	w.InCgroup(o.Cgroup)
	if o.Time > 0 {
		w.at(time.Unix(o.Time, 0), crash.FromHandler)
	}
	return w, true
}
