package heuristics

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// hypothesis starts a hypothesis about a cause.
func hypothesis(id, kind string) *Hypothesis { return &Hypothesis{ID: id, Kind: kind} }

// fact adds one fact when it was observed. Facts of one group count as one.
func (h *Hypothesis) fact(observed bool, id, group string, weight float64, format string, args ...any) *Hypothesis {
	if observed {
		h.Evidence = append(h.Evidence, Evidence{ID: id, Group: group, Text: fmt.Sprintf(format, args...), Weight: weight})
	}
	return h
}

// supported reports whether anything speaks for the hypothesis.
func (h *Hypothesis) supported() bool {
	return slices.ContainsFunc(h.Evidence, func(e Evidence) bool { return e.Weight > 0 })
}

// next adds commands or steps, once each; empty ones are left out.
func (h *Hypothesis) next(steps ...string) {
	for _, s := range steps {
		if s != "" && !slices.Contains(h.Next, s) {
			h.Next = append(h.Next, s)
		}
	}
}

// look adds places to read, once each.
func (h *Hypothesis) look(paths ...string) {
	for _, p := range paths {
		if p != "" && !slices.Contains(h.LookAt, p) {
			h.LookAt = append(h.LookAt, p)
		}
	}
}

// finding collects the hypotheses that anything speaks for.
func finding(hs ...*Hypothesis) Finding {
	var f Finding
	for _, h := range hs {
		if h != nil && h.supported() {
			f.Hypotheses = append(f.Hypotheses, *h)
		}
	}
	return f
}

func (f Finding) ruledOut(id, format string, args ...any) Finding {
	f.RuledOut = append(f.RuledOut, RuledOut{ID: id, Why: fmt.Sprintf(format, args...)})
	return f
}

// blame sets the code to read first: a function of the program by its raw symbol and the runtime function at the
// boundary ("" none), with the places where both are written.
func (c *Case) blame(h *Hypothesis, symbol, extern string) {
	h.Blame.Symbol, h.Blame.Extern = symbols.WithoutClone(symbol), extern
	h.Blame.Source = c.line(symbol)
	h.look(h.Blame.Source)
	for _, s := range []string{extern, symbol} {
		if s != "" {
			h.look(c.Profile.SourcesFor(s)...)
		}
	}
}

// blameSuspect blames the frame to read first and the runtime function that it had called.
func (c *Case) blameSuspect(h *Hypothesis) {
	v := c.facts()
	symbol, extern := v.suspectSymbol(), ""
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
		if symbol == "" {
			symbol = extern
		}
	}
	if symbol == "" && len(v.stack.frames) > 0 && v.stack.kind(0) != profile.KindLibc {
		symbol = v.stack.symbol(0)
	}
	c.blame(h, symbol, extern)
}

// rustSources is where Rust's own build had the sources of its standard library, which is inlined into programs.
const rustSources = "/rustc/"

// line is file:line of a function on the stack where debug information tells it: the innermost place in what was inlined
// that is not the standard library's.
func (c *Case) line(symbol string) string {
	v := c.facts()
	for i := range v.stack.frames {
		if symbol == "" || v.stack.symbol(i) != symbol {
			continue
		}
		first := ""
		for _, call := range v.stack.frames[i].Inlined {
			if call.File == "" || call.Line <= 0 {
				continue
			}
			at := fmt.Sprintf("%s:%d", call.File, call.Line)
			if !strings.HasPrefix(call.File, rustSources) {
				return at
			}
			first = or(first, at)
		}
		return first
	}
	return ""
}

// disassemble is a command that shows the code of a function; "" when its file is not there.
func (c *Case) disassemble(symbol string) string {
	f := c.frameOf(symbol)
	if f != nil {
		symbol = f.Symbol.Name // a part or clone of the function: objdump knows it by its own name only
	}
	path := c.fileOf(f)
	if symbol == "" || path == "" {
		return ""
	}
	part := "--disassemble=" + quote(symbol)
	if f != nil && f.Symbol.Source == symbols.FromDebug { // the file itself does not have the name
		if f.Symbol.Size == 0 {
			return ""
		}
		start := f.Symbol.Start - f.Module.Bias
		part = fmt.Sprintf("--start-address=%#x --stop-address=%#x", start, start+f.Symbol.Size)
	}
	return fmt.Sprintf("objdump -d --no-show-raw-insn %s %s", part, quote(path))
}

// frameOf is the innermost frame of a function in a known module, or of a part or clone of it; nil when the stack has none.
func (c *Case) frameOf(symbol string) *symbols.Frame {
	frames := c.facts().stack.frames
	for i := range frames {
		if frames[i].Symbol.Name == symbol && frames[i].Module != nil {
			return &frames[i]
		}
	}
	for i := range frames {
		if symbol != "" && symbols.WithoutClone(frames[i].Symbol.Name) == symbol && frames[i].Module != nil {
			return &frames[i]
		}
	}
	return nil
}

// fileOf is the file that holds a frame's code, or else the executable; "" when it is not there.
func (c *Case) fileOf(f *symbols.Frame) string {
	switch {
	case f == nil:
	case f.Module.Problem != "":
		return ""
	case c.Crash.Target.Source == crash.SourceCore && f.Module.File() != "":
		return f.Module.File() // it need not be where the core says
	case !f.Module.Main:
		return f.Module.Path
	}
	return c.exe()
}

// needed are the steps that make more of a core: its rest, or the file with the code that failed.
func (c *Case) needed() []string {
	if c.Crash.Target.Source != crash.SourceCore {
		return nil
	}
	var steps []string
	if c.Crash.Incomplete {
		steps = append(steps, "get the whole core: a limit (ulimit -c, coredump.conf of systemd) or a full disk may have cut it")
	}
	for i := range c.facts().stack.frames {
		if m := c.facts().stack.frames[i].Module; m != nil && m.Problem != "" {
			return append(steps, "give the binaries: meshdiag core --exe FILE, --sysroot DIR, or a server in DEBUGINFOD_URLS")
		}
	}
	return steps
}

// followBack are the steps of a reader who looks for the origin of a value in a function.
func (c *Case) followBack(symbol string) []string {
	if symbol == "" {
		return nil
	}
	return []string{"follow the value back in " + c.readable(symbol), c.disassemble(symbol)}
}
