package tracer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// fdOf is the number of a connection's or listener's descriptor.
func fdOf(t *testing.T, c interface{ File() (*os.File, error) }) int {
	f, err := c.File() // a copy: the same socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// TestWorld describes this process itself, with a child at the other end of a pipe.
func TestWorld(t *testing.T) {
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "s")
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	toTCP, err := net.DialTCP("tcp4", nil, tcp.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer toTCP.Close()
	toLocal, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer toLocal.Close()
	accepted, err := local.AcceptUnix() // before, the kernel knows no other end
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	listening := fdOf(t, tcp)
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, listening, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		t.Fatal(err)
	}
	cat := exec.Command("cat")
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = cat.Wait()
	}()

	toServer, toPath, server := fdOf(t, toTCP), fdOf(t, toLocal), fdOf(t, local)
	w := world(os.Getpid(), os.Getpid())
	for fd, want := range map[int]crash.Socket{
		listening: {Proto: "TCP", Local: tcp.Addr().String(), State: crash.SocketListens},
		toServer:  {Proto: "TCP", Local: toTCP.LocalAddr().String(), Remote: tcp.Addr().String(), State: "established"},
		server:    {Proto: "Unix", Local: path, State: crash.SocketListens},
		toPath:    {Proto: "Unix", Remote: path, State: "established"},
	} {
		if f := w.File(fd); f == nil || f.Kind != crash.FileSocket || f.Socket == nil || *f.Socket != want {
			t.Errorf("descriptor %d: %+v, want %+v", fd, f, want)
		}
	}
	if f := w.File(epoll); f == nil || f.Kind != crash.FileEpoll || !slices.Equal(f.Watches, []int{listening}) {
		t.Errorf("epoll: %+v", f)
	}
	peer := crash.Peer{PID: cat.Process.Pid, Name: "cat"}
	if f := w.File(int(in.(*os.File).Fd())); f == nil || f.Kind != crash.FilePipe || f.Alone || !slices.Contains(f.Peers, peer) {
		t.Errorf("pipe: %+v", f)
	}
	if !slices.ContainsFunc(w.Children, func(c crash.Child) bool { return c.PID == cat.Process.Pid && c.Name == "cat" }) {
		t.Errorf("children: %+v", w.Children)
	}
}

func FuzzParseUnixEnd(f *testing.F) {
	f.Add([]byte("\x01\x01\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x02\x00\x06\x00\x00\x00\x08\x00\x00\x00/a/b"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseUnixEnd(data) })
}
