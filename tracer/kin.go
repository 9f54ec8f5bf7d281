package tracer

import (
	"strconv"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const (
	maxParted   = 64 // processes of the target's making whose names are kept after their end
	maxDeaths   = 16 // deaths by signal that are kept
	maxArgBytes = 4096
)

// look describes a process; one that is gone has an id only.
func look(pid int) crash.OtherProcess {
	p := crash.OtherProcess{PID: pid, Name: comm(pid)}
	if data, err := procFile(pid, "cmdline"); err == nil && len(data) > 0 {
		p.Args = splitNUL(data[:min(len(data), maxArgBytes)])
	}
	return p
}

// sender is who sent a signal, as far as it can still be seen; nil when no other process did. A sender that the target had
// started is known by name even when it is gone: kill(1) ends before its signal arrives.
func (t *tracer) sender(info *crash.Signal) *crash.OtherProcess {
	if !info.Sent() || info.PID <= 0 || info.PID == t.target.pid || info.PID == ownPID {
		return nil
	}
	p := look(info.PID)
	p.Kin = t.processes[info.PID] != nil
	for i := range t.parted {
		if t.parted[i].PID == info.PID {
			p, p.Kin = t.parted[i], true
		}
	}
	return &p
}

// part remembers a process of the target's making at its end.
func (t *tracer) part(p *process, tid int) {
	if tid != p.pid {
		return
	}
	if len(t.parted) >= maxParted {
		t.parted = append(t.parted[:0], t.parted[1:]...)
	}
	x := look(p.pid)
	x.Kin = true
	t.parted = append(t.parted, x)
}

// childDies notes a child of the target at its exit event, while it can still be looked at.
func (t *tracer) childDies(p *process, status uint64) {
	if p.dead != nil || status&0x7f == 0 {
		return
	}
	d := &crash.DeadChild{OtherProcess: look(p.pid), Signal: crash.Signal{Number: int(status & 0x7f), CodeUnknown: true}, Core: status&0x80 != 0, At: t.out.now()}
	d.Kin = true
	if p.lastSent != nil && p.lastSent.Number == d.Signal.Number {
		d.Signal = *p.lastSent
	}
	if d.Signal.Number == int(unix.SIGKILL) {
		d.OOM = t.oom.tell(p.pid, d.Name)
	}
	p.dead = d
}

// childDied keeps the death of a child by a signal; one by a fault is worth a warning whatever becomes of the target.
func (t *tracer) childDied(p *process, ws unix.WaitStatus) {
	if p == t.target || !ws.Signaled() {
		return
	}
	if p.dead == nil { // another SIGKILL ended its exit event before we saw it
		t.childDies(p, uint64(ws))
		if d := p.dead; d.Name == "" && d.OOM != nil {
			_, d.Name, _ = oomVictim(d.OOM.Record)
		}
	}
	p.dead.At = t.out.now() // its exit event may lie seconds back, as where memory is short for us, too
	if len(t.children) >= maxDeaths {
		t.children = append(t.children[:0], t.children[1:]...)
	}
	t.children = append(t.children, *p.dead)
	if isGrave(unix.Signal(ws.Signal())) {
		t.warn("A child process (PID " + strconv.Itoa(p.pid) + ", " + strconv.Quote(p.dead.Name) + ") died of " +
			p.dead.Signal.Name() + "; this report is about its parent.")
	}
}

// ending completes an outcome by what must be asked before the process is gone: who sent the signal, which limits it may
// stem from, what became of the children.
func (t *tracer) ending(out *crash.Outcome, tid int) {
	out.Children = t.children
	for _, sig := range []unix.Signal{unix.SIGQUIT, unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		if t.seen[sig].Load() != 0 && out.End == crash.EndExit {
			out.Asked = int(sig)
		}
	}
	if cpu, ok := processCPU(t.target.pid); ok {
		out.CPU = cpu
	}
	s := out.Signal
	if out.End != crash.EndSignal || s == nil {
		return
	}
	if s.CodeUnknown && s.Number == int(unix.SIGKILL) {
		if seen := t.kills.seen(); seen != nil {
			s = seen
			out.Signal = seen
		}
	}
	out.Sender = t.sender(s)
	out.Forwarded = s.Sent() && s.PID == ownPID
	switch unix.Signal(s.Number) {
	case unix.SIGKILL:
		out.OOM = t.oom.tell(t.target.pid, comm(tid))
		out.OOMKillSeen = out.OOM.Machine > 0
		out.Limits = limitsOf(tid)
	case unix.SIGXCPU, unix.SIGXFSZ:
		out.Limits = limitsOf(tid)
	}
}
