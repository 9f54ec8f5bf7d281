package tracer

import (
	"os"
	"testing"
)

func TestIdentityOfThisProcess(t *testing.T) {
	p := Identity(os.Getpid())
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if p.PPID != os.Getppid() || p.UID != os.Getuid() || p.GID != os.Getgid() || p.Hostname != host || !p.Died.IsZero() {
		t.Errorf("%+v", p)
	}
	if Dumping(os.Getpid()) {
		t.Error("a core of this process is said to be under way")
	}
}

func TestIdentityOfNobody(t *testing.T) {
	const none = 1 << 30 // above any PID (proc(5), pid_max)
	if p := Identity(none); p.UID != -1 || p.GID != -1 || p.PPID != 0 || Dumping(none) {
		t.Errorf("%+v", p)
	}
}
