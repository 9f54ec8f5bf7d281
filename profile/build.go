package profile

import (
	"bytes"
	"fmt"
)

// builder turns the rows of a file into the profile's types and keeps the first error.
type builder struct {
	vars    vars
	name    string
	text    []byte // of the file itself, to say the line of a bad pattern
	trusted bool   // embedded: its patterns are checked by a test, not at every start
	err     error
}

func (b *builder) pattern(where, src string) *Pattern {
	if src == "" {
		return nil
	}
	filled := b.vars.pattern(src)
	if b.trusted {
		return &Pattern{src: filled}
	}
	p, err := NewPattern(filled)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("profile %s: %s: %w", b.place(src), where, err)
	}
	return p
}

// place is the file's name with the line where a text stands, when it is found as it is (not in an inherited file, not
// with escapes).
func (b *builder) place(text string) string {
	i := bytes.Index(b.text, []byte(text))
	if i < 0 {
		return b.name
	}
	return fmt.Sprintf("%s:%d", b.name, 1+bytes.Count(b.text[:i], []byte("\n")))
}

func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("profile %s: %s", b.name, fmt.Sprintf(format, args...))
	}
}

// build makes the profile of a decoded file.
func (f *file) build(name string, text []byte, trusted bool) (*Profile, error) {
	v := vars{"prefix": f.Prefix}
	for key, value := range f.Vars {
		v[key] = value
	}
	b := &builder{vars: v, name: name, text: text, trusted: trusted}
	p := &Profile{ID: f.ID, Title: v.text(f.Title), Prefix: f.Prefix, Version: f.Version,
		Recognise: v.list(f.Recognise), Breakpoints: v.list(f.Breakpoints)}
	if p.Title == "" {
		p.Title = p.ID
	}
	if f.Stacks != nil {
		p.Stacks = Stacks(*f.Stacks)
	}
	b.entry(p, f.Entry)
	b.names(p, f.Names)
	b.threads(p, f.Threads)
	b.startup(p, f.Startup)
	b.messages(p, f.Messages)
	b.sources(p, f.Sources)
	b.layouts(p, f.Layouts)
	p.externs.prefix = p.Prefix
	p.externs.noLines = f.ExternLines != nil && !*f.ExternLines
	b.externs(p, f.Externs)
	b.world(p, f)
	return p, b.err
}

func (b *builder) entry(p *Profile, e *fileEntry) {
	if e == nil {
		return
	}
	p.Entry = Entry{Functions: b.vars.list(e.Functions), Print: b.vars.list(e.Print), Line: b.pattern("entry.line", e.Line)}
	for _, s := range e.Strings {
		n := StringNew{Symbol: b.vars.text(s.Symbol), Ptr: s.Ptr, Len: -1}
		if s.Len != nil {
			n.Len = *s.Len
		}
		if n.Symbol == "" || n.Ptr < 0 || n.Ptr > 5 || n.Len < -1 || n.Len > 5 {
			b.fail("entry.strings: a symbol, and arguments from 0 to 5, are needed")
		}
		p.Entry.Strings = append(p.Entry.Strings, n)
	}
}

func (b *builder) names(p *Profile, rows []fileName) {
	for i, r := range rows {
		if r.Pattern == "" || r.Kind.FrameKind == "" {
			b.fail("names row %d (%s): pattern and kind are needed", i+1, r.ID)
		}
		p.Names = append(p.Names, NameRule{ID: r.ID, On: r.On.Subject, Pattern: b.pattern("names "+r.ID, r.Pattern),
			MainOnly: r.MainOnly, Fallback: r.Fallback, Kind: r.Kind.FrameKind, Role: r.Role.Role, Part: r.Part, Readable: b.vars.text(r.Readable),
			Actor: r.Actor, Primitive: r.Primitive.Primitive, Obsolete: r.Obsolete, Source: b.vars.text(r.Source)})
	}
}

