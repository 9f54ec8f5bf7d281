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
	literal string // text that every match contains; "" none known
	compile sync.Once
	re      *regexp.Regexp
}

// NewPattern checks a regular expression (RE2 syntax). The error says what is wrong with it.
func NewPattern(src string) (*Pattern, error) {
	if len(src) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	if _, err := syntax.Parse(src, syntax.Perl); err != nil {
		return nil, err
	}
	return &Pattern{src: src}, nil
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

// possible reports whether s contains what every match contains.
func (p *Pattern) possible(s string) bool {
	if p == nil {
		return false
	}
	p.parse.Do(func() {
		if re, err := syntax.Parse(p.src, syntax.Perl); err == nil {
			p.literal = requiredLiteral(re)
		}
	})
	return strings.Contains(s, p.literal)
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

// requiredLiteral is the longest text that every match of re must contain.
func requiredLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiteral(re.Sub[0])
	case syntax.OpConcat:
		best := ""
		for _, sub := range re.Sub {
			if s := requiredLiteral(sub); len(s) > len(best) {
				best = s
			}
		}
		return best
	}
	return ""
}
