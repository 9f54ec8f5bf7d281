package provenance

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"meshdiag/provenance/insn"
)

// The oracle steps a program through its whole life and keeps, for each byte of each register and of memory, which
// instruction wrote it last and from what. At the crash that gives the true history of the bad value, against which
// slices are graded. Programs are linked statically and without relocation, so that both runs have the same addresses.

// event is one assignment that was executed.
type event struct {
	addr uint64
	prev []*event // what it was made of: one for a copy, several for a sum
}

type oracle struct {
	pid    int
	regs   [64][64]*event
	memory map[uint64]*event
	cache  map[uint64]*oracleInsn
	steps  int
}

type oracleInsn struct {
	in  insn.Insn
	eff insn.Effects
}

// run steps path with args until it faults and returns the general registers at the fault.
func (o *oracle) run(t *testing.T, path string, args ...string) syscall.PtraceRegs {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.pid, o.memory, o.cache = cmd.Process.Pid, map[uint64]*event{}, map[uint64]*oracleInsn{}
	defer func() {
		_ = syscall.Kill(o.pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(o.pid, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	o.runTo(t, symbolAddress(t, path, "main"))
	var regs syscall.PtraceRegs
	for o.steps = 0; o.steps < 400000; o.steps++ {
		if err := syscall.PtraceGetRegs(o.pid, &regs); err != nil {
			t.Fatal(err)
		}
		step := o.decode(regs.Rip)
		if err := syscall.PtraceSingleStep(o.pid); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(o.pid, &ws, 0, nil); err != nil {
			t.Fatal(err)
		}
		if !ws.Stopped() || ws.StopSignal() != syscall.SIGTRAP {
			if ws.Stopped() && ws.StopSignal() == syscall.SIGSEGV {
				return regs
			}
			t.Fatalf("stopped with %v after %d steps at %#x", ws, o.steps, regs.Rip)
		}
		if step != nil {
			o.execute(step, &regs)
		}
	}
	t.Fatal("it does not come to an end")
	return regs
}

func (o *oracle) runTo(t *testing.T, addr uint64) {
	old := make([]byte, 1)
	if _, err := syscall.PtracePeekText(o.pid, uintptr(addr), old); err != nil {
		t.Fatal(err)
	}
	_, _ = syscall.PtracePokeText(o.pid, uintptr(addr), []byte{0xcc})
	_ = syscall.PtraceCont(o.pid, 0)
	var ws syscall.WaitStatus
	_, _ = syscall.Wait4(o.pid, &ws, 0, nil)
	_, _ = syscall.PtracePokeText(o.pid, uintptr(addr), old)
	var regs syscall.PtraceRegs
	_ = syscall.PtraceGetRegs(o.pid, &regs)
	if regs.Rip != addr+1 {
		t.Fatalf("main was not reached: %#x", regs.Rip)
	}
	regs.Rip = addr
	_ = syscall.PtraceSetRegs(o.pid, &regs)
}

func symbolAddress(t *testing.T, path, name string) uint64 {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syms {
		if s.Name == name {
			return s.Value
		}
	}
	t.Fatalf("%s has no %s", path, name)
	return 0
}

func (o *oracle) decode(addr uint64) *oracleInsn {
	if s, ok := o.cache[addr]; ok {
		return s
	}
	code := make([]byte, insn.MaxLen)
	n, _ := syscall.PtracePeekText(o.pid, uintptr(addr), code)
	in, err := insn.Decode(code[:n], addr)
	if err != nil {
		o.cache[addr] = nil
		return nil
	}
	s := &oracleInsn{in: in, eff: in.Effects()}
	o.cache[addr] = s
	return s
}

func oracleReg(r *syscall.PtraceRegs, n insn.Reg) uint64 {
	return [16]uint64{r.Rax, r.Rdx, r.Rcx, r.Rbx, r.Rsi, r.Rdi, r.Rbp, r.Rsp, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15}[n]
}

func oracleAddress(r *syscall.PtraceRegs, m insn.Mem) (uint64, bool) {
	return m.Address(func(n insn.Reg) (uint64, bool) {
		if n >= 16 {
			return 0, false
		}
		return oracleReg(r, n), true
	}, func(s x86asm.Reg) (uint64, bool) {
		if s == x86asm.FS {
			return r.Fs_base, true
		}
		return r.Gs_base, true
	})
}

// bytesOf returns the last events of the bytes of an operand.
func (o *oracle) bytesOf(op insn.Operand, r *syscall.PtraceRegs) []*event {
	out := make([]*event, op.Len)
	switch op.Kind {
	case insn.RegOperand:
		for i := range out {
			if int(op.Lo)+i < 64 {
				out[i] = o.regs[op.Reg&63][int(op.Lo)+i]
			}
		}
	case insn.MemOperand:
		if addr, ok := oracleAddress(r, op.Mem); ok {
			for i := range out {
				out[i] = o.memory[addr+uint64(i)]
			}
		}
	}
	return out
}

// execute notes what an instruction assigned. regs are those before it ran.
func (o *oracle) execute(s *oracleInsn, regs *syscall.PtraceRegs) {
	type result struct {
		dst insn.Operand
		ev  []*event
	}
	var results []result
	for _, w := range s.eff.Writes {
		ev := make([]*event, w.Dst.Len)
		inputs := o.inputs(s, &w, regs)
		made := map[string]*event{}
		for i := range ev {
			e := &event{addr: s.in.Addr}
			for _, src := range inputs {
				switch {
				case len(src) == 0:
				case i < len(src) && (w.Kind == insn.Copy || w.Kind == insn.Zext || w.Kind == insn.Sext):
					e.prev = append(e.prev, src[i])
				default:
					e.prev = append(e.prev, src[0])
				}
			}
			key := fmt.Sprint(e.prev)
			if made[key] == nil {
				made[key] = e
			}
			ev[i] = made[key]
		}
		results = append(results, result{w.Dst, ev})
	}
	for _, res := range results {
		switch res.dst.Kind {
		case insn.RegOperand:
			for i, e := range res.ev {
				if int(res.dst.Lo)+i < 64 {
					o.regs[res.dst.Reg&63][int(res.dst.Lo)+i] = e
				}
			}
		case insn.MemOperand:
			if addr, ok := oracleAddress(regs, res.dst.Mem); ok {
				for i, e := range res.ev {
					o.memory[addr+uint64(i)] = e
				}
			}
		}
	}
}

// inputs are the events of the bytes that an assignment is made of: its sources, or the registers of an address. Of a
// selection only the side counts that was taken.
func (o *oracle) inputs(s *oracleInsn, w *insn.Write, regs *syscall.PtraceRegs) [][]*event {
	var out [][]*event
	if w.Kind == insn.Addr {
		for _, r := range []insn.Reg{w.Src[0].Mem.Base, w.Src[0].Mem.Index} {
			if r < 16 {
				out = append(out, o.bytesOf(insn.Operand{Kind: insn.RegOperand, Reg: r, Len: 8}, regs))
			}
		}
		return out
	}
	for _, src := range w.Src {
		if src.Kind == insn.ImmOperand || w.Kind == insn.Select && !o.taken(s, w, src, regs) {
			continue
		}
		out = append(out, o.bytesOf(src, regs))
	}
	return out
}

// taken compares a side of a selection with the result, which stands in the register now.
func (o *oracle) taken(_ *oracleInsn, w *insn.Write, src insn.Operand, before *syscall.PtraceRegs) bool {
	if w.Dst.Kind != insn.RegOperand || src.Kind != insn.RegOperand || w.Dst.Reg >= 16 || src.Reg >= 16 {
		return true
	}
	var after syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(o.pid, &after); err != nil {
		return true
	}
	return cut(oracleReg(before, src.Reg), int(src.Len)) == cut(oracleReg(&after, w.Dst.Reg), int(src.Len))
}

// grade compares a chain with the truth. "" is right; anything else says where they part.
func (o *oracle) grade(a *Analyzer, c *Chain, truth []*event) string {
	for n, s := range c.Steps[1:] {
		switch {
		case s.Insn == "":
			continue
		case s.Kind == StepUnknown:
			return "" // it does not claim to know
		case s.Kind == StepReturn || s.Kind == StepOut:
			inside := false
			truth, inside = o.skipCallee(a, truth, s)
			if !inside {
				return fmt.Sprintf("step %d (%s) is not where a callee made it", n, s.Text)
			}
			continue
		}
		truth = o.skipSaves(truth, s.Addr)
		truth = skipRounds(truth, c.Steps[1:n+1])
		next := []*event{}
		found := false
		at := uint64(0)
		for _, e := range truth {
			if e == nil {
				continue
			}
			at = e.addr
			if e.addr == s.Addr {
				found = true
				next = append(next, e.prev...)
			}
		}
		if !found {
			return fmt.Sprintf("step %d (%s) is at %#x (%s), the truth at %#x (%s)", n, s.Text, s.Addr, a.nameAt(s.Addr), at, a.nameAt(at))
		}
		truth = next
	}
	return ""
}

// skipRounds skips further rounds of a loop whose steps the chain has already shown once.
func skipRounds(truth []*event, shown []Step) []*event {
	for range 100 {
		var next []*event
		moved := false
		for _, e := range truth {
			again := false
			for _, s := range shown {
				again = again || e != nil && s.Insn != "" && e.addr == s.Addr
			}
			if again {
				moved = true
				next = append(next, e.prev...)
				continue
			}
			next = append(next, e)
		}
		if !moved {
			break
		}
		truth = next
	}
	return truth
}

// skipSaves skips pushes and pops that kept a register for a caller.
func (o *oracle) skipSaves(truth []*event, want uint64) []*event {
	for range 200 {
		var next []*event
		moved := false
		for _, e := range truth {
			s := (*oracleInsn)(nil)
			if e != nil {
				s = o.cache[e.addr]
			}
			if s != nil && e.addr != want && (s.in.Op == x86asm.PUSH || s.in.Op == x86asm.POP) {
				moved = true
				next = append(next, e.prev...)
				continue
			}
			next = append(next, e)
		}
		if !moved {
			break
		}
		truth = next
	}
	return truth
}

// skipCallee skips what happened outside the calling function, and reports whether anything did.
func (o *oracle) skipCallee(a *Analyzer, truth []*event, s Step) ([]*event, bool) {
	f := a.function(s.Addr)
	inside := s.CalleeAddr == f.lo
	for range 500 {
		var next []*event
		moved := false
		for _, e := range truth {
			if e != nil && !f.contains(e.addr) {
				moved, inside = true, true
				next = append(next, e.prev...)
				continue
			}
			next = append(next, e)
		}
		if !moved || len(next) > 64 {
			break
		}
		truth = next
	}
	return truth, inside
}

// TestOracle grades slices of generated programs.
func TestOracle(t *testing.T) {
	n := 3
	if testing.Short() {
		t.Skip("steps through programs")
	}
	if v := os.Getenv("PROVENANCE_ORACLE"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatal(err)
		}
	}
	score := map[Tier][2]int{}
	unknown := 0
	for seed := range n {
		for _, b := range builds {
			src := writeProgram(t, int64(seed))
			path := compile(t, b, src, "-static", "-no-pie", "-fno-stack-protector")
			gradeProgram(t, path, fmt.Sprintf("%s seed %d", b.name, seed), score, &unknown)
		}
	}
	t.Logf("certain %d/%d, likely %d/%d, possible %d/%d right; %d not known", score[Certain][0], score[Certain][1],
		score[Likely][0], score[Likely][1], score[Possible][0], score[Possible][1], unknown)
	if wrong := score[Certain][1] - score[Certain][0]; wrong > score[Certain][1]/100 {
		t.Errorf("%d chains called certain are wrong", wrong)
	}
	if wrong := score[Likely][1] - score[Likely][0]; wrong > 1+score[Likely][1]/10 {
		t.Errorf("%d of %d chains called likely are wrong", wrong, score[Likely][1])
	}
	total := unknown + score[Certain][1] + score[Likely][1] + score[Possible][1]
	if sure := score[Certain][1] + score[Likely][1]; sure*10 < total*7 {
		t.Errorf("only %d of %d chains are certain or likely", sure, total)
	}
}

func gradeProgram(t *testing.T, path, name string, score map[Tier][2]int, unknown *int) {
	watch(t, path, nil, func(s *scene) {
		c := s.a.Slice(s.fault, s.st)
		if c == nil || len(c.Steps) < 2 || c.Origin == StepUnknown {
			*unknown++
			if testing.Verbose() {
				t.Logf("%s: not known: %s\n%s", name, s.fault.summary(), c)
			}
			return
		}
		var o oracle
		o.run(t, path)
		r, ok := regByName(s.fault.Register)
		if !ok {
			*unknown++
			return
		}
		wrong := o.grade(s.a, c, []*event{o.regs[r][0]})
		got := score[c.Tier]
		got[1]++
		if wrong == "" {
			got[0]++
		}
		if wrong != "" && c.Tier != Possible || os.Getenv("PROVENANCE_ORACLE") != "" && c.Tier == Possible {
			t.Logf("%s: %s %s: %s\n%s", name, c.Tier, s.fault.summary(), wrong, c)
		}
		score[c.Tier] = got
	})
}
