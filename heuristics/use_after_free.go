package heuristics

import (
	"fmt"

	"meshdiag/provenance"
)

var useAfterFree = Heuristic{Doc: docFreed, Run: runFreed}

func runFreed(c *Case) Finding {
	v := c.facts()
	b := v.bad
	if b == nil || b.class == provenance.ClassNull {
		return Finding{}
	}
	h := hypothesis(idFreed, "")
	h.fact(b.looks == provenance.LooksPoison, "poison", "content", wPoison, "the value is a pattern that allocators write over freed memory: %s", b.text)
	if at, ok := c.freedLink(); ok && at != 0 {
		h.fact(true, "free-list-link", "content", wFreeListLink,
			"the word at %s is a protected free-list link of glibc: the object that it was read from is freed", hex(at))
	} else if ok {
		h.fact(true, "free-list-value", "content", wFreeListLink,
			"the value (%s) is what a protected free-list link of glibc looks like in this heap: it seems to be read from an object that is freed", hex(b.value))
	}
	c.blameOrigin(h)
	h.Title = fmt.Sprintf("%s used an object that was freed", v.suspectName())
	h.Summary = "What was read out of the object is what an allocator leaves in freed memory. " + c.originSentence()
	h.next("find who frees the object while " + c.readable(h.Blame.Symbol) + " still uses it: run it under valgrind, or build with -fsanitize=address")
	return finding(h)
}

// freedLink reports whether the bad value is a link of glibc's free lists, and where it stands; at is 0 when only the value
// tells.
func (c *Case) freedLink() (at uint64, ok bool) {
	b, l := c.facts().bad, c.lastLoad()
	switch {
	case b == nil || !b.known:
		return 0, false
	case l != nil && l.MemOK && c.freeListLink(l.Mem, b.value):
		return l.Mem, true
	}
	return 0, !b.index && c.linkOfHeap(b.value)
}

// pageShift is the shift of glibc's safe linking (malloc.c, PROTECT_PTR): a link is stored as (its address >> 12) ^ next.
const pageShift = 12

// freeListLink reports whether a word read from the heap decodes as a link of glibc's free lists.
func (c *Case) freeListLink(at, word uint64) bool {
	if word == 0 || c.Reader == nil || c.Reader.Classify(at).Kind != provenance.LooksHeap {
		return false
	}
	next := word ^ at>>pageShift
	if next == 0 {
		return true // the last link of its list
	}
	return next&15 == 0 && next>>24 == at>>24 && c.Reader.Classify(next).Kind == provenance.LooksHeap
}

// maxLinkHeap bounds the heap that a link is looked for in, in bytes: each page of it is one more value that fits. Rust
// programs that print a backtrace come to twenty megabytes by that alone.
const maxLinkHeap = 64 << 20

// linkReach is how far behind a link that was taken for an object a field is looked for, in bytes.
const linkReach = 64

// linkOfHeap reports whether a value decodes as a link of glibc's free lists that stands somewhere in the main heap. Such
// values lie in an image of the heap that is far from the heap itself and as small.
func (c *Case) linkOfHeap(value uint64) bool {
	for i := range c.Crash.Mappings {
		m := &c.Crash.Mappings[i]
		if m.Path != "[heap]" || m.Size() > maxLinkHeap {
			continue
		}
		for off := uint64(0); off <= linkReach && off <= value; off += 8 {
			if page := value - off; page >= m.Start>>pageShift && page < m.End>>pageShift {
				return true // the last link of its list, or the address of a field of what it was taken for
			}
		}
		for page := m.Start >> pageShift; page < m.End>>pageShift; page++ {
			if next := value ^ page; next&15 == 0 && m.Contains(next) {
				return true
			}
		}
	}
	return false
}

var docFreed = Doc{
	ID:    idFreed,
	Title: "An object was used after it was freed",
	Text: `What was read out of an object is what allocators leave behind in freed memory: a fill pattern, or a link of a free list.
glibc stores such links as (their own address >> 12) xor the next chunk, so a word that decodes like this proves that
the object is on a free list now.

Without such a mark a freed object looks like any garbage; then wild-pointer is said, not this.

Example: node->next was read from a freed node and is 0x000055555556 (the node's address shifted by 12).`,
	For:            []string{"a fill pattern of a debug allocator (0xdd.., 0xa5.., 0x6b..)", "the word read from the heap decodes as a protected free-list link", "the value is such a link of this heap, or a field's address behind one"},
	Against:        []string{"the value is NULL or a plausible object"},
	FalsePositives: []string{"an uninitialised field of a fresh object still holds what was there before: the object was allocated again and never filled"},
	Fix:            []string{"run it under valgrind or with -fsanitize=address: both name who freed it and who allocated it", "look for a second owner of the object"},
}
