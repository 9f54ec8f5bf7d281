package diagnose

import (
	"context"

	"meshdiag/crash"
	"meshdiag/heuristics"
	"meshdiag/profile"
	"meshdiag/provenance"
	"meshdiag/report"
	"meshdiag/startup"
	"meshdiag/symbols"
)

const (
	focusFrames   = 512 // physical frames kept of the thread the report is about
	otherFrames   = 48  // of every other thread
	otherThreads  = 64  // other threads that are unwound
	callersSliced = 8   // caller frames whose call sites are analysed
)

// Report makes the report of one observation. It reads the process through c.Memory and executables from disk, so for a
// live process it must be called while the process is frozen. What is fetched from afar ends with ctx.
func Report(ctx context.Context, c *crash.Crash, o Options) (*report.Report, error) {
	w := walk{crash: view(c), end: c, options: o}
	if c.Outcome.End == crash.EndLaunchFailed {
		return w.launchFailed(), nil
	}
	defer func() {
		if w.sym != nil {
			w.sym.Close()
		}
	}()
	if err := w.names(ctx); err != nil {
		return nil, err
	}
	w.fenced("reading how far the program got", w.story)
	w.fenced("the search for where the bad value came from", w.fault)
	w.fenced("the weighing of causes", w.causes)
	return w.report(), nil
}

// walk carries one observation through the rooms; each method adds what its room found.
type walk struct {
	crash   *crash.Crash // as the rooms see it
	end     *crash.Crash // as it ended
	options Options
	skipped int // threads that were not unwound because there are so many
	sym     *symbols.Symbolizer
	prof    *profile.Profile
	c       heuristics.Case
	found   heuristics.Diagnosis
}

// names unwinds the threads and names their frames.
func (w *walk) names(ctx context.Context) error {
	w.sym = symbols.New(w.crash, symbols.Options{Exe: w.options.exe, Sysroot: w.options.sysroot, Fetch: w.fetch(ctx)})
	prof, err := choose(w.options.Profile, w.sym)
	if err != nil {
		return err
	}
	w.prof = prof
	w.c = heuristics.Case{Crash: w.crash, Profile: prof, Sym: w.sym}
	w.c.Stacks = make([]symbols.Stack, len(w.crash.Threads))
	others := 0
	for i := range w.crash.Threads {
		t := &w.crash.Threads[i]
		max := otherFrames
		if i == w.crash.Focus {
			max = focusFrames
		} else if others++; others > otherThreads {
			w.c.Stacks[i] = symbols.Stack{Thread: t, Truncated: "not unwound: too many threads"}
			w.skipped++
			continue
		}
		w.c.Stacks[i] = w.sym.Unwind(t, nil, max)
	}
	if st := w.focusStack(); st != nil {
		w.c.Frames = w.describe(st)
	}
	return nil
}

func (w *walk) focusStack() *symbols.Stack {
	if w.crash.FocusThread() == nil {
		return nil
	}
	return &w.c.Stacks[w.crash.Focus]
}

// story reads what the target said and how far its start-up got.
func (w *walk) story() {
	w.pendingOutput()
	w.c.Startup, w.c.Messages = startup.Read(w.crash, w.sym, w.prof, w.c.Stacks)
	w.c.Roles = startup.Roles(w.crash, w.sym, w.c.Stacks, w.prof)
	w.c.Panics = w.panics()
	if s := w.panicOrigin(); s != nil {
		w.refocus(s)
	}
}

// fault decodes the fault of the focus thread and slices the bad value back.
func (w *walk) fault() {
	t, st := w.crash.FocusThread(), w.focusStack()
	a := provenance.New(w.crash, w.sym)
	w.c.Reader = reader{a, w.crash.Memory}
	if t == nil || !t.RegsOK {
		return
	}
	w.c.Fault = a.Fault(t, st)
	w.c.Stack = a.StackUse(t, st, w.c.Fault)
	if w.c.Fault != nil && !w.c.Stack.Overflow {
		w.c.Chain = a.Slice(w.c.Fault, st)
		if w.c.Chain != nil && w.prof == nil { // the languages of the profiles do not compute with pointers
			w.c.Chain.CorrectReturned(w.c.Fault)
		}
	}
	w.c.Calls = a.Calls(st, callersSliced)
	w.refused(a)
	w.calls(a)
	w.handed(a)
	if w.unsaid() {
		w.refused(a)
		w.calls(a)
	}
}

// causes weighs the evidence.
func (w *walk) causes() {
	w.lookAtWaits()
	w.c.Kind = heuristics.Interpret(&w.c)
	w.c.Checks = w.checks()
	w.found = heuristics.Run(&w.c)
	for _, f := range w.found.Failed {
		mistake(w, "the test for "+f.ID, f.Panic)
	}
	if s := w.caughtPanic(); s != nil {
		w.refocus(s)
	}
}

// reader is what heuristics may ask of the process.
type reader struct {
	a   *provenance.Analyzer
	mem crash.Memory
}

func (r reader) Classify(v uint64) provenance.ValueInfo { return r.a.Classify(v) }

func (r reader) ReadUint(addr uint64, size int) (uint64, error) {
	return crash.ReadUint(r.mem, addr, size)
}

// describe names the frames of a stack and says what each is. Lines and inlined functions are looked up only outside
// libc, whose frames are folded in every report: its debug information is large, compressed and of no use to a reader.
func (w *walk) describe(st *symbols.Stack) []heuristics.FrameInfo {
	infos := make([]heuristics.FrameInfo, len(st.Frames))
	for i := range st.Frames {
		f := &st.Frames[i]
		f.Demangled, f.Language = symbols.Demangle(f.Symbol.Name)
		path, main := "", false
		if f.Module != nil {
			path, main = f.Module.Path, f.Module.Main
		}
		k := w.prof.Classify(f.Symbol.Name, f.Demangled, path, main)
		infos[i] = heuristics.FrameInfo{Kind: k.Kind, Part: k.Part, Readable: k.Readable, Rule: k.Rule,
			Extern: w.prof.Extern(f.Symbol.Name)}
		if k.Kind != profile.KindLibc {
			w.sym.DescribeFrame(f)
		}
	}
	return infos
}
