package report

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	const width = 40
	tests := []struct{ name, in, want string }{
		{"fits", "short", "short\n"},
		{"at spaces", strings.Repeat("word ", 10), "word word word word word word word word\n  word word\n"},
		{"percent stays with its number", strings.Repeat("x", 37) + " 97 %", strings.Repeat("x", 37) + "\n  97 %\n"},
		{"a long path breaks at a joint", "/srv/" + strings.Repeat("a", 30) + "/" + strings.Repeat("b", 20), "/srv/" + strings.Repeat("a", 30) + "/\n  " + strings.Repeat("b", 20) + "\n"},
		{"a long word breaks anywhere", strings.Repeat("a", 50), strings.Repeat("a", 40) + "\n  " + strings.Repeat("a", 10) + "\n"},
		{"wide characters take two columns", strings.Repeat("世", 25), strings.Repeat("世", 20) + "\n  " + strings.Repeat("世", 5) + "\n"},
		{"accents take none", strings.Repeat("e\u0301", 40), strings.Repeat("e\u0301", 40) + "\n"},
		{"nothing", "", "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPage(TextOptions{Width: width})
			p.line(0, 2, span{tt.in, plain})
			if got := p.buf.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLabelStaysWithItsText(t *testing.T) {
	p := newPage(TextOptions{Width: 40})
	p.row("program", span{strings.Repeat("a", 60), plain})
	if got, want := p.buf.String(), "  program      "+strings.Repeat("a", 25)+"\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestLongTextSaysWhatIsMissing(t *testing.T) {
	long := strings.Repeat("é", longText+5)
	for _, tt := range []struct {
		verbose bool
		want    string
	}{{false, strings.Repeat("é", longText) + " … (5 more characters)\n"}, {true, long + "\n"}} {
		p := newPage(TextOptions{Width: 2000, Verbose: tt.verbose})
		p.line(0, 0, span{long, plain})
		if got := p.buf.String(); got != tt.want {
			t.Errorf("verbose %v: got %d bytes, want %d", tt.verbose, len(got), len(tt.want))
		}
	}
}
