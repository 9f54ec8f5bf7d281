package heuristics

import (
	"fmt"

	"golang.org/x/sys/unix"

	"meshdiag/provenance"
)

var truncatedMapping = Heuristic{Doc: docPastFile, Run: runPastFile}

func runPastFile(c *Case) Finding {
	f := c.Fault
	if f == nil || f.Class != provenance.ClassPastFile {
		return Finding{}
	}
	v := c.facts()
	h := hypothesis(idPastFile, "")
	h.fact(v.is(unix.SIGBUS), "sigbus", "signal", wSigbus, "the signal is SIGBUS: the address is mapped, but there is nothing behind it")
	h.fact(true, "past-file", "place", wPastFile, "the page lies behind the end of the file that is mapped there: %s", region(c))
	c.blameSuspect(h)
	h.Title = fmt.Sprintf("%s read behind the end of a mapped file", v.suspectName())
	h.Summary = "The file is shorter than its mapping: it was cut after it had been mapped, or mapped with too great a length. " + region(c)
	h.next("find who shortens the file while it is mapped; replace files by rename instead of writing over them")
	return finding(h)
}

var docPastFile = Doc{
	ID:    idPastFile,
	Title: "Access behind the end of a mapped file",
	Text: `A file was mapped and is shorter than its mapping. Pages wholly behind its end are mapped but have nothing behind them, and
touching one raises SIGBUS. Nearly always somebody cut the file after it was mapped: a log rotation with copytruncate,
a program that writes a new version over the old one, a package upgrade in place.

Example: mmap of 8192 bytes, ftruncate(fd, 100) by another process, read at offset 5000.`,
	For:            []string{"SIGBUS, and the address lies in a file mapping behind the last page of the file"},
	Against:        []string{"SIGBUS for a misaligned access", "the file is long enough"},
	FalsePositives: []string{"a disk error or a full tmpfs raises the same signal"},
	Fix:            []string{"replace files by writing a new one and renaming it", "map no more than the file's size, and lock it if it may change"},
}
