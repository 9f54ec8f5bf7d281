package waits

import (
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// process builds an observation by hand: its words in memory and threads in futex.
type process struct {
	c      crash.Crash
	stacks []symbols.Stack
	page   []byte
}

const base = 0x10000

func newProcess() *process {
	p := &process{page: make([]byte, 4096)}
	p.c.Memory = crash.Pages{base: p.page}
	return p
}

func (p *process) word(addr uint64, v uint32) { binary.LittleEndian.PutUint32(p.page[addr-base:], v) }

// waits adds a thread that waits for a futex in a function.
func (p *process) waits(tid int, function string, op, want, addr uint64) *process {
	return p.calls(tid, function, sysFutex, addr, op, want)
}

func (p *process) calls(tid int, function string, number int64, args ...uint64) *process {
	t := crash.Thread{TID: tid, State: "S", RegsOK: true, Syscall: &crash.Syscall{Number: number}}
	copy(t.Syscall.Args[:], args)
	p.c.Threads = append(p.c.Threads, t)
	p.stacks = append(p.stacks, symbols.Stack{Frames: []symbols.Frame{
		{Symbol: symbols.Symbol{Name: function}, Module: &symbols.Module{Path: "/lib/libc.so.6"}},
		{Symbol: symbols.Symbol{Name: "work"}, Module: &symbols.Module{Path: "/srv/app", Main: true}}}})
	return p
}

func (p *process) analyze() *Graph { return Analyze(&p.c, p.stacks, nil, nil) }

const privateWait = futexWait | futexPrivate

// mutex fills in a struct __pthread_mutex_s.
func (p *process) mutex(addr uint64, lock, owner, kind uint32) {
	p.word(addr, lock)
	p.word(addr+8, owner)
	p.word(addr+12, 1)
	p.word(addr+16, kind)
}

func TestMutexes(t *testing.T) {
	for _, test := range []struct {
		name              string
		lock, owner, kind uint32
		op, want          uint64
		holder            *Holder // of the first thread; nil none
		proven            bool
	}{
		{"an owner that waits for the other lock", 2, 2, 0, privateWait, 2, &Holder{Thread: 1, TID: 2, Sure: true}, true},
		{"an owner that has ended", 2, 99, 0, privateWait, 2, &Holder{Thread: -1, TID: 99, Sure: true}, false},
		{"shared with another process, whose thread has it", 2, 99, 128, futexWait, 2, nil, false},
		{"given back meanwhile", 0, 0, 0, privateWait, 2, nil, false},
		{"robust: the word is the owner", futexWaiters | 2, 0, 16, privateWait, futexWaiters | 2, &Holder{Thread: 1, TID: 2, Sure: true}, true},
		{"priority inheritance: the word is the owner", futexWaiters | 2, 0, 32, futexLockPI | futexPrivate, 0, &Holder{Thread: 1, TID: 2, Sure: true}, true},
		{"robust: its owner died", futexWaiters | futexOwnerDied | 99, 0, 16, privateWait, futexWaiters | futexOwnerDied | 99, &Holder{Thread: -1, TID: 99, Sure: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProcess()
			p.mutex(base, test.lock, test.owner, test.kind)
			p.mutex(base+0x40, 2, 1, 0)
			p.waits(1, "pthread_mutex_lock", test.op, test.want, base)
			p.waits(2, "pthread_mutex_lock", privateWait, 2, base+0x40)
			g := p.analyze()
			w := g.Waits[0]
			if w.Kind != Lock || w.Primitive != profile.PthreadMutex {
				t.Errorf("%+v", w)
			}
			if test.holder == nil {
				if len(w.Holders) != 0 {
					t.Errorf("holders %+v", w.Holders)
				}
			} else if len(w.Holders) != 1 || w.Holders[0].TID != test.holder.TID || w.Holders[0].Thread != test.holder.Thread || !w.Holders[0].Sure {
				t.Errorf("holders %+v, want %+v", w.Holders, test.holder)
			}
			if proven := len(g.Cycles) == 1 && g.Cycles[0].Proven; proven != test.proven {
				t.Errorf("cycles %+v", g.Cycles)
			}
		})
	}
}

// A wait with a time limit ends by itself: a ring with one is no proof.
func TestRingWithTimeLimit(t *testing.T) {
	p := newProcess()
	p.mutex(base, 2, 2, 0)
	p.mutex(base+0x40, 2, 1, 0)
	p.word(base+0x100, 5)
	p.calls(1, "pthread_mutex_timedlock", sysFutex, base, futexWaitBitset|futexPrivate|futexRealtime, 2, base+0x100)
	p.waits(2, "pthread_mutex_lock", privateWait, 2, base+0x40)
	g := p.analyze()
	if len(g.Cycles) != 1 || g.Cycles[0].Proven || !g.Waits[0].Timed || g.Closed {
		t.Errorf("%+v %+v", g.Cycles, g.Waits[0])
	}
}

func TestChainEndsWhereTheWaitLeavesTheProcess(t *testing.T) {
	p := newProcess()
	p.mutex(base, 2, 3, 0)
	p.waits(1, "pthread_join", futexWaitBitset|futexRealtime, 2, base+0x200)
	p.waits(2, "pthread_mutex_lock", privateWait, 2, base)
	p.calls(3, "read", 0, 7)
	p.word(base+0x200, 2)
	p.c.World = &crash.World{Files: []crash.File{{FD: 7, Kind: crash.FilePipe, Target: "pipe:[9]", Peers: []crash.Peer{{PID: 44, Name: "feeder"}}}}}
	g := p.analyze()
	want := []Chain{{Threads: []int{0, 1, 2}, Sure: true, Waiters: 2}}
	if !reflect.DeepEqual(g.Chains, want) || len(g.Cycles) != 0 || g.Closed {
		t.Errorf("chains %+v, cycles %+v", g.Chains, g.Cycles)
	}
	if s := g.Waits[2].Text; s != "reads from fd 7 (a pipe; at the other end is process 44 (feeder))" {
		t.Error(s)
	}
}

func TestWords(t *testing.T) {
	p := newProcess()
	p.word(base, 90)                                          // a struct timespec of 90 s
	p.word(base+0x20, 4)                                      // a struct pollfd
	p.word(base+0x30, uint32(1)<<3)                           // a set with fd 3
	binary.LittleEndian.PutUint64(p.page[0x40:], uint64(100)) // an absolute time
	p.c.World = &crash.World{Monotonic: 60 * time.Second, Children: []crash.Child{{PID: 12, Name: "sh", State: "S"}},
		Files: []crash.File{
			{FD: 3, Kind: crash.FileSocket, Socket: &crash.Socket{Proto: "TCP", Local: "0.0.0.0:80", State: crash.SocketListens}},
			{FD: 4, Kind: crash.FileSocket, Socket: &crash.Socket{Proto: "TCP", Local: "10.0.0.1:80", Remote: "10.0.0.2:555", State: "established"}},
			{FD: 5, Kind: crash.FileSocket, Socket: &crash.Socket{Proto: "TCP", Local: "10.0.0.1:999", Remote: "10.0.0.2:5432", State: "established"},
				Peers: []crash.Peer{{PID: 9, Name: "postgres"}}},
			{FD: 6, Kind: crash.FileEpoll, Watches: []int{3, 4}},
			{FD: 7, Kind: crash.FileEpoll, Watches: []int{3, 5}},
			{FD: 9, Kind: crash.FileEpoll, Watches: []int{5}},
		}}
	for _, call := range []struct {
		number int64
		args   []uint64
		kind   Kind
		text   string
		rest   bool
	}{
		{35, []uint64{base}, Sleep, "sleeps for 1m30s", true},
		{230, []uint64{1, 1, base + 0x40}, Sleep, "sleeps for 40s", true},
		{0, []uint64{5}, IO, "reads from fd 5 (the TCP connection to 10.0.0.2:5432; at the other end is process 9 (postgres))", false},
		{0, []uint64{8}, IO, "reads from fd 8", false},
		{43, []uint64{3}, Accept, "waits for a connection to fd 3 (the TCP socket that listens on 0.0.0.0:80)", true},
		{232, []uint64{6, 0, 1, 1<<64 - 1}, Poll, "waits for fd 3 (the TCP socket that listens on 0.0.0.0:80), fd 4 (the TCP connection to 10.0.0.2:555)", true},
		{232, []uint64{7, 0, 1, 1<<64 - 1}, Poll, "waits for fd 3 (the TCP socket that listens on 0.0.0.0:80), fd 5 (the TCP connection to 10.0.0.2:5432; at the other end is process 9 (postgres))", true},
		{232, []uint64{9, 0, 1, 1<<64 - 1}, Poll, "waits for fd 5 (the TCP connection to 10.0.0.2:5432; at the other end is process 9 (postgres))", false},
		{7, []uint64{base + 0x20, 1, 2500}, Poll, "waits for fd 4 (the TCP connection to 10.0.0.2:555), for 2.5s at most", true},
		{7, []uint64{base + 0x20, 1, 1<<64 - 1}, Poll, "waits for fd 4 (the TCP connection to 10.0.0.2:555)", true},
		{23, []uint64{4, base + 0x30, 0, 0, 0}, Poll, "waits for fd 3 (the TCP socket that listens on 0.0.0.0:80)", true},
		{61, []uint64{1<<64 - 1}, Child, "waits for child process 12 (sh), which sleeps, to end", false},
		{34, nil, Signal, "waits for a signal", true},
	} {
		q := *p
		q.c.Threads, q.stacks = nil, nil
		q.calls(1, "f", call.number, call.args...)
		w := q.analyze().Waits[0]
		if w.Kind != call.kind || w.Text != call.text || w.Rest != call.rest {
			t.Errorf("%s %v: %s, %q, rest %v", crash.SyscallName(call.number), call.args, w.Kind, w.Text, w.Rest)
		}
	}
}

// A crowd that waits for one thread, behind a long row: the work must not grow with the square of it.
func TestManyWaiters(t *testing.T) {
	const n = 200_000
	g := &Graph{Waits: make([]Wait, n)}
	for i := range n - 1 {
		next := i + 1
		if i > n/2 {
			next = n / 2
		}
		g.Waits[i].Holders = []Holder{{Thread: next, Sure: true}}
	}
	g.Waits[n/2].Holders = nil
	all := chains(g)
	if len(all) != 1 || all[0].Waiters != n-2 || len(all[0].Threads) != n/2+1 || len(cycles(g)) != 0 {
		t.Errorf("%d chains, %d waiters, %d long", len(all), all[0].Waiters, len(all[0].Threads))
	}
}
