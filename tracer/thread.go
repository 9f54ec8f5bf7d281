package tracer

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// maxThreadTries bounds how many threads are looked at for one without children.
const maxThreadTries = 64

// onOwnThread runs f on a thread of its own: all ptrace requests, and the waiting, belong to the thread that launched the
// program. It is one that has no children yet, because waiting for any child would take away the end of a process that
// another part of this program had started from it.
func onOwnThread(f func()) {
	done := make(chan any)
	var try func(left int)
	try = func(left int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if left > 0 && hasChildren() {
			next := make(chan struct{})
			go func() {
				defer close(next)
				try(left - 1)
			}()
			<-next // held meanwhile, so that it is another thread that is tried
			return
		}
		defer func() {
			p := recover()
			if p != nil {
				p = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			done <- p
		}()
		f()
	}
	go try(maxThreadTries)
	if p := <-done; p != nil {
		panic(p)
	}
}

// hasChildren reports whether the calling thread has started processes that have not been waited for. Where the kernel
// does not tell (CONFIG_PROC_CHILDREN), it has none.
func hasChildren() bool {
	list, err := os.ReadFile("/proc/thread-self/children")
	return err == nil && len(list) > 0
}
