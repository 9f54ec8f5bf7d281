package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// A core does not hold what the program printed. What it printed into a buffer that it had not yet written is in memory,
// and nobody else has seen it. A buffer that was written is empty, whatever bytes are left in it: they are not claimed.
const (
	cStdout = "_IO_2_1_stdout_" // glibc libio/libioP.h; the FILE itself, not the pointer to it
	// Offsets in struct _IO_FILE (glibc libio/bits/types/struct_FILE.h).
	cWriteBase = 0x20
	cWritePtr  = 0x28

	rustStdout = "5stdio6STDOUT" // std::io::stdio::STDOUT in either mangling (library/std/src/io/stdio.rs)
	rustBuffer = 1024            // capacity of a LineWriter (library/std/src/io/buffered/linewriter.rs)
	rustStatic = 64              // bytes of the static; the order of its fields is the compiler's

	maxPending = 64 << 10
)

// pendingOutput adds the text that was never written to the output of a process that nobody watched.
func (w *walk) pendingOutput() {
	if w.end.Target.Source != crash.SourceCore || w.end.Output.Observed {
		return
	}
	text := w.pendingC() + w.pendingRust()
	end, seen := *w.end, *w.crash
	end.Output.Lines = slices.Clone(end.Output.Lines)
	if text != "" {
		for line := range strings.Lines(text) {
			whole := strings.HasSuffix(line, "\n")
			end.Output.Lines = append(end.Output.Lines, crash.OutputLine{Stream: crash.Stdout, Text: strings.TrimSuffix(line, "\n"), Whole: whole})
		}
		end.Warnings = append(slices.Clip(end.Warnings), fmt.Sprintf(
			"What the program wrote is not in the core; the output shown is what its stdout buffer held and had not written (%d bytes).", len(text)))
	} else {
		end.Warnings = append(slices.Clip(end.Warnings), "What the program printed is not in the core.")
	}
	end.Output.FirstTail = len(end.Output.Lines)
	seen.Output = end.Output
	w.end, w.crash, w.c.Crash = &end, &seen, &seen
}

// pendingC is what the C library's stdout holds between the start of its buffer and the place where writing goes on.
func (w *walk) pendingC() string {
	sym, _, ok := w.sym.Find(cStdout)
	if !ok {
		return ""
	}
	base, err := crash.ReadUint64(w.crash.Memory, sym.Start+cWriteBase)
	ptr, err2 := crash.ReadUint64(w.crash.Memory, sym.Start+cWritePtr)
	if err != nil || err2 != nil || ptr <= base || ptr-base > maxPending {
		return ""
	}
	return w.text(base, ptr-base)
}

// pendingRust finds the buffer of Rust's stdout by its capacity, next to which stand its address and length.
func (w *walk) pendingRust() string {
	main, ok := w.sym.Main()
	if !ok || !w.sym.MentionsSymbol(main, rustStdout) {
		return ""
	}
	var at uint64
	w.sym.EachSymbol(main, func(s symbols.Symbol) bool {
		if i := strings.Index(s.Name, rustStdout); i > 0 && s.IsData {
			at = s.Start
		}
		return at == 0
	})
	var words [rustStatic / 8]uint64
	for i := range words {
		v, err := crash.ReadUint64(w.crash.Memory, at+uint64(8*i))
		if err != nil {
			return ""
		}
		words[i] = v
	}
	i := slices.Index(words[:len(words)-2], rustBuffer)
	if i < 0 || words[i+2] > rustBuffer {
		return ""
	}
	return w.text(words[i+1], words[i+2])
}

func (w *walk) text(addr, size uint64) string {
	b := make([]byte, size)
	n, _ := w.crash.Memory.ReadMemory(b, addr)
	return string(b[:n])
}
