package tracer

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const (
	maxSightings     = 64        // kept in all, the last ones
	maxWithMemory    = 24        // of them with their memory, the last ones
	stackSaved       = 128 << 10 // bytes of stack, from the page below rsp upwards
	snapshotsAtOnce  = 64        // a program may take this many faults at full cost, ...
	snapshotsPerSec  = 20        // ... then this many per second; the others are noted with their registers only
	frameUContext    = 8         // struct rt_sigframe (linux/arch/x86/include/asm/sigframe.h): pretcode, ucontext, siginfo
	ucontextStack    = 16        // uc_flags, uc_link, then stack_t
	ucontextRegs     = 40        // struct sigcontext: r8-r15, di, si, bp, bx, dx, ax, cx, sp, ip
	sigcontextRSP    = ucontextRegs + 15*8
	sigcontextRIP    = ucontextRegs + 16*8
	sigframeReadSize = frameUContext + sigcontextRIP + 8
)

// sighting is a crash.Sighting with what is needed to tell, at the end, whether it was the origin.
type sighting struct {
	crash.Sighting
	slot    uint64 // address of the word that is overwritten when its frame is left: handler's frame, or return address
	word    uint64 // what stood there
	blocked bool   // the signal was blocked while in its handler
	pages   crash.Pages
}

// sightings is the short memory of first-chance events.
type sightings struct {
	all    []*sighting
	tokens float64
	at     time.Duration
	primed bool
}

func (s *sightings) reset() { s.all = nil }

// afford decides whether a sighting may cost a copy of the stack.
func (s *sightings) afford(now time.Duration) bool {
	if !s.primed {
		s.primed, s.tokens = true, snapshotsAtOnce
	}
	s.tokens = min(snapshotsAtOnce, s.tokens+(now-s.at).Seconds()*snapshotsPerSec)
	s.at = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// add keeps a sighting and lets go of the oldest ones.
func (s *sightings) add(x *sighting) {
	if len(s.all) >= maxSightings {
		s.all = append(s.all[:0], s.all[1:]...)
	}
	s.all = append(s.all, x)
	if i := len(s.all) - maxWithMemory - 1; i >= 0 && s.all[i].pages != nil {
		s.all[i].pages = nil
		s.all[i].Memory = crash.NoMemory{}
	}
}

func (s *sightings) list() []crash.Sighting {
	var out []crash.Sighting
	for _, x := range s.all {
		out = append(out, x.Sighting)
	}
	return out
}

// sight notes what a stopped thread is at.
func (t *tracer) sight(th *thread, why string) *sighting {
	now := t.out.now()
	s := &sighting{}
	s.At, s.Why = now, why
	s.Thread = threadRegs(th.tid)
	s.Thread.Name = comm(th.tid)
	s.Memory = crash.NoMemory{}
	if s.Thread.RegsOK && t.sightings.afford(now) {
		mem := &liveMemory{tid: th.tid, file: t.target.mem, breaks: th.proc.breaks}
		s.pages = savePages(mem, &s.Thread.Regs)
		s.Memory = s.pages
	}
	return s
}

// sightSignal notes a fault that the program has a handler for.
func (t *tracer) sightSignal(th *thread, info *crash.Signal) *sighting {
	s := t.sight(th, "signal")
	s.Signal, s.Handled = info, true
	s.Thread.Signal = info
	t.sightings.add(s)
	return s
}

// savePages copies the stack and the pages that registers point to.
func savePages(mem crash.Memory, r *crash.Regs) crash.Pages {
	pages := crash.Pages{}
	save := func(addr uint64, size int) {
		buf := make([]byte, size)
		n, _ := mem.ReadMemory(buf, addr)
		for off := 0; off+pageSize <= n; off += pageSize {
			pages[addr+uint64(off)] = buf[off : off+pageSize : off+pageSize]
		}
	}
	top := r.RSP &^ (pageSize - 1)
	if top >= pageSize {
		save(top-pageSize, pageSize)
		save(top, stackSaved-pageSize)
	}
	for n := crash.RAX; n < crash.NumRegs; n++ {
		page := r.Get(n) &^ (pageSize - 1)
		if _, have := pages[page]; !have && page != 0 {
			save(page, pageSize)
		}
	}
	return pages
}

// entered notes the frame the kernel made for the handler; the thread stands at the handler's first instruction.
func (s *sighting) entered(tid int) {
	var r crash.Regs
	if getRegs(tid, &r) != nil {
		return
	}
	var frame [sigframeReadSize]byte
	mem := &liveMemory{tid: tid}
	if _, err := mem.ReadMemory(frame[:], r.RSP); err != nil {
		return
	}
	word := func(off int) uint64 { return binary.LittleEndian.Uint64(frame[off:]) }
	if word(frameUContext+sigcontextRIP) != s.Thread.Regs.RIP || word(frameUContext+sigcontextRSP) != s.Thread.Regs.RSP {
		return // not the frame we expected: better no slot than a wrong one
	}
	s.slot, s.word = r.RSP, word(0)
	base, size := word(frameUContext+ucontextStack), word(frameUContext+ucontextStack+16)
	if size != 0 && base+size > base {
		s.Thread.AltStack = crash.Range{Start: base, End: base + size}
	}
	if mask, ok := blockedSignals(tid); ok {
		s.blocked = mask&signalBit(unix.Signal(s.Signal.Number)) != 0
	}
}
