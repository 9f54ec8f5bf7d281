package probe

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holdPort starts another process that listens on a free port.
func holdPort(t *testing.T, host string) (port int, pid int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "listening")
	cmd.Env = append(os.Environ(), "PROBE_LISTEN="+host)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if _, err := fmt.Fscanf(out, "port %d\n", &port); err != nil {
		t.Skipf("cannot listen on %s: %v", host, err)
	}
	return port, cmd.Process.Pid
}

// listenUntilTold is the other process of holdPort.
func listenUntilTold(host string) {
	network := "tcp6"
	if net.ParseIP(host).To4() != nil {
		network = "tcp4"
	}
	l, err := net.Listen(network, net.JoinHostPort(host, "0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestPortFree(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "::1", "::"} {
		t.Run(host, func(t *testing.T) {
			port, pid := holdPort(t, host)
			hs := Holders(port)
			if len(hs) != 1 {
				t.Fatalf("%d holders: %v", len(hs), hs)
			}
			h := hs[0]
			if h.PID != pid || h.Address != netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)) || h.UID != os.Getuid() {
				t.Errorf("%+v, want process %d on %s", h, pid, host)
			}
			if age := time.Since(h.Since); age < 0 || age > time.Minute {
				t.Errorf("started %v ago", age)
			}
			c := PortFree(port, 0, "HTTP server", "http")
			if c.OK || c.Cause != "port-in-use" || c.Kind != "http" || !strings.Contains(c.Detail, fmt.Sprintf("process %d (%s", pid, os.Args[0])) {
				t.Errorf("%+v", c)
			}
			if want := fmt.Sprintf("kill %d", pid); len(c.Next) != 1 || !strings.Contains(c.Next[0], want) {
				t.Errorf("next %q, want %q", c.Next, want)
			}
			if own := PortFree(port, pid, "HTTP server", "http"); own.OK || !strings.Contains(own.Detail, "held by the program itself") {
				t.Errorf("held by itself: %+v", own)
			}
		})
	}
	t.Run("free", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if c := PortFree(port, 0, "HTTP server", "http"); !c.OK {
			t.Errorf("%+v", c)
		}
	})
}

// TestListeners checks that the kernel's two answers agree, and that IPv6 alone is told from both families.
func TestListeners(t *testing.T) {
	both, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	defer both.Close()
	only, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer only.Close()
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer four.Close()
	for _, tt := range []struct {
		l      net.Listener
		v6only bool
		says   string
	}{{both, false, "(every address, IPv4 as well)"}, {only, true, "(every IPv6 address)"}, {four, false, "holds 127.0.0.1:"}} {
		port := uint16(tt.l.Addr().(*net.TCPAddr).Port)
		find := func(all []socket) socket {
			i := slices.IndexFunc(all, func(s socket) bool { return s.local.Port() == port })
			if i < 0 {
				t.Fatalf("port %d is missing in %v", port, all)
			}
			return all[i]
		}
		var asked []socket
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			found, err := diagnosed(family)
			if err != nil {
				t.Skipf("netlink: %v", err)
			}
			asked = append(asked, found...)
		}
		a, b := find(asked), find(listenersInProc())
		if a.v6only != tt.v6only {
			t.Errorf("%v: IPv6 only is %v", tt.l.Addr(), a.v6only)
		}
		if a.v6only = false; a != b {
			t.Errorf("netlink says %v, /proc says %v", a, b)
		}
		if c := PortFree(int(port), 0, "server", "other"); !strings.Contains(c.Detail, tt.says) {
			t.Errorf("%v: %s", tt.l.Addr(), c.Detail)
		}
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(make([]byte, diagMessageSize+8))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseDiag(data) })
}

func TestParseSockets(t *testing.T) {
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 01 00000000:00000000 00:00000000 00000000 0 0 7 1
   2: broken
   3: 0100007F:1F90zz 00000000:0000 0A 0:0 0:0 0 0 0 1 1
`
	got := parseSockets(strings.NewReader(text))
	want := []socket{
		{local: netip.MustParseAddrPort("127.0.0.1:8080"), uid: 1000, inode: 4242},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzParseSockets(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1")
	f.Fuzz(func(_ *testing.T, s string) { parseSockets(strings.NewReader(s)) })
}

func FuzzStartTicks(f *testing.F) {
	f.Add("1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 37 1 1")
	f.Fuzz(func(_ *testing.T, s string) { startTicks(s) })
}

func TestStartTicks(t *testing.T) {
	if n, ok := startTicks("1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 37 1 1"); !ok || n != 37 {
		t.Errorf("%d %v", n, ok)
	}
}
