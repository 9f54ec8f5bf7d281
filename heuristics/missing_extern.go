package heuristics

import (
	"fmt"
	"strings"

	"meshdiag/crash"
	"meshdiag/provenance"
	"meshdiag/startup"
)

var missingExtern = Heuristic{Doc: docMissing, Run: runMissing}

// loaderExit is the status with which the dynamic loader gives up (glibc elf/dl-error.c, and shells for a command that
// could not be run).
const loaderExit = 127

func runMissing(c *Case) Finding {
	f := finding(c.missingAtLoad(), c.missingAtLink(), c.missingAtCall())
	if len(f.Hypotheses) > 0 || c.Fault == nil {
		return f
	}
	if !c.Fault.BranchBad && c.Profile != nil { // without a runtime of externs nobody suspects one
		return f.ruledOut(idMissing, "the program counter (%s) is in code: the call that led there was resolved", hex(c.Fault.PC))
	}
	return f
}

// missingAtLoad: the dynamic loader did not find a symbol or a library.
func (c *Case) missingAtLoad() *Hypothesis {
	m := c.message(idMissing, kindLoad)
	if m == nil {
		return nil
	}
	h := hypothesis(idMissing, kindLoad)
	f, _ := ReadLoaderWords(m.Line.Text)
	name := or(f.Symbol, or(f.Library, missingName(m.Line.Text)))
	checked := wCheckFailed
	if f.Late {
		// The program asked for it while it ran, and may do without: only if it gave up over it, that is the cause.
		aside := c.aside(m)
		h.fact(!aside, "loader-words", "words", wLateWords, "the last it said is that something could not be loaded: %q", m.Line.Text)
		h.fact(aside, "loader-words", "words", wLateAside, "it said that something could not be loaded, and went on: %q", m.Line.Text)
		if !aside {
			c.ended(h)
		}
		checked = wLateAside
	} else {
		h.fact(true, "loader-words", "words", wLoaderWords, "the dynamic loader said: %q", m.Line.Text)
		h.fact(c.Crash.Outcome.End == crash.EndExit && c.Crash.Outcome.ExitCode == loaderExit, "loader-exit", "end", wLoaderExit, "the exit status is %d", loaderExit)
		h.fact(c.Startup.Last >= 0, "had-started", "end", wHadStarted, "the program had already started")
	}
	c.blame(h, name, name)
	h.Title = f.title(c.exe())
	h.Summary = upper(m.Text) + "."
	found := false
	for _, k := range c.Checks {
		if !k.OK && k.Cause == idMissing && k.Kind == kindLoad {
			found = true
			h.fact(true, "check-"+k.ID, "check", checked, "a search on the files: %s", k.Detail)
			h.next(k.Next...)
		}
	}
	if !found {
		h.next(m.Next...)
		h.next("ldd -r "+quote(c.exe()), "check which library is found and how old it is: LD_DEBUG=libs,symbols "+quote(c.exe()))
	}
	return h
}

// aside reports whether a line tells of something that the program asked the loader for while it ran and, as it went on to
// speak of other things, could do without.
func (c *Case) aside(m *startup.Message) bool {
	f, ok := ReadLoaderWords(m.Line.Text)
	return ok && f.Late && c.lastLine() != m.Line.Text
}

// missingAtLink: what was run was a build, and the linker did not find a symbol.
func (c *Case) missingAtLink() *Hypothesis {
	m := c.message(idMissing, kindLink)
	if m == nil {
		return nil
	}
	h := hypothesis(idMissing, kindLink)
	name := missingName(m.Line.Text)
	h.fact(true, "linker-words", "words", wLoaderWords, "the linker or compiler said: %q", m.Line.Text)
	h.fact(c.Crash.Outcome.End == crash.EndExit && c.Crash.Outcome.ExitCode != 0, "build-failed", "end", wLoaderExit,
		"the build ended with status %d", c.Crash.Outcome.ExitCode)
	c.blame(h, name, name)
	h.Title = fmt.Sprintf("The build refers to %s, which nothing defines", or(name, "a symbol"))
	h.Summary = "The linker found no definition: " + m.Line.Text
	h.next(m.Next...)
	h.next("check that the runtime archive that is linked defines it: nm --defined-only LIBRARY | grep -w " + quote(or(name, "SYMBOL")))
	return h
}

