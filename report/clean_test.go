package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello, world", "hello, world"},
		{"letters of other scripts stay", "grüße, мир, 世界, שלום", "grüße, мир, 世界, שלום"},
		{"colour", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"window title", "\x1b]0;owned\x07", `\x1b]0;owned\x07`},
		{"C1 as UTF-8", "\u009b31m", `\u009b31m`},
		{"C1 as a raw byte", "\x9b31m", `\x9b31m`},
		{"NUL and DEL", "a\x00b\x7f", `a\x00b\x7f`},
		{"tab", "a\tb", "a b"},
		{"wide and no-break spaces", "a\u3000b\u00a0c", "a b c"},
		{"line break at the end goes", "last\r\n", "last"},
		{"line break inside shows", "one\ntwo\rthree", `one\ntwo\rthree`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"right-to-left override", "cod\u202egnp.exe", `cod\u202egnp.exe`},
		{"bidi isolate", "\u2066x\u2069", `\u2066x\u2069`},
		{"zero width", "pass\u200bword\ufeff", `pass\u200bword\ufeff`},
		{"soft hyphen", "co\u00adop", `co\u00adop`},
		{"tags spell hidden text", "hi\U000e0041\U000e0042", `hi\U000e0041\U000e0042`},
		{"variation selectors hide bytes", "x\ufe01\U000e0101", `x\ufe01\U000e0101`},
		{"Hangul filler", "a\u3164b", `a\u3164b`},
		{"braille blank", "a\u2800b", `a\u2800b`},
		{"private use", "\ue000", `\ue000`},
		{"few accents stay", "e\u0301", "e\u0301"},
		{"many accents do not", "e\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301" + `\u0301\u0301`},
		{"invalid UTF-8", "a\xff\xc3b", `a\xff\xc3b`},
		{"surrogate in UTF-8", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"the replacement character itself", "\ufffd", "\ufffd"},
		{"only line breaks", "\n\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a\x1b[0m", "\xff\xfe", "e\u0301\u0301\u0301\u0301", "\u202e\U000e0041\n", "\ud7a4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if again := Clean(c); again != c {
			t.Errorf("not idempotent: %q, then %q", c, again)
		}
		if !utf8.ValidString(c) {
			t.Errorf("invalid UTF-8: %q", c)
		}
		if i := strings.IndexFunc(c, func(r rune) bool { return !unicode.IsPrint(r) || invisible(r) }); i >= 0 {
			t.Errorf("%q at %d of %q", c[i:], i, c)
		}
		if len(c) > 10*len(s) {
			t.Errorf("%d bytes grew to %d", len(s), len(c))
		}
	})
}
