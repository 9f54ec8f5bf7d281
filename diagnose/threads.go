package diagnose

import (
	"meshdiag/heuristics"
	"meshdiag/report"
	"meshdiag/symbols"
)

// A report lists the innermost and the outermost frames of a deep stack; the frames' indexes tell how many lie between.
const (
	innerFrames = 96
	outerFrames = 32
)

// threads lists the stacks, the dying thread first.
func (w *walk) threads() []report.Stack {
	out := []report.Stack{}
	if w.crash.Focus >= 0 {
		out = append(out, w.stack(w.crash.Focus))
	}
	for i := range w.c.Stacks {
		if i != w.crash.Focus && len(w.c.Stacks[i].Frames) > 0 {
			out = append(out, w.stack(i))
		}
	}
	return out
}

func (w *walk) stack(i int) report.Stack {
	st := &w.c.Stacks[i]
	t := &w.crash.Threads[i]
	s := report.Stack{TID: t.TID, Name: said(t.Name), Role: string(w.c.Roles[i].Role), Crashed: i == w.crash.Focus,
		Waits: opt(w.waiting(i)), Wait: w.wait(i), Frames: []report.Frame{}, Truncated: opt(st.Truncated)}
	infos, marks := w.c.Frames, heuristics.Marks(&w.c)
	if i != w.crash.Focus {
		infos, marks = w.describe(st), nil
	}
	for j := range st.Frames {
		if j < innerFrames || j >= len(st.Frames)-outerFrames {
			s.Frames = append(s.Frames, frames(&st.Frames[j], &infos[j], marks[j])...)
		}
	}
	return s
}

// frames are one physical frame and the functions inlined into it, innermost first.
func frames(f *symbols.Frame, info *heuristics.FrameInfo, mark string) []report.Frame {
	base := report.Frame{Index: f.Index, PC: *hex(f.Code.Addr), Symbol: opt(f.Symbol.Name), Demangled: opt(f.Demangled),
		Kind: string(info.Kind), Part: opt(info.Part), Trust: trust(f.Trust), Why: opt(f.Why), Mark: opt(mark),
		Language: language(f, info)}
	if info.Readable != "" {
		base.Demangled = opt(info.Readable)
	}
	if f.Module != nil {
		base.Module, base.BuildID, base.Offset = opt(f.Module.Path), opt(f.Module.BuildID), hex(f.Offset)
	}
	if len(f.Inlined) == 0 {
		return []report.Frame{base}
	}
	var out []report.Frame
	for _, call := range f.Inlined {
		g := base
		g.Inlined, g.File = call.Inlined, opt(call.File)
		if call.Line > 0 {
			line := call.Line
			g.Line = &line
		}
		if call.Inlined {
			g.Symbol, g.Mark, g.Part = nil, nil, nil
			g.Demangled = opt(call.Function)
		}
		out = append(out, g)
	}
	return out
}

// trust maps the unwinder's levels to the contract's three.
func trust(t symbols.Trust) string {
	if t == symbols.TrustFP {
		return string(symbols.TrustScan)
	}
	return string(t)
}

// language is the contract's "mesh", "rust", "c" or null.
func language(f *symbols.Frame, info *heuristics.FrameInfo) *string {
	switch {
	case info.Kind == "mesh":
		return opt("mesh")
	case f.Language == symbols.LangRust:
		return opt("rust")
	case f.Language == symbols.LangC, f.Language == symbols.LangCPP:
		return opt("c")
	}
	return nil
}
