package heuristics

import (
	"meshdiag/startup"
)

var staleArtifact = Heuristic{Doc: docStale, Run: runStale}

func runStale(c *Case) Finding {
	describe := func(h *Hypothesis, text string) {
		h.Title = "The program or its runtime is out of date"
		h.Summary = upper(text) + ". Check the artefact before the cause: several crashes were misread for days because an old binary was under test."
		h.next("build the runtime and the program again from clean, and run that")
	}
	hs := c.spoken(idStale, func(h *Hypothesis, m *startup.Message) { describe(h, or(m.Text, m.Line.Text)) })
	hs = c.probed(idStale, hs, describe)
	if c.staleStack() {
		h := hypothesis(idStale, "")
		if len(hs) > 0 {
			h = hs[0]
		} else {
			describe(h, "the runtime in this binary is an old one")
			hs = append(hs, h)
		}
		h.fact(true, "old-stack-size", "artefact", wOldStackSize, "its actor stacks have %s, as those of older runtimes; the current ones have %s",
			size(c.Stack.Region.Size()), size(c.Profile.Stacks.Actor))
	}
	return finding(hs...)
}

var docStale = Doc{
	ID:    idStale,
	Title: "What runs is not what was built last",
	Text: `An old program, an old runtime archive or a mix of both is under test. It fails in ways that the sources do not explain. Of the
misreadings on record several lasted for days because of this: check the artefact before the cause. What is found stands
before the cause in the report.

Where a runtime archive lies near the program, the machine code of the runtime's functions in both is compared, leaving
out what a linker changes: that proves which archive the program was linked with, whatever the dates say. Dates alone are
a hint. A file that was replaced while it ran counts only if its build ID is another one.

Example: actor stacks of 64 KiB in a program whose runtime gives 512 KiB since long ago.`,
	For:            []string{"sizes or messages that only older runtimes have", "runtime functions whose code differs from that in the archive, or that it lacks", "a file whose build ID changed while it ran", "dates: a program that is older than its archive or IR"},
	Against:        []string{"the archive has the same code", "build ids of file and memory agree"},
	FalsePositives: []string{"a program that was configured to an old setting on purpose", "dates that a copy or a checkout has changed"},
	Fix:            []string{"build runtime and program again from clean", "put a version of the runtime into the program and compare at start"},
}
