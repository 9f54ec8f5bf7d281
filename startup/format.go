package startup

import "strings"

// splitFormat cuts a printf format at its conversions and returns the constant pieces between them, without a final
// newline; a text without conversions is one piece. "%%" is a percent sign.
func splitFormat(s string) []string {
	if !strings.ContainsRune(s, '%') {
		return []string{s}
	}
	var pieces []string
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '%' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := conversion(s[i:])
		switch {
		case n == 2 && s[i+1] == '%':
			b.WriteByte('%')
		case n == 0:
			b.WriteByte('%')
			n = 1
		case b.Len() > 0:
			pieces = append(pieces, b.String())
			b.Reset()
		}
		i += n
	}
	if b.Len() > 0 {
		pieces = append(pieces, b.String())
	}
	return pieces
}

// conversion is the length of the printf conversion at the start of s, 0 when it is none (ISO C 7.21.6.1).
func conversion(s string) int {
	i := 1
	for i < len(s) && strings.IndexByte("-+ #0123456789.*'", s[i]) >= 0 {
		i++
	}
	for i < len(s) && strings.IndexByte("hlqjzt", s[i]) >= 0 {
		i++
	}
	if i < len(s) && strings.IndexByte("diouxXeEfFgGaAcspnm%", s[i]) >= 0 {
		return i + 1
	}
	return 0
}
