package report

import (
	"bytes"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Widths of a text report, in columns.
const (
	defaultWidth = 100
	minWidth     = 40
)

// longText is how many characters of one text are shown without --verbose: enough for any message that was written for people.
const longText = 600

// style is a look that a terminal can give to text.
type style string

const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
	blue   style = "34"
)

// span is text in one style.
type span struct {
	text  string
	style style
}

// page collects lines, wrapped to a width. Words that are longer than a line go on in the next one, and what is cut says so.
type page struct {
	buf   bytes.Buffer
	width int
	color bool
	limit int // characters of one text
}

func newPage(o TextOptions) *page {
	w := o.Width
	if w <= 0 {
		w = defaultWidth
	}
	p := &page{width: max(w, minWidth), color: o.Color, limit: longText}
	if o.Verbose {
		p.limit = math.MaxInt
	}
	return p
}

// cell is one character with its style.
type cell struct {
	r     rune
	style style
}

// line writes spans, the first line indented by first columns and those that follow by hang columns.
func (p *page) line(first, hang int, spans ...span) {
	p.labelled(first, hang, 0, spans...)
}

// labelled is line with a label of so many characters in front, which what follows it is not torn from.
func (p *page) labelled(first, hang, label int, spans ...span) {
	var cells []cell
	for _, s := range spans {
		for _, r := range cutText(s.text, p.limit) {
			cells = append(cells, cell{r, s.style})
		}
	}
	hang = min(hang, p.width/3)
	indent := first
	for {
		n := fit(cells, label, p.width-indent)
		p.emit(indent, cells[:n])
		cells = skipSpaces(cells[n:])
		if len(cells) == 0 {
			return
		}
		indent, label = hang, 0
	}
}

// fit is how many cells go on a line of so many columns: up to the last space behind the label, or else up to a joint in a long
// word, or else as many as there is room for, and always at least one.
func fit(cells []cell, label, columns int) int {
	used, space, joint := 0, 0, 0
	for i, c := range cells {
		used += runeWidth(c.r)
		if c.r == ' ' && i >= label && !(i+1 < len(cells) && cells[i+1].r == '%') { // "83 %" stays together
			space = i
		}
		if used > columns {
			switch {
			case space > 0:
				return space
			case joint > 0:
				return joint
			default:
				return max(i, 1)
			}
		}
		if strings.ContainsRune("/:,;._-)>", c.r) && used > columns/2 {
			joint = i + 1
		}
	}
	return len(cells)
}

func skipSpaces(cells []cell) []cell {
	for len(cells) > 0 && cells[0].r == ' ' {
		cells = cells[1:]
	}
	return cells
}

func (p *page) emit(indent int, cells []cell) {
	for len(cells) > 0 && cells[len(cells)-1].r == ' ' {
		cells = cells[:len(cells)-1]
	}
	if len(cells) > 0 {
		p.buf.WriteString(strings.Repeat(" ", indent))
	}
	current := plain
	for _, c := range cells {
		if p.color && c.style != current {
			p.restyle(current, c.style)
			current = c.style
		}
		p.buf.WriteRune(c.r)
	}
	if current != plain {
		p.restyle(current, plain)
	}
	p.buf.WriteByte('\n')
}

// restyle writes the SGR sequences (ECMA-48, 8.3.117) from one style to another.
func (p *page) restyle(from, to style) {
	if from != plain {
		p.buf.WriteString("\x1b[0m")
	}
	if to != plain {
		p.buf.WriteString("\x1b[" + string(to) + "m")
	}
}

// heading starts a section.
func (p *page) heading(title string) {
	p.buf.WriteByte('\n')
	p.line(0, 0, span{title, bold})
}

// labelWidth is the column in which the values of rows start.
const labelWidth = 15

// row writes a named fact.
func (p *page) row(label string, spans ...span) {
	label += strings.Repeat(" ", max(labelWidth-2-len(label), 1))
	p.labelled(2, labelWidth, len(label), append([]span{{label, faint}}, spans...)...)
}

// runeWidth is the columns that r takes on a terminal: two for wide East Asian characters, none for combining marks.
func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
