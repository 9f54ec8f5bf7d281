package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/profile"
	"meshdiag/provenance"
)

var gcTracedHandle = Heuristic{Doc: docHandle, Run: runHandle}

// headerReach is how far around an object a collector reads its header or first words.
const headerReach = 64

// runHandle claims a traced handle only where a collector frame faulted on a value that is a handle or a number.
func runHandle(c *Case) Finding {
	v := c.facts()
	if v.bad == nil || c.Profile == nil {
		return Finding{}
	}
	at := v.stack.within(v.end(), profile.PartCollector)
	if at < 0 {
		return Finding{}.ruledOut(idHandle, "no frame of the collector is on the stack, so nothing was being traced; %s", c.handleWords())
	}
	handle, from := c.liveHandle()
	number := v.bad.small()
	if !handle && !number {
		return Finding{}.ruledOut(idHandle, "the fault is in the collector (%s), but the value it failed on (%s) is no handle and no number: its list of objects was damaged",
			v.stack.name(at), v.bad.text)
	}
	h := hypothesis(idHandle, "")
	h.fact(true, "in-collector", "place", wInCollector, "the fault is in the collector: %s", v.stack.name(at))
	h.fact(handle, "is-handle", "value", wIsHandle, "the value it failed on belongs to a live handle (%s)", from)
	h.fact(number && !handle, "is-number", "value", wIsNumber, "the value it failed on is %s, as handles and tags are and pointers to objects are not", v.bad.text)
	h.fact(readsHeader(c), "reads-header", "access", wReadsHeader, "it read before the value, where an object of the heap has its header: it took the value for an object")
	h.fact(followsList(c), "follows-list", "access", wFollowsList, "it was following a list from one object to the next: the list was overwritten")
	l := c.lastLoad()
	h.fact(l != nil, "from-object", "origin", wFromObject, "the collector read it out of memory that it walks")
	c.blameSuspect(h)
	c.blame(h, h.Blame.Symbol, v.stack.symbol(at))
	h.Title = fmt.Sprintf("The collector followed a handle that is no object: %s", v.bad.text)
	h.Summary = fmt.Sprintf("%s traced a word that is not a pointer to an object of its heap and faulted on it.", v.stack.name(at))
	h.next("find where the handle is stored in an object that the collector walks; keep it out of traced fields, or make the collector check that a word is an object before it follows it",
		c.disassemble(v.stack.symbol(at)))
	return finding(h)
}

// readsHeader reports whether the access went to the words just before the value.
func readsHeader(c *Case) bool {
	b := c.facts().bad
	if b.inRust {
		return b.known && int64(b.value) < 0 && int64(b.value) >= -headerReach
	}
	return c.Fault != nil && c.Fault.Offset < 0 && c.Fault.Offset >= -headerReach
}

// followsList reports whether the faulting instruction loads a register through that same register, as the walk over a
// linked list does.
func followsList(c *Case) bool {
	f := c.Fault
	if f == nil || f.Register == "" {
		return false
	}
	_, operands, _ := strings.Cut(f.Insn, " ")
	dst, _, _ := strings.Cut(operands, ",")
	return dst == f.Register
}

// end bounds the frames below the suspect: all of them when there is no suspect.
func (v *view) end() int {
	if v.suspect < 0 {
		return len(v.stack.frames)
	}
	return v.suspect
}

// liveHandle reports whether the bad value lies at a handle that some call on the stack was given.
func (c *Case) liveHandle() (bool, string) {
	b := c.facts().bad
	if !b.known || b.value < nearNullLimit {
		return false, ""
	}
	for i := range c.Calls {
		k := &c.Calls[i]
		e := c.Profile.Extern(k.Callee)
		if e == nil {
			continue
		}
		for _, p := range e.HandleParams {
			if p >= len(k.Prepared) || !k.Prepared[p].Set || !k.Prepared[p].ValueOK {
				continue
			}
			h := k.Prepared[p].Value
			if b.value+headerReach >= h && b.value < h+headerReach {
				return true, fmt.Sprintf("%s was given %s", k.Callee, hex(h))
			}
		}
	}
	return false, ""
}

func (c *Case) handleWords() string {
	b := c.facts().bad
	switch {
	case b.class == provenance.ClassNull:
		return "0x0 is no handle"
	case !b.known:
		return "the value is not known"
	}
	if is, from := c.liveHandle(); is {
		return "the value is near a live handle all the same (" + from + ")"
	}
	return fmt.Sprintf("the value is %s", b.text)
}

var docHandle = Doc{
	ID:    idHandle,
	Title: "The garbage collector followed a handle that is no object",
	Text: `A handle (of a connection, a pool, a socket) is the address of something that the collector does not own, or just a number.
Where it is stored in a field that the collector walks, a precise collector takes it for an object, reads a header that
is not there, and faults or damages what it finds.

This is the first suspicion of many users and rarely the truth. A conservative collector that checks each word against
its own list of objects cannot be led astray by a handle. So it is claimed only where the fault is inside the collector
and the value it failed on is a live handle or a number; in all other cases it is listed as ruled out, with the reason.

Example: a pool handle 3 in a traced field; mark() reads the header at 3-16 and dies on 0xfffffffffffffff3.`,
	For: []string{
		"a frame of the collector (by the profile's names) between the fault and the program's own code",
		"the bad value equals, or lies within 64 bytes of, a handle that a call on the stack was given",
		"the bad value is a small number that the collector read out of an object",
	},
	Against: []string{
		"no collector frame on the stack: nothing was being traced",
		"the value is garbage, text or poison: the collector's list was overwritten (see heap-corruption)",
	},
	FalsePositives: []string{"an overwritten object list can contain small numbers too"},
	Fix: []string{
		"keep handles out of traced fields, or box them in an object of a kind that is not traced",
		"let the collector check that a word is on its list before it follows it",
	},
}
