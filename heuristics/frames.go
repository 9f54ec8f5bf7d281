package heuristics

import (
	"strings"

	"meshdiag/profile"
	"meshdiag/symbols"
)

// stack is the part of a thread's stack that causes may be read from, with what is known of each frame.
type stack struct {
	frames   []symbols.Frame
	infos    []FrameInfo
	profiled bool // a profile says which frames are the program's
}

// FocusStack is the stack of the thread that the report is about; nil when there is none.
func (c *Case) FocusStack() *symbols.Stack {
	if c.Crash == nil || c.Crash.FocusThread() == nil || c.Crash.Focus >= len(c.Stacks) {
		return nil
	}
	return &c.Stacks[c.Crash.Focus]
}

// trusted cuts a stack before its first frame that may be garbage: one found by scanning, or one whose code lies in no
// file. A call to a bad address is the exception: its caller was read from the top of the stack, where the call put it.
func (c *Case) trusted() stack {
	st := c.FocusStack()
	if st == nil {
		return stack{}
	}
	n := min(len(st.Frames), len(c.Frames))
	for i := range n {
		f := &st.Frames[i]
		calledBad := i <= 1 && c.Fault != nil && c.Fault.BranchBad && !c.Fault.BadRet
		if f.Trust == symbols.TrustScan && !calledBad || i > 0 && f.Module == nil && f.Symbol.Name == "" {
			n = i
			break
		}
	}
	return stack{st.Frames[:n], c.Frames[:n], c.Profile != nil}
}

// program is the index of the innermost frame of the program's own code, -1 when there is none. Without a profile that
// knows it, that is the first frame outside the standard library and libc.
func (s stack) program() int { return s.programFrom(0) }

func (s stack) programFrom(from int) int {
	for i := from; i < len(s.infos); i++ {
		if s.infos[i].Kind == profile.KindProgram {
			return i
		}
	}
	for i := from; i < len(s.infos) && !s.profiled; i++ {
		k := s.infos[i].Kind
		if (k == profile.KindOther || k == "") && s.frames[i].Symbol.Name != "" && !startFrame(s.infos[i]) {
			return i
		}
	}
	return -1
}

func startFrame(i FrameInfo) bool { return i.Part == profile.PartStart }

// operation is the runtime extern (without one: the library function) nearest to the fault below the suspect; -1 when
// the suspect itself was executing.
func (s stack) operation(suspect int) int {
	end := suspect
	if end < 0 {
		end = len(s.frames)
	}
	for i := range end {
		if s.infos[i].Extern != nil {
			return i
		}
	}
	if b := s.boundary(suspect); b >= 0 && s.infos[b].Part != profile.PartPanic {
		return b // panic machinery is what the suspect ended in, not what it asked for
	}
	for i := range end {
		if s.infos[i].Kind == profile.KindRuntime {
			return i
		}
	}
	return -1
}

// boundary is the frame that the suspect called: the runtime's or a library's side of the call; -1 when the suspect is
// the innermost frame or unknown, or when it was entered by a handler and not by a call.
func (s stack) boundary(suspect int) int {
	if suspect <= 0 || s.frames[suspect].Signal {
		return -1
	}
	return suspect - 1
}

// context is the frame that says in which job the suspect ran: the nearest one above it that gives a thread its role.
func (s stack) context(suspect int) int {
	for i := suspect + 1; i < len(s.infos); i++ {
		if r := s.infos[i].Rule; r != nil && r.Role != "" {
			return i
		}
	}
	return -1
}

// Suspect is the frame whose code should be read first, an index in the focus stack, or -1.
func (c *Case) Suspect() int { return c.facts().suspect }

// suspectSymbol is the raw symbol of the function to read first: of the suspect's frame, or of the function below it
// whose frame is gone.
func (v *view) suspectSymbol() string {
	if v.hidden != "" {
		return v.hidden
	}
	return v.stack.symbol(v.suspect)
}

// suspectName is suspectSymbol for people.
func (v *view) suspectName() string {
	switch {
	case v.hidden != "":
		return v.hidden
	case v.suspect >= 0:
		return v.stack.name(v.suspect)
	case v.operation >= 0:
		return v.stack.name(v.operation)
	case len(v.stack.frames) > 0:
		return v.stack.name(0)
	}
	return "an unknown function"
}

// Operation is the frame that names what the suspect had asked for, an index in the focus stack, or -1.
func (c *Case) Operation() int { return c.facts().operation }

// Context is the frame that tells in which job the suspect ran, an index in the focus stack, or -1.
func (c *Case) Context() int { return c.facts().context }

// Marks are the frames of the focus stack that a reader should see first, by index.
func Marks(c *Case) map[int]string {
	m := map[int]string{c.Context(): MarkContext}
	m[c.Operation()] = MarkOperation
	m[c.Suspect()] = MarkSuspect
	delete(m, -1)
	return m
}

// name is a frame's function in words for people.
func (s stack) name(i int) string {
	if i < 0 || i >= len(s.frames) {
		return "an unknown function"
	}
	f := &s.frames[i]
	for _, n := range []string{s.infos[i].Readable, f.Demangled, f.Symbol.Name} {
		if n != "" {
			return symbols.WithoutClone(strings.TrimSuffix(n, "@plt"))
		}
	}
	return "an unnamed function"
}

// symbol is a frame's raw symbol, "" unknown.
func (s stack) symbol(i int) string {
	if i < 0 || i >= len(s.frames) {
		return ""
	}
	return strings.TrimSuffix(s.frames[i].Symbol.Name, "@plt")
}

func (s stack) kind(i int) profile.FrameKind {
	if i < 0 || i >= len(s.infos) {
		return ""
	}
	return s.infos[i].Kind
}

// within reports whether one of the innermost frames, up to and not including end, is a part of that sort.
func (s stack) within(end int, parts ...string) int {
	for i := range min(end, len(s.infos)) {
		for _, p := range parts {
			if s.infos[i].Part == p {
				return i
			}
		}
	}
	return -1
}

// find is the innermost frame whose raw symbol is one of names, -1 when there is none.
func (s stack) find(names ...string) int {
	for i := range s.frames {
		sym := s.symbol(i)
		for _, n := range names {
			if sym == n {
				return i
			}
		}
	}
	return -1
}

// classified is what the profile says of a frame's function.
func (c *Case) classified(f *symbols.Frame) profile.Classified {
	path, main := "", false
	if f.Module != nil {
		path, main = f.Module.Path, f.Module.Main
	}
	return c.Profile.Classify(f.Symbol.Name, f.Demangled, path, main)
}
