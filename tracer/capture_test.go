package tracer

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"meshdiag/crash"
)

// clock is a time that goes on by itself.
func clock() func() time.Duration {
	var now time.Duration
	return func() time.Duration { now++; return now }
}

func TestCaptureKeepsHeadAndTail(t *testing.T) {
	for _, pieces := range []int{1, 7, 1000, 100000, 1 << 20} { // bytes per write
		for _, count := range []int{0, 1, 399, 400, 401, 800, 801, 5000, 20000} {
			var text strings.Builder
			for i := range count {
				fmt.Fprintf(&text, "line %d\n", i)
			}
			c := newCapture(clock())
			for s := text.String(); s != ""; s = s[min(pieces, len(s)):] {
				c.add(crash.Stdout, []byte(s[:min(pieces, len(s))]))
			}
			out := c.snapshot()
			if len(out.Lines) != min(count, 800) || out.Dropped != count-len(out.Lines) {
				t.Fatalf("%d lines in pieces of %d: kept %d, dropped %d", count, pieces, len(out.Lines), out.Dropped)
			}
			wantTail := len(out.Lines)
			if count > 800 {
				wantTail = 400
			}
			if out.FirstTail != wantTail {
				t.Fatalf("%d lines: tail starts at %d", count, out.FirstTail)
			}
			for i, l := range out.Lines {
				n := i
				if i >= out.FirstTail {
					n += out.Dropped
				}
				if l.Text != fmt.Sprintf("line %d", n) || !l.Whole || l.Stream != crash.Stdout {
					t.Fatalf("%d lines in pieces of %d: line %d is %+v", count, pieces, i, l)
				}
			}
		}
	}
}

func TestCaptureLines(t *testing.T) {
	long := strings.Repeat("x", lineBytes+100)
	for _, test := range []struct {
		name   string
		writes []string // "1:" or "2:" and text
		want   string   // stream, whole or open, length, first bytes
	}{
		{"nothing", nil, ""},
		{"empty line", []string{"1:\n"}, "stdout whole 0 "},
		{"unfinished", []string{"1:a\nb"}, "stdout whole 1 a|stdout open 1 b"},
		{"finished later", []string{"1:a", "1:b", "1:\nc\n"}, "stdout whole 2 ab|stdout whole 1 c"},
		{"streams apart", []string{"1:a", "2:x\n", "1:b\n", "2:y"}, "stderr whole 1 x|stdout whole 2 ab|stderr open 1 y"},
		{"long line", []string{"1:" + long + "\nb\n"}, "stdout whole 4096 xx|stdout whole 1 b"},
		{"long line in pieces", []string{"1:" + long, "1:" + long, "1:z\nb\n"}, "stdout whole 4096 xx|stdout whole 1 b"},
		{"long open line", []string{"1:" + long, "1:more"}, "stdout open 4096 xx"},
		{"carriage returns stay", []string{"1:a\r\n"}, "stdout whole 2 a\r"},
	} {
		c := newCapture(clock())
		for _, w := range test.writes {
			c.add(map[byte]crash.Stream{'1': crash.Stdout, '2': crash.Stderr}[w[0]], []byte(w[2:]))
		}
		var got []string
		for _, l := range c.snapshot().Lines {
			state := "open"
			if l.Whole {
				state = "whole"
			}
			got = append(got, fmt.Sprintf("%s %s %d %s", l.Stream, state, len(l.Text), l.Text[:min(2, len(l.Text))]))
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("%s: %q, want %q", test.name, strings.Join(got, "|"), test.want)
		}
	}
}

// TestCaptureMemory feeds binary data without and with many newlines: it must not grow.
func TestCaptureMemory(t *testing.T) {
	c := newCapture(clock())
	rnd := rand.New(rand.NewSource(1))
	buf := make([]byte, 64<<10)
	for range 200 {
		rnd.Read(buf)
		c.add(crash.UnknownStream, buf)
	}
	for i := range buf {
		buf[i] = 'x'
	}
	for range 200 {
		c.add(crash.UnknownStream, buf)
	}
	size := 0
	for _, l := range c.snapshot().Lines {
		size += len(l.Text)
	}
	if size > (headLines+tailLines+1)*lineBytes {
		t.Errorf("%d bytes kept", size)
	}
	for i := range c.tail {
		if cap(c.tail[i].text) > 2*lineBytes {
			t.Errorf("a slot holds %d bytes", cap(c.tail[i].text))
		}
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("a\nb\n\nc"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		size := int(piece) + 1
		whole, pieces := newCapture(clock()), newCapture(clock())
		whole.add(crash.Stdout, data)
		for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			pieces.add(crash.Stdout, rest[:min(size, len(rest))])
		}
		a, b := whole.snapshot(), pieces.snapshot()
		if len(a.Lines) != len(b.Lines) || a.Dropped != b.Dropped {
			t.Fatalf("%d lines, %d dropped; in pieces %d, %d", len(a.Lines), a.Dropped, len(b.Lines), b.Dropped)
		}
		for i := range a.Lines {
			if a.Lines[i].Text != b.Lines[i].Text || a.Lines[i].Whole != b.Lines[i].Whole {
				t.Fatalf("line %d: %+v, in pieces %+v", i, a.Lines[i], b.Lines[i])
			}
		}
	})
}
