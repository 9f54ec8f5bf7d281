package heuristics

import (
	"fmt"

	"golang.org/x/sys/unix"

	"meshdiag/provenance"
)

var truncatedMapping = Heuristic{Doc: docPastFile, Run: runPastFile}

func runPastFile(c *Case) Finding {
	f := c.Fault
	if f == nil {
		return Finding{}
	}
	v := c.facts()
	if f.Class != provenance.ClassPastFile {
		return finding(c.noSpaceBehind())
	}
	h := hypothesis(idPastFile, "")
	h.fact(v.is(unix.SIGBUS), "sigbus", "signal", wSigbus, "the signal is SIGBUS: the address is mapped, but there is nothing behind it")
	h.fact(true, "past-file", "place", wPastFile, "the page lies behind the end of the file that is mapped there: %s", region(c))
	c.blameSuspect(h)
	h.Title = fmt.Sprintf("%s read behind the end of a mapped file", v.suspectName())
	h.Summary = "The file is shorter than its mapping: it was cut after it had been mapped, or mapped with too great a length. " + region(c)
	h.next("find who shortens the file while it is mapped; replace files by rename instead of writing over them")
	return finding(h)
}

// noSpaceBehind: the file is long enough, and the file system had no block for the page that was touched first.
func (c *Case) noSpaceBehind() *Hypothesis {
	v := c.facts()
	for _, k := range c.Checks {
		if k.OK || k.Cause != idPastFile || !v.is(unix.SIGBUS) {
			continue
		}
		h := hypothesis(idPastFile, kindNoSpace)
		h.fact(true, "sigbus", "signal", wSigbus, "the signal is SIGBUS: the address is mapped, but there is nothing behind it")
		h.fact(true, "check-"+k.ID, "place", wNoSpace, "a check from outside found: %s", k.Detail)
		c.blameSuspect(h)
		h.Title = fmt.Sprintf("%s touched a page of a mapped file for which its file system has no space", v.suspectName())
		h.Summary = "The file is long enough, but has holes: a block is only sought when a page is first touched, and there was none left. " + upper(k.Detail) + "."
		h.next(k.Next...)
		h.next("reserve the blocks before the file is mapped: posix_fallocate, whose error can be handled")
		return h
	}
	return nil
}

var docPastFile = Doc{
	ID:    idPastFile,
	Title: "Access behind the end of a mapped file",
	Kinds: map[string]string{kindNoSpace: "the file is long enough, but its file system had no block left for the page (a full tmpfs, /dev/shm)"},
	Text: `A file was mapped and is shorter than its mapping. Pages wholly behind its end are mapped but have nothing behind them, and
touching one raises SIGBUS. Nearly always somebody cut the file after it was mapped: a log rotation with copytruncate,
a program that writes a new version over the old one, a package upgrade in place.

The same signal comes when the file is long enough but has a hole there, and its file system is full: the block would only
have been given at the first touch.

Example: mmap of 8192 bytes, ftruncate(fd, 100) by another process, read at offset 5000.`,
	For:            []string{"SIGBUS, and the address lies in a file mapping behind the last page of the file", "or its file system has nothing free"},
	Against:        []string{"SIGBUS for a misaligned access", "the file is long enough"},
	FalsePositives: []string{"a disk error raises the same signal"},
	Fix:            []string{"replace files by writing a new one and renaming it", "map no more than the file's size, and lock it if it may change"},
}
