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

// Pattern is a regular expression of a profile. It is compiled when it is first needed: a table holds more than a
// hundred patterns and a diagnosis uses a few of them. A text that a match needs is found first, so that most patterns
// are never compiled at all.
type Pattern struct {
	src     string
	literal string // text that every match contains; "" none known
	once    sync.Once
	re      *regexp.Regexp
}

// NewPattern checks a regular expression (RE2 syntax). The error says what is wrong with it.
func NewPattern(src string) (*Pattern, error) {
	if len(src) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil, err
	}
	// Compile refuses what Parse lets through only for patterns too large; do it now where that is possible.
	if strings.ContainsRune(src, '{') {
		if _, err := regexp.Compile(src); err != nil {
			return nil, err
		}
	}
	return &Pattern{src: src, literal: requiredLiteral(parsed)}, nil
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

func (p *Pattern) possible(s string) bool {
	return p != nil && strings.Contains(s, p.literal)
}

func (p *Pattern) regexp() *regexp.Regexp {
	p.once.Do(func() {
		re, err := regexp.Compile(p.src)
		if err != nil { // NewPattern let it through, so only its size can be the reason: it then matches nothing
			re = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)
		}
		p.re = re
	})
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