func (b *builder) threads(p *Profile, rows []fileThread) {
	for i, r := range rows {
		if r.Pattern == "" || r.Role.Role == "" {
			b.fail("threads row %d (%s): pattern and role are needed", i+1, r.ID)
		}
		p.Threads = append(p.Threads, ThreadRule{ID: r.ID, Pattern: b.pattern("threads "+r.ID, r.Pattern), Role: r.Role.Role,
			Part: r.Part, Actor: r.Actor, Source: b.vars.text(r.Source)})
	}
}

func (b *builder) startup(p *Profile, rows []fileSequence) {
	for _, r := range rows {
		s := Sequence{ID: r.ID, Source: b.vars.text(r.Source)}
		for i, ph := range r.Phases {
			if ph.ID == "" || ph.Message == "" {
				b.fail("startup %s, phase %d: id and message are needed", r.ID, i+1)
			}
			s.Phases = append(s.Phases, Phase{ID: ph.ID, Title: ph.Title, Message: b.pattern("startup "+ph.ID, ph.Message),
				Literal: b.vars.text(ph.Literal), Stream: ph.Stream.name, Optional: ph.Optional, Source: b.vars.text(ph.Source)})
		}
		p.Startup = append(p.Startup, s)
	}
}

func (b *builder) messages(p *Profile, rows []fileMessage) {
	for i, r := range rows {
		if r.ID == "" || r.Pattern == "" || r.Meaning.Meaning == "" {
			b.fail("messages row %d (%s): id, pattern and meaning are needed", i+1, r.ID)
		}
		p.Messages = append(p.Messages, MessageRule{ID: r.ID, Pattern: b.pattern("messages "+r.ID, r.Pattern),
			Stream: r.Stream.name, Meaning: r.Meaning.Meaning, Cause: r.Cause, Kind: r.Kind, Fatal: r.Fatal,
			Text: b.vars.text(r.Text), Next: b.vars.list(r.Next), Origin: r.Origin, Source: b.vars.text(r.Source),
			Thread: r.Thread, TID: r.TID, File: r.File, Line: r.Line, Payload: r.Payload, Reason: r.Reason, PayloadNext: r.PayloadNext,
			More: b.pattern("messages "+r.ID, r.More), End: b.pattern("messages "+r.ID, r.End)})
	}
}

func (b *builder) sources(p *Profile, rows []fileSource) {
	for i, r := range rows {
		if r.Pattern == "" {
			b.fail("sources row %d: a pattern is needed", i+1)
		}
		p.Sources = append(p.Sources, SourceRule{Pattern: b.pattern("sources", r.Pattern), Paths: b.vars.list(r.Paths), Why: r.Why,
			Source: b.vars.text(r.Source)})
	}
}

func (b *builder) layouts(p *Profile, rows []fileLayout) {
	for _, r := range rows {
		l := Layout{ID: r.ID, Title: r.Title, Source: b.vars.text(r.Source)}
		for _, fl := range r.Fields {
			l.Fields = append(l.Fields, Field{Offset: fl.Offset, Size: fl.Size, Name: fl.Name, Class: fl.Class.Class})
		}
		p.Values = append(p.Values, l)
	}
}

func (b *builder) externs(p *Profile, rows []fileExtern) {
	for i, r := range rows {
		if r.Symbol == "" {
			b.fail("externs row %d: a symbol is needed", i+1)
		}
		p.externs.inline = append(p.externs.inline, &Extern{Symbol: b.vars.text(r.Symbol), Rust: r.Signature,
			Params: classes(r.Params), Ret: r.Ret.Class, Declared: r.Declared || r.DeclParams != nil || r.DeclRet.Class != "",
			DeclParams: classes(r.DeclParams), DeclRet: r.DeclRet.Class, File: b.vars.text(r.File), Line: r.Line,
			LanguageName: r.Names, ReturnsNull: r.Null, NullKind: r.NullKind, Returns: r.Returns, Collects: r.Collects,
			Handle: r.Handle, HandleParams: r.HandleParams})
	}
}

func classes(list []classText) []Class {
	var out []Class
	for _, c := range list {
		out = append(out, c.Class)
	}
	return out
}
