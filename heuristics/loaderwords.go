package heuristics

import (
	"regexp"

	"meshdiag/lazyregexp"
)

// LoaderFailure is what the dynamic loader said of its failure. What it did not say is "".
type LoaderFailure struct {
	Program string // who was to run, as the loader names it
	Library string // the library that was not found or is not fit, or that should have the symbol or version
	Symbol  string
	Version string // of the symbol, or the one that the library lacks
	By      string // the file that needs it
	Reason  string // in the loader's words
	Late    bool   // the words are dlerror(3)'s: the program itself asked for the library while it ran, and may live without
}

// loaderForms are the loader's sentences; the groups have the names of LoaderFailure's fields in lower case.
var loaderForms = []func() *regexp.Regexp{
	// glibc elf/dl-error-skeleton.c, dl-load.c
	lazyregexp.New(`^(?:(?P<program>.+?): )?error while loading shared libraries: (?P<library>[^:]+): (?P<reason>.*)$`),
	// glibc elf/dl-lookup.c
	lazyregexp.New(`^(?:(?P<program>.+?): )?symbol lookup error: (?P<by>[^:]+): undefined symbol: (?P<symbol>[^,\s]+)(?:, version (?P<version>\S+))?`),
	lazyregexp.New(`^(?:(?P<program>.+?): )?relocation error: (?P<by>[^:]+): symbol (?P<symbol>[^,\s]+), version (?P<version>\S+) not defined in file (?P<library>\S+)`),
	lazyregexp.New(`^(?:(?P<program>.+?): )?relocation error: (?P<by>[^:]+): symbol (?P<symbol>[^,\s]+)`),
	// glibc elf/dl-version.c
	lazyregexp.New("^(?:(?P<program>.+?): )?(?P<library>[^:]+): version `(?P<version>[^']+)' not found \\(required by (?P<by>[^)]+)\\)"),
	// musl ldso/dynlink.c
	lazyregexp.New(`^Error loading shared library (?P<library>[^:]+): (?P<reason>.*?) \(needed by (?P<by>[^)]+)\)$`),
	lazyregexp.New(`^Error relocating (?P<by>[^:]+): (?P<symbol>\S+): symbol not found$`),
}

// lateForms are what dlerror(3) says; programs print it with words of their own around it.
var lateForms = []func() *regexp.Regexp{
	lazyregexp.New(`(?P<library>[^\s:'"(]+): (?P<reason>cannot open shared object file: .*?)["')]*$`),
	lazyregexp.New(`(?P<by>[^\s:'"(]+): undefined symbol: (?P<symbol>[\w.$@]+)(?:, version (?P<version>\S+))?`),
}

// ReadLoaderWords takes apart a line in which the dynamic loader says why it gave up.
func ReadLoaderWords(line string) (LoaderFailure, bool) {
	for _, re := range loaderForms {
		if f, ok := loaderForm(re, line); ok {
			return f, true
		}
	}
	for _, re := range lateForms {
		if f, ok := loaderForm(re, line); ok {
			f.Late = true
			return f, true
		}
	}
	return LoaderFailure{}, false
}

func loaderForm(re func() *regexp.Regexp, line string) (f LoaderFailure, ok bool) {
	m := re().FindStringSubmatch(line)
	if m == nil {
		return f, false
	}
	for i, name := range re().SubexpNames() {
		switch name {
		case "program":
			f.Program = m[i]
		case "library":
			f.Library = m[i]
		case "symbol":
			f.Symbol = m[i]
		case "version":
			f.Version = m[i]
		case "by":
			f.By = m[i]
		case "reason":
			f.Reason = m[i]
		}
	}
	return f, true
}

// LoaderFailed is the first thing that the dynamic loader said of its failure in this case.
func (c *Case) LoaderFailed() (LoaderFailure, bool) {
	m := c.message(idMissing, kindLoad)
	if m == nil {
		return LoaderFailure{}, false
	}
	return ReadLoaderWords(m.Line.Text)
}

// title is the failure in one line.
func (f LoaderFailure) title(who string) string {
	who = or(f.By, or(f.Program, who))
	switch {
	case f.Symbol != "" && f.Library != "":
		return who + " calls " + f.symbol() + ", which " + f.Library + " does not define"
	case f.Symbol != "":
		return who + " needs " + f.symbol() + ", which no loaded library defines"
	case f.Version != "":
		return who + " needs " + f.Version + ", which " + f.Library + " does not have"
	case f.Library != "" && missingFile(f.Reason):
		return "The library " + f.Library + ", which " + who + " needs, is not found"
	case f.Library != "":
		return "The library " + f.Library + ", which " + who + " needs, cannot be loaded: " + f.Reason
	}
	return "The dynamic loader gave up"
}

func (f LoaderFailure) symbol() string {
	if f.Version == "" {
		return f.Symbol
	}
	return f.Symbol + " (version " + f.Version + ")"
}

var noSuchFile = lazyregexp.New(`(?i)no such file|cannot open shared object file$`)

func missingFile(reason string) bool { return noSuchFile().MatchString(reason) }
