package profile

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// externTable is the profile's table of runtime functions. It is read when the first one is asked for.
type externTable struct {
	prefix  string
	noLines bool
	inline  []*Extern
	open    func() ([]byte, error) // nil: there is no table file
	once    sync.Once
	bySym   map[string]*Extern
	order   []*Extern
	err     error
}

// externColumns are the columns of an extern table, in order. Cells: "-" is empty.
//
//	symbol    without the profile's prefix
//	file,line where it is defined in the runtime's source
//	params    classes of the definition, comma-separated
//	ret       class of the definition's result
//	decl      "-" when the compiler does not declare it, else classes in parentheses and the result: "(ptr,i64)i64"
//	names     names in the language, comma-separated
//	rust      signature in the runtime's source
//	returns   layout id of the value that the result points to
//	null_kind, null   when it may return 0 and what that means
//	flags     comma-separated: collects, handle, obsolete
//	handles   parameters that are opaque handles, from 0, comma-separated
const externColumns = "symbol\tfile\tline\tparams\tret\tdecl\tnames\trust\treturns\tnull_kind\tnull\tflags\thandles"

func (t *externTable) load() error {
	t.once.Do(func() {
		t.bySym = make(map[string]*Extern, 512)
		for _, e := range t.inline {
			t.add(e)
		}
		if t.open == nil {
			return
		}
		text, err := t.open()
		if err == nil {
			err = t.parse(string(text))
		}
		if err != nil {
			t.err = fmt.Errorf("extern table: %w", err)
		}
	})
	return t.err
}

// add keeps the first entry of a name, so that a derived profile's own rows win.
func (t *externTable) add(e *Extern) {
	if _, ok := t.bySym[e.Symbol]; !ok {
		t.bySym[e.Symbol] = e
		t.order = append(t.order, e)
	}
}

func (t *externTable) parse(text string) error {
	columns := strings.Count(externColumns, "\t") + 1
	n, header := 0, false
	lists := map[string][]Class{}
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if !header {
			if line != externColumns {
				return fmt.Errorf("line %d: the first row must name the columns: %s", n, strings.ReplaceAll(externColumns, "\t", " "))
			}
			header = true
			continue
		}
		var cells [16]string
		row := split(line, cells[:0])
		if len(row) != columns {
			return fmt.Errorf("line %d: %d columns, not %d", n, len(row), columns)
		}
		e, err := t.row(row, lists)
		if err != nil {
			return fmt.Errorf("line %d (%s): %w", n, row[0], err)
		}
		t.add(e)
	}
	if !header {
		return fmt.Errorf("it is empty")
	}
	return nil
}

// split cuts a line at tabs into to, and empties cells that are "-".
func split(line string, to []string) []string {
	for {
		cell, rest, more := strings.Cut(line, "\t")
		if cell == "-" {
			cell = ""
		}
		to = append(to, cell)
		if !more || len(to) == cap(to) {
			return to
		}
		line = rest
	}
}

func (t *externTable) row(c []string, lists map[string][]Class) (*Extern, error) {
	e := &Extern{Symbol: t.prefix + c[0], File: c[1], LanguageName: c[6], Rust: c[7], Returns: c[8], NullKind: c[9], ReturnsNull: c[10]}
	if c[0] == "" {
		return nil, fmt.Errorf("no symbol")
	}
	var err error
	if c[2] != "" && !t.noLines {
		if e.Line, err = strconv.Atoi(c[2]); err != nil || e.Line < 0 {
			return nil, fmt.Errorf("line %q is no number", c[2])
		}
	}
	if e.Params, err = classList(c[3], lists); err != nil {
		return nil, err
	}
	if e.Ret, err = class(c[4]); err != nil {
		return nil, err
	}
	if c[5] != "" {
		if err := e.declaration(c[5], lists); err != nil {
			return nil, err
		}
	}
	for flag := range strings.SplitSeq(c[11], ",") {
		switch flag {
		case "":
		case "collects":
			e.Collects = true
		case "handle":
			e.Handle = true
		case "obsolete":
			e.Obsolete = true
		default:
			return nil, fmt.Errorf("unknown flag %q", flag)
		}
	}
	if c[12] != "" {
		for s := range strings.SplitSeq(c[12], ",") {
			i, err := strconv.Atoi(s)
			if err != nil || i < 0 || i >= len(e.Params) {
				return nil, fmt.Errorf("%q is no parameter of it", s)
			}
			e.HandleParams = append(e.HandleParams, i)
		}
	}
	return e, nil
}

func (e *Extern) declaration(s string, lists map[string][]Class) error {
	params, ret, ok := strings.Cut(strings.TrimPrefix(s, "("), ")")
	if !ok || s[0] != '(' {
		return fmt.Errorf("declaration %q is not (classes)class", s)
	}
	var err error
	if e.DeclParams, err = classList(params, lists); err != nil {
		return err
	}
	e.DeclRet, err = class(ret)
	e.Declared = true
	return err
}

func class(s string) (Class, error) {
	var c classText
	if s == "" {
		s = "void"
	}
	err := c.UnmarshalText([]byte(s))
	return c.Class, err
}

// classList parses comma-separated classes; equal lists are shared.
func classList(s string, lists map[string][]Class) ([]Class, error) {
	if s == "" {
		return nil, nil
	}
	if l, ok := lists[s]; ok {
		return l, nil
	}
	var l []Class
	for word := range strings.SplitSeq(s, ",") {
		c, err := class(word)
		if err != nil {
			return nil, err
		}
		l = append(l, c)
	}
	lists[s] = l
	return l, nil
}

// Extern returns what is known of a runtime function, or nil. "@plt" and a version suffix ("@VERS", "@@VERS") are ignored.
func (p *Profile) Extern(symbol string) *Extern {
	if p == nil || p.externs.load() != nil {
		return nil
	}
	return p.externs.bySym[bareSymbol(symbol)]
}

// Externs lists all known runtime functions in the table's order.
func (p *Profile) Externs() ([]*Extern, error) {
	if p == nil {
		return nil, nil
	}
	err := p.externs.load()
	return p.externs.order, err
}

// bareSymbol cuts "@plt", "@GLIBC_2.2.5", "@@VERS" and the compiler's ".cold", ".part.0", ".llvm.123" off a symbol.
func bareSymbol(s string) string {
	if i := strings.IndexByte(s, '@'); i > 0 {
		s = s[:i]
	}
	for _, suffix := range []string{".cold", ".part.", ".llvm.", ".isra.", ".constprop."} {
		if i := strings.Index(s, suffix); i > 0 {
			s = s[:i]
		}
	}
	return s
}
