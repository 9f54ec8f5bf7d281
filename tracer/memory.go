package tracer

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

const pageSize = 4096

// liveMemory reads a stopped process the way the process itself could: a guard page is unreadable, not zero. Breakpoints
// of ours are never seen through it.
type liveMemory struct {
	tid    int      // a live thread of the process
	file   *os.File // /proc/PID/mem from before the process could make itself undumpable; nil when it could not be opened
	breaks *breakSet
	maps   []crash.Mapping // for file, which reads through protections; may be nil
	gone   bool
}

var _ crash.Memory = (*liveMemory)(nil)

// openMem opens the fallback; the descriptor keeps working when the process drops its dumpable flag.
func openMem(pid int) *os.File {
	f, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/mem", os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	return f
}

// ReadMemory implements crash.Memory.
func (m *liveMemory) ReadMemory(buf []byte, addr uint64) (int, error) {
	if m.gone {
		return 0, &crash.UnreadableError{Addr: addr, Reason: "the process is gone"}
	}
	done := 0
	var why error
	for done < len(buf) && addr+uint64(done) >= addr {
		n, err := m.readSome(buf[done:], addr+uint64(done))
		if n <= 0 {
			why = err
			break
		}
		done += n
	}
	m.breaks.hide(buf[:done], addr)
	if done == len(buf) {
		return done, nil
	}
	return done, &crash.UnreadableError{Addr: addr + uint64(done), Reason: reason(why)}
}

func reason(err error) string {
	switch {
	case err == nil:
		return "past the end of the address space"
	case errors.Is(err, unix.EFAULT), errors.Is(err, unix.EIO), errors.Is(err, unix.EINVAL):
		return "not mapped or not readable"
	case errors.Is(err, unix.ESRCH):
		return "the process is gone"
	}
	return err.Error()
}

func (m *liveMemory) readSome(buf []byte, addr uint64) (int, error) {
	local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
	remote := []unix.RemoteIovec{{Base: uintptr(addr), Len: len(buf)}}
	n, err := unix.ProcessVMReadv(m.tid, local, remote, 0)
	if err == nil || m.file == nil || errors.Is(err, unix.EFAULT) {
		return n, err
	}
	return m.readFile(buf, addr)
}

// readFile reads through /proc/PID/mem, which ignores page protections, so it is held to the readable mappings.
func (m *liveMemory) readFile(buf []byte, addr uint64) (int, error) {
	c := crash.Crash{Mappings: m.maps}
	mapping, ok := c.MappingAt(addr)
	if !ok || mapping.Perms&crash.Read == 0 || addr > 1<<62 {
		return 0, unix.EFAULT
	}
	if left := mapping.End - addr; uint64(len(buf)) > left {
		buf = buf[:left]
	}
	n, err := unix.Pread(int(m.file.Fd()), buf, int64(addr))
	if n == 0 && err == nil {
		err = unix.EIO
	}
	return n, err
}
