package report

import (
	"reflect"
	"strings"
)

// Scrub returns a deep copy of r that is safe to show and to store: every string is clean (see Clean), secrets are masked (see
// Mask), addresses are in lower case and no list is nil. The writers call it themselves; it exists for callers that look at
// single fields.
func Scrub(r *Report) *Report {
	out := scrubber{}.value(reflect.ValueOf(*r)).Interface().(Report)
	for i, arg := range r.Target.Args {
		out.Target.Args[i] = Clean(arg)
	}
	out.Target.Args = MaskArgs(out.Target.Args)
	scrubTail(out.Output.Tail, r.Output.Tail)
	lowerHex(&out)
	return &out
}

// scrubTail masks the lines of the output as one text.
func scrubTail(out, in []OutputLine) {
	lines := make([]string, len(in))
	for i := range in {
		lines[i] = Clean(in[i].Text)
	}
	maskLines(lines)
	for i := range out {
		out[i].Text = lines[i]
	}
}

// scrubber remembers the strings it has cleaned: the frames of a report name the same modules and functions many times.
type scrubber map[string]string

func (m scrubber) text(s string) string {
	out, ok := m[s]
	if !ok {
		out = Mask(Clean(s))
		m[s] = out
	}
	return out
}

// value copies v deeply and cleans and masks every string on the way: even a function's name may have been chosen by
// somebody else.
func (m scrubber) value(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(m.text(v.String())).Convert(v.Type())
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(m.value(v.Elem()))
		return p
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			s.Index(i).Set(m.value(v.Index(i)))
		}
		return s
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			c.Field(i).Set(m.value(v.Field(i)))
		}
		return c
	default:
		return v
	}
}

// lowerHex brings every address to the form of the contract. Hex is an alias of string, so they are named one by one.
func lowerHex(r *Report) {
	lower := func(h *Hex) {
		if h != nil {
			*h = strings.ToLower(*h)
		}
	}
	if r.Outcome.Signal != nil {
		lower(r.Outcome.Signal.Address)
	}
	if f := r.Fault; f != nil {
		lower(f.Value)
		lower(f.Address)
		if f.Instruction != nil {
			lower(&f.Instruction.Address)
		}
	}
	for i := range r.Provenance {
		lower(r.Provenance[i].Address)
	}
	for i := range r.Threads {
		for j := range r.Threads[i].Frames {
			lower(&r.Threads[i].Frames[j].PC)
			lower(r.Threads[i].Frames[j].Offset)
		}
	}
}