// missingAtCall: a symbol was left unresolved, and the call of it went to address 0 or to the start of the file.
func (c *Case) missingAtCall() *Hypothesis {
	f := c.Fault
	if f == nil || !f.BranchBad || f.BadRet {
		return nil
	}
	v := c.facts()
	k := c.badBranch()
	if !k.linked() {
		return nil
	}
	h := hypothesis(idMissing, kindNullCall)
	null := f.AddressOK && f.Address == 0
	base := c.atImageBase(f)
	h.fact(null, "target-null", "target", wTargetNull, "the call went to address 0")
	h.fact(base, "target-base", "target", wTargetBase, "the call went to the first byte of the program's image, which is address 0 before it was moved")
	h.fact(k.slot != "", "named-slot", "call", wNamedSlot, "the call is one of %s, which nothing defined (%s)", k.slot, k.insn)
	h.fact(k.slot == "" && k.direct, "direct-call", "call", wDirectCall, "the call names its target itself (%s): only the linker can have left it empty", k.insn)
	who := c.caller()
	symbol := v.stack.symbol(who)
	c.blame(h, symbol, k.slot)
	name := or(k.slot, "a function that was never linked")
	h.Title = fmt.Sprintf("%s calls %s, which is missing from the runtime that was linked", v.stack.name(who), name)
	h.Summary = fmt.Sprintf("The symbol was left unresolved (weak or ignored by the linker), so the call of %s goes nowhere.", name)
	h.next("list what the program leaves unresolved: nm -u "+quote(c.exe())+"; readelf -Ws "+quote(c.exe())+" | grep ' UND '",
		"link a runtime archive that defines it, and without flags that ignore unresolved symbols")
	return h
}

// atImageBase reports whether a bad program counter is the load address of a module.
func (c *Case) atImageBase(f *provenance.Fault) bool {
	if !f.AddressOK || f.Address == 0 {
		return false
	}
	m, ok := c.Crash.MappingAt(f.Address)
	return ok && m.Path != "" && !strings.HasPrefix(m.Path, "[") && m.Offset == 0 && m.Start == f.Address
}

// exe is the path of the executable, to be typed; one that was replaced while it ran has the kernel's " (deleted)" behind it.
func (c *Case) exe() string {
	return or(strings.TrimSuffix(c.Crash.Target.ExePath, " (deleted)"), c.Crash.Target.Path)
}

// missingName is the symbol or library that a loader's or linker's message is about, "" when it names none.
func missingName(line string) string {
	for _, before := range []string{"undefined symbol: ", "undefined reference to ", "shared libraries: ", "symbol "} {
		_, rest, ok := strings.Cut(line, before)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, "`'\"")
		if end := strings.IndexAny(rest, "'`\":, \t"); end >= 0 {
			rest = rest[:end]
		}
		return rest
	}
	return ""
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

var docMissing = Doc{
	ID:    idMissing,
	Title: "The program refers to a function that nobody defines",
	Kinds: map[string]string{
		kindLink:     "the linker or compiler refused: undefined reference",
		kindLoad:     "the dynamic loader refused: symbol lookup error, or a library that is missing",
		kindNullCall: "it was linked all the same, and the call goes to address 0",
	},
	Text: `The same mistake shows in three ways, by how the program is linked. Statically, the linker refuses. With a shared runtime
the loader refuses at start or at the first call, with exit status 127. With a weak reference, or a linker told to
ignore unresolved symbols, everything seems well until the call: it goes to address 0, or in a position-independent
program to the first byte of the image.

After a refusal of the loader its search is repeated on the files, without running anything: who needs the library, each
place where it was sought (RPATH, LD_LIBRARY_PATH, RUNPATH, cache, default folders) and what stood there (a library for
another architecture, a linker script, a noexec mount), and which file of this machine has the library, the symbol or the
version.

Example: "./app: symbol lookup error: ./app: undefined symbol: rt_pool_stats". Or: SIGSEGV with rip = 0x0, and the
return address on the stack follows "call qword ptr [rip+0x2fd2]", whose slot is that of rt_pool_stats.`,
	For: []string{
		"the loader's or linker's own words, and exit status 127",
		"a search on the files that finds it missing, too",
		"the program counter is 0 (or the base of the image) and the call names its target: a direct call, or one through the slot of a named symbol",
	},
	Against: []string{
		"the program counter is in code: the call was resolved",
		"the call goes through a pointer that was read from data (see bad-dispatch)",
	},
	FalsePositives: []string{"a weak function that is meant to be optional, called without the test for NULL that belongs before it: true, but the fix is the test"},
	Fix: []string{
		"nm -u PROGRAM lists what is unresolved; nm --defined-only LIBRARY shows what the runtime offers",
		"link the runtime that the compiler was built for; remove flags that ignore unresolved symbols",
	},
}
