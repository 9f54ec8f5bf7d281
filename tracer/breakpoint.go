package tracer

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const (
	int3        = 0xcc
	atEntry     = 9   // AT_ENTRY of the auxiliary vector
	maxHits     = 200 // of one breakpoint; a program that panics and catches more often runs on without it
	nearestByte = 1   // length of int3: rip stands behind it
)

// breakpoint is one int3 in a process.
type breakpoint struct {
	symbol  string
	orig    byte
	planted bool
	hits    int
}

// breakSet are the breakpoints of one address space, by address. A nil set has none.
type breakSet struct {
	at      map[uint64]*breakpoint
	scratch scratch
}

// planted counts those that stand in memory now.
func (b *breakSet) planted() int {
	if b == nil {
		return 0
	}
	n := 0
	for _, bp := range b.at {
		if bp.planted {
			n++
		}
	}
	return n
}

// hide puts the original bytes into a copy of memory.
func (b *breakSet) hide(buf []byte, addr uint64) {
	if b == nil {
		return
	}
	b.scratch.hide(buf, addr)
	for a, bp := range b.at {
		if bp.planted && a >= addr && a-addr < uint64(len(buf)) {
			buf[a-addr] = bp.orig
		}
	}
}

// poke writes one byte of code into a stopped thread's memory.
func poke(tid int, addr uint64, b byte) error {
	_, err := unix.PtracePokeText(tid, uintptr(addr), []byte{b})
	return err
}

func (b *breakSet) plant(tid int, addr uint64, symbol string) {
	var orig [1]byte
	if _, err := (&liveMemory{tid: tid}).ReadMemory(orig[:], addr); err != nil || orig[0] == int3 {
		return
	}
	if poke(tid, addr, int3) == nil {
		b.at[addr] = &breakpoint{symbol: symbol, orig: orig[0], planted: true}
	}
}

func (b *breakSet) remove(tid int, addr uint64) {
	if bp := b.at[addr]; bp != nil && bp.planted && poke(tid, addr, bp.orig) == nil {
		bp.planted = false
	}
}

// removeAll clears an address space before a process is let go.
func (b *breakSet) removeAll(tid int) {
	if b == nil {
		return
	}
	for addr := range b.at {
		b.remove(tid, addr)
	}
	b.scratch.restore(tid)
}

// plantBreakpoints sets the panic breakpoints of a freshly executed image, before its first instruction.
func (t *tracer) plantBreakpoints(th *thread) {
	t.blind = ""
	if len(t.o.Breakpoints) == 0 || t.o.Resolve == nil {
		return
	}
	exe, err := os.Readlink("/proc/" + strconv.Itoa(th.tid) + "/exe")
	if err != nil {
		return
	}
	addrs, err := t.o.Resolve(exe, t.o.Breakpoints)
	if err != nil {
		t.blind = "Panics could not be watched for: " + err.Error() + "."
		return
	}
	if len(addrs) == 0 {
		return
	}
	entry, bias, ok := loadBias(th.tid, exe)
	if !ok {
		t.blind = "Panics could not be watched for: the load address of the executable is unknown."
		return
	}
	th.proc.breaks = &breakSet{at: make(map[uint64]*breakpoint, len(addrs)), scratch: scratch{at: entry}}
	for symbol, addr := range addrs {
		th.proc.breaks.plant(th.tid, addr+bias, symbol)
	}
}

// loadBias is where the executable was mapped less where it was linked to: the entry point tells both.
func loadBias(tid int, exe string) (entry, bias uint64, ok bool) {
	data, err := procFile(tid, "auxv")
	if err != nil {
		return 0, 0, false
	}
	entry, ok = parseAuxv(data)[atEntry]
	linked, err := entryPoint(exe)
	return entry, entry - linked, ok && err == nil
}

// entryPoint reads e_entry of a 64-bit little-endian ELF file.
func entryPoint(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var header [64]byte
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return 0, err
	}
	if string(header[:4]) != elf.ELFMAG || header[elf.EI_CLASS] != byte(elf.ELFCLASS64) || header[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return 0, unix.ENOEXEC
	}
	return binary.LittleEndian.Uint64(header[24:]), nil
}

// inheritBreakpoints frees a forked child, which is stopped, of the breakpoints in its copy of the memory. A vfork child
// has no copy: what is taken out of it is missing in the parent, so it is put back and shared.
func (t *tracer) inheritBreakpoints(parent *process, child *thread) {
	var parentTID int
	for tid := range parent.threads {
		parentTID = tid
		break
	}
	if parent.breaks.planted() == 0 {
		return
	}
	theirs := &liveMemory{tid: parentTID}
	for addr, bp := range parent.breaks.at {
		if !bp.planted || poke(child.tid, addr, bp.orig) != nil {
			continue
		}
		var now [1]byte
		if _, err := theirs.ReadMemory(now[:], addr); err == nil && now[0] != int3 {
			_ = poke(child.tid, addr, int3)
			child.proc.breaks = parent.breaks
			return
		}
	}
}

// onBreakpoint answers an int3 of ours; false when it is not.
func (t *tracer) onBreakpoint(th *thread, info *crash.Signal) bool {
	b := th.proc.breaks
	if b == nil || info.Code <= 0 {
		return false
	}
	var r crash.Regs
	if getRegs(th.tid, &r) != nil {
		return false
	}
	addr := r.RIP - nearestByte
	bp := b.at[addr]
	if bp == nil {
		return false
	}
	r.RIP = addr
	if setRegs(th.tid, &r) != nil {
		return false
	}
	if !bp.planted {
		t.resume(th, 0) // removed while this thread had already hit it
		return true
	}
	if th.proc == t.target {
		t.sightBreakpoint(th, bp, &r)
	}
	if bp.hits++; bp.hits >= maxHits {
		b.remove(th.tid, addr)
		t.resume(th, 0)
		return true
	}
	t.passOver(th, addr, bp, &r)
	return true
}

// sightBreakpoint notes a panic at its start. The word at rsp is the return address: it stays while the panic lasts.
func (t *tracer) sightBreakpoint(th *thread, bp *breakpoint, r *crash.Regs) {
	s := t.sight(th, "breakpoint")
	s.Symbol = bp.symbol
	if word, err := crash.ReadUint64(&liveMemory{tid: th.tid}, r.RSP); err == nil {
		s.slot, s.word = r.RSP, word
	}
	t.sightings.add(s)
}
