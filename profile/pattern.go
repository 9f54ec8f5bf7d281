package profile

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// maxPattern bounds the length of one pattern in a user's file.
const maxPattern = 4096

// Pattern is a regular expression of a profile. It is parsed and compiled when it is first needed: the tables hold far
// more patterns than one diagnosis uses. A text that every match contains is looked for first, so that most patterns are
// never compiled at all.
type Pattern struct {
	src     string
	parse   sync.Once
	needs   []string // every match contains one of these; nil none known
	compile sync.Once
	re      *regexp.Regexp
}

// NewPattern checks a regular expression (RE2 syntax). The error says what is wrong with it.
func NewPattern(src string) (*Pattern, error) {
	if len(src) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if programSize(re) > maxProgram {
		return nil, fmt.Errorf("pattern is too large: its repetitions multiply to more than %d steps", maxProgram)
	}
	return &Pattern{src: src}, nil
}

// maxProgram bounds what a pattern compiles to: repetitions of repetitions grow fast.
const maxProgram = 20000

// programSize estimates the instructions that re compiles to.
func programSize(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += programSize(sub)
		if n > maxProgram {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// String is the expression's source.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.src
}

// MatchString reports whether the pattern matches s. A nil pattern matches nothing.
func (p *Pattern) MatchString(s string) bool {
	return p.possible(s) && p.regexp().MatchString(s)
}

// FindStringSubmatch returns the match and its groups, nil when there is none.
func (p *Pattern) FindStringSubmatch(s string) []string {
	if !p.possible(s) {
		return nil
	}
	return p.regexp().FindStringSubmatch(s)
}

// FindStringSubmatchIndex returns the byte offsets of the match and its groups, nil when there is none.
func (p *Pattern) FindStringSubmatchIndex(s string) []int {
	if !p.possible(s) {
		return nil
	}
	return p.regexp().FindStringSubmatchIndex(s)
}

// possible reports whether s contains what a match must contain.
func (p *Pattern) possible(s string) bool {
	if p == nil {
		return false
	}
	p.parse.Do(func() {
		var known bool
		if p.needs, known = knownNeeds()[p.src]; !known {
			p.needs = neededBy(p.src)
		}
	})
	if p.needs == nil {
		return true
	}
	for _, text := range p.needs {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// regexp compiles the pattern. It was parsed with the same flags before, and nothing else of compiling can fail.
func (p *Pattern) regexp() *regexp.Regexp {
	p.compile.Do(func() { p.re = regexp.MustCompile(p.src) })
	return p.re
}

// expand fills a template's $1.. with the groups of a match.
func (p *Pattern) expand(template, s string, match []int) string {
	if template == "" || !strings.ContainsRune(template, '$') {
		return template
	}
	return string(p.regexp().ExpandString(nil, template, s, match))
}

// neededBy parses a pattern for the texts of which every match contains at least one.
func neededBy(src string) []string {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil
	}
	return needed(re)
}

// knownNeeds are the texts that the patterns of the embedded profiles need, worked out before: parsing them would take a
// tenth of a diagnosis. The file is made by `go test ./profile -run Needs -update`.
var knownNeeds = sync.OnceValue(func() map[string][]string {
	file, err := data.ReadFile("data/needs.tsv")
	if err != nil {
		panic(err) // the file is part of the program
	}
	text := string(file)
	known := make(map[string][]string, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		src, list, some := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		known[src] = nil
		if some {
			known[src] = strings.Split(list, "\t")
		}
	}
	return known
})

// needed lists texts of which every match of re contains at least one; nil when there is no such list.
func needed(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if list := needed(sub); shortest(list) > shortest(best) {
				best = list
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			list := needed(sub)
			if list == nil || len(all) > maxNeeded {
				return nil
			}
			all = append(all, list...)
		}
		return all
	}
	return nil
}

// maxNeeded bounds the texts that are looked for instead of trying the pattern.
const maxNeeded = 256

// shortest is the length of the shortest text: the longer it is, the fewer strings contain it by chance.
func shortest(list []string) int {
	n := 0
	for i, s := range list {
		if i == 0 || len(s) < n {
			n = len(s)
		}
	}
	return n
}
