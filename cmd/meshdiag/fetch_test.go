package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestInterruptEndsFetching types Ctrl-C while a download is shown on a terminal: the report comes without the file, and
// with the reason.
func TestInterruptEndsFetching(t *testing.T) {
	dir := t.TempDir()
	source, exe, core := filepath.Join(dir, "crash.c"), filepath.Join(dir, "crash"), filepath.Join(dir, "saved")
	if err := os.WriteFile(source, []byte("int main(void) { return *(volatile int *)8; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"cc", "-o", exe, source}, {"meshdiag", "run", "--exit-status=target", "--save-core", core, exe}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil && command[0] == "cc" {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	cmd := exec.Command("meshdiag", "core", "--profile", "none", "--color", "never", core)
	cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=http://me:hunter2@"+silent.Addr().String(), "DEBUGINFOD_TIMEOUT=0", "DEBUGINFOD_MAXTIME=1000",
		"DEBUGINFOD_CACHE_PATH="+filepath.Join(dir, "cache"))
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var screen bytes.Buffer
	var buf [4096]byte
	typed := false
	for {
		n, err := tty.Read(buf[:])
		screen.Write(buf[:n])
		if !typed && strings.Contains(screen.String(), "fetching 0.0 MiB: the file of crash from http://127.0.0.1:") {
			typed = true
			if _, err := io.WriteString(tty, "\x03"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break // EIO: the program is gone
		}
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != statusFault {
		t.Errorf("exit status %d", got)
	}
	for _, want := range []string{"meshdiag: SIGSEGV: ", "Fetching files was interrupted.", "Could not be fetched: the file of crash"} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen.String())
		}
	}
	if strings.Contains(screen.String(), "hunter2") {
		t.Error("the password is on the screen")
	}
}
