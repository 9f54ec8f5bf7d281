package heuristics

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/profile"
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
	h.Blame.Symbol, h.Blame.Extern = strings.TrimSuffix(symbol, coldSuffix), extern
	h.Blame.Source = c.line(symbol)
	h.look(h.Blame.Source)
	for _, s := range []string{extern, symbol} {
		if s != "" {
			h.look(c.Profile.SourcesFor(s)...)
		}
	}
}

// coldSuffix marks the part of a function that compilers move away from the rest because it seldom runs.
const coldSuffix = ".cold"

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

// line is file:line of a function on the stack where debug information tells it.
func (c *Case) line(symbol string) string {
	v := c.facts()
	for i := range v.stack.frames {
		if symbol == "" || v.stack.symbol(i) != symbol {
			continue
		}
		for _, call := range v.stack.frames[i].Inlined {
			if call.File != "" && call.Line > 0 {
				return fmt.Sprintf("%s:%d", call.File, call.Line)
			}
		}
		return ""
	}
	return ""
}

// disassemble is a command that shows the code around an address.
func (c *Case) disassemble(symbol string) string {
	path := c.exe()
	if symbol == "" || path == "" {
		return ""
	}
	st := c.facts().stack
	for i := range st.frames {
		if st.symbol(i) == symbol+coldSuffix {
			symbol += coldSuffix // there it failed, and objdump knows that part by its own name only
			break
		}
	}
	return fmt.Sprintf("objdump -d --no-show-raw-insn --disassemble=%s %s", quote(symbol), quote(path))
}
