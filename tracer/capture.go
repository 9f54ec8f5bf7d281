package tracer

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"meshdiag/crash"
)

const (
	headLines = 400
	tailLines = 400
	lineBytes = 4096 // of one line; the rest of a longer one is not kept
)

// capture keeps the first and the last lines of what the target wrote, in bounded memory whatever it writes.
type capture struct {
	now func() time.Duration // since launch

	mu      sync.Mutex
	head    []crash.OutputLine
	tail    [tailLines]tailLine
	count   int // lines seen in all
	partial map[crash.Stream]*partialLine
	last    time.Duration // when anything was written last
}

type tailLine struct {
	at     time.Duration
	stream crash.Stream
	text   []byte
}

type partialLine struct {
	open bool // something was written since the last newline, be it cut away
	text []byte
}

func newCapture(now func() time.Duration) *capture {
	return &capture{now: now, partial: map[crash.Stream]*partialLine{}}
}

func (c *capture) lastOutput() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// add takes bytes of one stream in the order they were written.
func (c *capture) add(stream crash.Stream, data []byte) {
	if len(data) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.now()
	p := c.partial[stream]
	if p == nil {
		p = &partialLine{}
		c.partial[stream] = p
	}
	data = c.firstLine(stream, p, data)
	data = c.skip(data)
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		c.line(stream, data[:i])
		data = data[i+1:]
	}
	p.extend(data)
}

// firstLine ends the line that was left open, if data does, and returns what follows.
func (c *capture) firstLine(stream crash.Stream, p *partialLine, data []byte) []byte {
	if !p.open {
		return data
	}
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		p.extend(data)
		return nil
	}
	p.extend(data[:i])
	c.line(stream, p.text)
	p.open, p.text = false, p.text[:0]
	return data[i+1:]
}

// skip counts the lines of a big piece that could not stay in the tail anyway, and returns the rest.
func (c *capture) skip(data []byte) []byte {
	if len(c.head) < headLines || len(data) < 2*tailLines {
		return data
	}
	n := bytes.Count(data, []byte{'\n'})
	if n <= tailLines {
		return data
	}
	end := len(data)
	for range tailLines + 1 {
		end = bytes.LastIndexByte(data[:end], '\n')
	}
	c.count += n - tailLines
	return data[end+1:]
}

func (p *partialLine) extend(data []byte) {
	if len(data) == 0 {
		return
	}
	p.open = true
	p.text = append(p.text, data[:min(len(data), lineBytes-len(p.text))]...)
}

func (c *capture) line(stream crash.Stream, text []byte) {
	text = text[:min(len(text), lineBytes)]
	if len(c.head) < headLines {
		c.head = append(c.head, crash.OutputLine{At: c.last, Stream: stream, Text: string(text), Whole: true})
	} else {
		slot := &c.tail[(c.count-headLines)%tailLines]
		slot.at, slot.stream = c.last, stream
		slot.text = append(slot.text[:0], text...)
	}
	c.count++
}

// snapshot copies what is kept; unfinished lines come last.
func (c *capture) snapshot() crash.Output {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := crash.Output{Observed: true, Lines: slices.Clone(c.head)}
	kept := min(max(c.count-headLines, 0), tailLines)
	out.Dropped = c.count - len(c.head) - kept
	first := len(out.Lines)
	for i := c.count - kept; i < c.count; i++ {
		slot := &c.tail[(i-headLines)%tailLines]
		out.Lines = append(out.Lines, crash.OutputLine{At: slot.at, Stream: slot.stream, Text: string(slot.text), Whole: true})
	}
	for _, stream := range []crash.Stream{crash.UnknownStream, crash.Stdout, crash.Stderr} {
		if p := c.partial[stream]; p != nil && p.open {
			out.Lines = append(out.Lines, crash.OutputLine{At: c.last, Stream: stream, Text: strings.Clone(string(p.text))})
		}
	}
	out.FirstTail = len(out.Lines)
	if out.Dropped > 0 {
		out.FirstTail = first
	}
	return out
}
