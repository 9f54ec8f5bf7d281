package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// Nobody is shown who sends SIGKILL, neither the victim nor its tracer. The kernel's tracepoint signal_generate tells, to
// who may use it: root, outside of a PID namespace, where tracefs is mounted. It is asked only of programs that run for a
// while, because taking it back costs some 30 ms at our own end; of the signals of the machine only a SIGKILL for the target
// passes its filter.

const (
	killEvent    = "events/signal/signal_generate"
	initPIDSpace = "pid:[4026531836]" // PROC_PID_INIT_INO (linux/include/linux/proc_ns.h)
	ringPages    = 2                  // the head and one page of records
	maxCPUs      = 1024
)

// Where the watch looks for tracefs, how long it waits before it begins, and what it calls then; tests change all three.
var (
	tracefs        = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}
	killWatchAfter = time.Second
	killWatchBegun = func() {}
)

// killWatch sees who sends SIGKILL to the target.
type killWatch struct {
	mu    sync.Mutex
	rings [][]byte
	code  int // offset of the field "code" in the event
}

// watch begins after a while and ends with quit.
func (k *killWatch) watch(pid int, quit <-chan struct{}) {
	select {
	case <-quit:
		return
	case <-time.After(killWatchAfter):
	}
	if space, err := os.Readlink("/proc/self/ns/pid"); err != nil || space != initPIDSpace {
		return // the filter takes ids of the first namespace
	}
	for _, dir := range tracefs {
		id, code, ok := readEvent(filepath.Join(dir, killEvent))
		if !ok {
			continue
		}
		k.mu.Lock()
		k.code = code
		for cpu := range min(runtime.NumCPU(), maxCPUs) {
			if ring := openRing(id, cpu, pid); ring != nil {
				k.rings = append(k.rings, ring)
			}
		}
		k.mu.Unlock()
		killWatchBegun()
		break
	}
	<-quit
	go k.end()
}

// end takes the watch back, which nobody waits for.
func (k *killWatch) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ring := range k.rings {
		_ = unix.Munmap(ring)
	}
	k.rings = nil
}

// readEvent reads a tracepoint's number and where its field "code" lies.
func readEvent(dir string) (id, code int, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		return 0, 0, false
	}
	id, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, 0, false
	}
	format, err := os.ReadFile(filepath.Join(dir, "format"))
	if err != nil {
		return 0, 0, false
	}
	code, ok = fieldOffset(format, "code")
	return id, code, ok
}

// fieldOffset finds a field of four bytes in a tracepoint's format: "field:int code;	offset:16;	size:4;	signed:1;".
func fieldOffset(format []byte, name string) (int, bool) {
	for line := range bytes.Lines(format) {
		_, rest, ok := strings.Cut(string(line), " "+name+";\toffset:")
		offset, size, ok2 := strings.Cut(rest, ";\tsize:")
		n, err := strconv.Atoi(offset)
		if ok && ok2 && err == nil && n >= 0 && n < 1<<12 && strings.HasPrefix(size, "4;") {
			return n, true
		}
	}
	return 0, false
}

// openRing opens the event on one processor for one target (perf_event_open(2)); nil when that is not allowed. The mapping
// keeps the event alive.
func openRing(id, cpu, pid int) []byte {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: uint64(id), Sample: 1, Wakeup: 1,
		Sample_type: unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_RAW, Bits: unix.PerfBitDisabled}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	filter, err := unix.BytePtrFromString(fmt.Sprintf("sig==9 && pid==%d", pid))
	if err != nil {
		return nil
	}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(filter))); e != 0 {
		return nil
	}
	ring, err := unix.Mmap(fd, 0, ringPages*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	if unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0) != nil {
		_ = unix.Munmap(ring)
		return nil
	}
	return ring
}

// seen is the SIGKILL that was sent to the target, with its si_code and, for one that a process sent, that process; nil
// when none was seen.
func (k *killWatch) seen() *crash.Signal {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ring := range k.rings {
		head := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ring[0])).Data_head
		page := os.Getpagesize()
		if s := firstKill(ring[page:page+int(min(head, uint64(page)))], k.code); s != nil {
			return s
		}
	}
	return nil
}

// firstKill reads the first record of a ring: perf_event_header, then pid and tid of the sender, size and bytes of the event
// (linux/include/uapi/linux/perf_event.h, PERF_RECORD_SAMPLE).
func firstKill(records []byte, code int) *crash.Signal {
	const header, raw = 8, 20
	if len(records) < raw || binary.LittleEndian.Uint32(records) != unix.PERF_RECORD_SAMPLE {
		return nil
	}
	size := int(binary.LittleEndian.Uint16(records[6:]))
	if size > len(records) || raw+code+4 > size {
		return nil
	}
	s := &crash.Signal{Number: int(unix.SIGKILL), Code: int(int32(binary.LittleEndian.Uint32(records[raw+code:]))), UID: -1}
	if !s.Sent() {
		return s
	}
	s.PID = int(binary.LittleEndian.Uint32(records[header:]))
	if st, err := os.Stat("/proc/" + strconv.Itoa(s.PID)); err == nil {
		if uid, ok := statUID(st); ok {
			s.UID = uid
		}
	}
	return s
}
