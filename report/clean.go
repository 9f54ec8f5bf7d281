package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks in a row are believed to be writing. More of them grow over the lines above and
// below ("zalgo" text) and are shown as escapes.
const maxMarks = 3

// Clean makes a string of the target fit to stand on one line of a report. What a terminal, a browser or an agent would
// act upon or fail to show comes out as a visible escape: control characters and C1 (\x1b, \u009b), bidirectional and
// zero-width characters, tags and variation selectors (\u202e, \U000e0041), private use, invalid UTF-8 (\xff). Tabs and
// wide spaces become one space, inner line breaks become \n, and line breaks at the end are dropped.
// Clean(Clean(s)) == Clean(s).
func Clean(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
			i, marks = i+1, 0
			continue
		}
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		writeClean(&b, r, marks > maxMarks)
		i += n
	}
	return b.String()
}

// isPlain reports whether s is printable ASCII: the common case, and then nothing is copied.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func writeClean(b *strings.Builder, r rune, tooMany bool) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t' || unicode.Is(unicode.Zs, r):
		b.WriteByte(' ')
	case r < 0x20 || r == 0x7f:
		fmt.Fprintf(b, `\x%02x`, r)
	case !tooMany && unicode.IsPrint(r) && !invisible(r):
		b.WriteRune(r)
	case r > 0xffff:
		fmt.Fprintf(b, `\U%08x`, r)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// invisible holds what Go counts as printable although nothing shows: fillers, variation selectors, the braille blank.
// Text can be hidden in them from people while programs still read it.
func invisible(r rune) bool {
	return r == 0x2800 || unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}
