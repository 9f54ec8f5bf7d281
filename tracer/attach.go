package tracer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// snapshotWindow is how long the threads of a process are watched before it is stopped, so that its picture tells those that
// move from those that wait.
const snapshotWindow = 200 * time.Millisecond

// Snapshot stops a running process, hands its picture to inspect and lets it go on. It is seized without any option: should
// meshdiag itself be killed meanwhile, the kernel lets the process go on, too.
func Snapshot(pid int, inspect func(*crash.Crash)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("there is no process %d", pid)
	}
	// Before it stands still: this takes longer than the copy of a small process.
	var before stallWatch
	before.sample(pid)
	around := world(pid, pid)
	time.Sleep(snapshotWindow)
	before.conclude(pid)
	a := attached{stops: map[int]unix.WaitStatus{}}
	defer a.release()
	if err := a.seizeAll(pid); err != nil {
		return err
	}
	c := a.observe(pid)
	if c == nil {
		return fmt.Errorf("process %d could not be stopped: all of its threads are gone or in an uninterruptible wait", pid)
	}
	c.World = around
	for i := range c.Threads {
		before.fill(&c.Threads[i])
	}
	inspect(c)
	c.Memory.(*liveMemory).gone = true
	return nil
}

// attached are the threads of a seized process.
type attached struct {
	order   []int                   // thread ids as they were seized
	stops   map[int]unix.WaitStatus // of those that stopped
	missing []int                   // of those that did not
}

// seizeAll takes threads until no new one appears: one that was not stopped yet may create another.
func (a *attached) seizeAll(pid int) error {
	known := map[int]bool{}
	for {
		entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			return fmt.Errorf("process %d is gone", pid)
		}
		var fresh []int
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || known[tid] {
				continue
			}
			known[tid] = true
			switch err := a.seize(tid); {
			case err == nil:
				fresh = append(fresh, tid)
			case errors.Is(err, unix.ESRCH): // it ended meanwhile
			case errors.Is(err, unix.EPERM):
				return notAllowed(pid, err)
			default:
				return fmt.Errorf("cannot attach to thread %d: %w", tid, err)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		a.await(fresh)
	}
}

func (a *attached) seize(tid int) error {
	if err := ptrace(unix.PTRACE_SEIZE, tid, 0, 0); err != nil {
		return err
	}
	a.order = append(a.order, tid)
	return interrupt(tid)
}

// notAllowed says why ptrace was refused: to this user, or because another tracer is there already.
func notAllowed(pid int, err error) error {
	if status, e := procFile(pid, "status"); e == nil {
		if tracer, ok := statusNumber(status, "TracerPid"); ok && tracer > 0 {
			return fmt.Errorf("process %d is being traced by process %d already", pid, tracer)
		}
	}
	return newForbidden("PTRACE_SEIZE", err)
}

// await waits for the stops of threads, not for ever: one in an uninterruptible wait does not come.
func (a *attached) await(tids []int) {
	deadline := time.Now().Add(freezePatience)
	for _, tid := range tids {
		for nap := 10 * time.Microsecond; ; nap = min(2*nap, time.Millisecond) {
			var ws unix.WaitStatus
			got, err := wait4(tid, &ws, unix.WNOHANG)
			if err != nil || got == tid && !ws.Stopped() {
				break // it ended
			}
			if got == tid {
				a.stops[tid] = ws
				break
			}
			if time.Now().After(deadline) {
				a.missing = append(a.missing, tid)
				break
			}
			time.Sleep(nap)
		}
	}
}

// observe takes the picture; nil when no thread stopped.
func (a *attached) observe(pid int) *crash.Crash {
	c := &crash.Crash{Outcome: crash.Outcome{End: crash.EndRunning}, Focus: -1}
	lead := 0
	for _, tid := range a.order {
		if _, ok := a.stops[tid]; !ok {
			continue
		}
		th := threadRegs(tid)
		th.Name, th.FP = comm(tid), xstate(tid)
		c.Threads = append(c.Threads, th)
		if lead == 0 || tid == pid {
			lead = tid
		}
	}
	if lead == 0 {
		return nil
	}
	for _, tid := range a.missing {
		c.Warnings = append(c.Warnings, fmt.Sprintf("Thread %d could not be stopped (state %s): its registers are unknown.", tid, liveState(tid)))
		c.Threads = append(c.Threads, crash.Thread{TID: tid, Name: comm(tid), State: liveState(tid)})
	}
	sortThreads(c.Threads, pid)
	c.Focus = 0
	mem := &liveMemory{tid: lead, file: openMem(pid)}
	maps, err := mappings(lead)
	if err != nil {
		c.Warnings = append(c.Warnings, "The memory map is incomplete: "+err.Error()+".")
	}
	pageTraits(lead, maps)
	c.Mappings, mem.maps, c.Memory = maps, maps, mem
	if data, err := procFile(lead, "auxv"); err == nil {
		c.Auxv = parseAuxv(data)
	}
	c.Target, c.Process = describeProcess(pid, lead), seenNow(lead)
	return c
}

func describeProcess(pid, tid int) crash.Target {
	d := crash.Target{Source: crash.SourceLive, PID: pid, Arch: "amd64"}
	dir := "/proc/" + strconv.Itoa(tid) + "/"
	d.ExePath, _ = os.Readlink(dir + "exe")
	d.CWD, _ = os.Readlink(dir + "cwd")
	d.Path = d.ExePath
	if data, err := procFile(tid, "cmdline"); err == nil {
		d.Args = splitNUL(data)
	}
	if data, err := procFile(tid, "environ"); err == nil {
		d.Env = splitNUL(data)
	}
	return d
}

// release lets every thread go on, with the signal that it was about to get when it was stopped.
func (a *attached) release() {
	for tid, ws := range a.stops {
		sig := unix.Signal(0)
		if int(ws)>>16 == 0 {
			sig = ws.StopSignal()
		}
		_ = detach(tid, sig) // it may have been killed meanwhile
	}
}
