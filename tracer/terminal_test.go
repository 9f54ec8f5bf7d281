package tracer

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is the user's side of a terminal in a test.
type screen struct {
	t      *testing.T
	master *os.File
	slave  int
	text   strings.Builder
	bytes  chan []byte
}

func newScreen(t *testing.T, cols, rows uint16) *screen {
	t.Helper()
	master, slave, err := openPty()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(master, true); err != nil { // so that closing it ends a read
		t.Fatal(err)
	}
	s := &screen{t: t, master: os.NewFile(uintptr(master), "master"), slave: slave, bytes: make(chan []byte, 100)}
	go func() {
		defer close(s.bytes)
		for {
			buf := make([]byte, 4096)
			n, err := s.master.Read(buf)
			if err != nil {
				return
			}
			s.bytes <- buf[:n]
		}
	}()
	t.Cleanup(func() { _ = unix.Close(s.slave); _ = s.master.Close() })
	return s
}

// start launches a command as a session leader on the terminal, as a terminal emulator does.
func (s *screen) start(cmd *exec.Cmd) {
	s.t.Helper()
	tty := os.NewFile(uintptr(mustDup(s.t, s.slave)), "tty")
	defer tty.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func mustDup(t *testing.T, fd int) int {
	t.Helper()
	d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// expect waits until the text appears.
func (s *screen) expect(text string) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(s.text.String(), text) {
		select {
		case b, ok := <-s.bytes:
			if !ok {
				s.t.Fatalf("the terminal closed before %q; it shows\n%s", text, s.text.String())
			}
			s.text.Write(b)
		case <-deadline:
			s.t.Fatalf("%q does not appear; the terminal shows\n%s", text, s.text.String())
		}
	}
}

// rest collects what comes until the terminal is silent.
func (s *screen) rest() string {
	for {
		select {
		case b, ok := <-s.bytes:
			if !ok {
				return s.text.String()
			}
			s.text.Write(b)
		case <-time.After(100 * time.Millisecond):
			return s.text.String()
		}
	}
}

func (s *screen) keys(k string) {
	s.t.Helper()
	if _, err := s.master.WriteString(k); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) termios() unix.Termios {
	s.t.Helper()
	tio, err := unix.IoctlGetTermios(s.slave, unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *tio
}

// TestTerminal holds a conversation with a program on a terminal, alone and traced: the screen must show the same bytes.
func TestTerminal(t *testing.T) {
	path := program(t, "tty.c")
	talk := func(t *testing.T, traced bool) (string, int) {
		s := newScreen(t, 91, 33)
		before := s.termios()
		cmd, report := command(t, path, nil, traced)
		s.start(cmd)
		s.expect("ready for a new size")
		if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 70, Row: 20}); err != nil {
			t.Fatal(err)
		}
		s.expect("ready for a line")
		s.keys("helo\x7flo there\r")
		s.expect("ready for Ctrl-C")
		s.keys("\x03")
		r := ended(t, cmd, report)
		if after := s.termios(); after != before {
			t.Errorf("traced %v: the terminal was not restored:\n%+v\n%+v", traced, after, before)
		}
		return s.rest(), r.code
	}
	alone, code := talk(t, false)
	traced, tracedCode := talk(t, true)
	if code != 4 || tracedCode != code {
		t.Errorf("ended with %d, alone with %d", tracedCode, code)
	}
	if traced != alone {
		t.Errorf("the screen shows\n%q\nalone\n%q", traced, alone)
	}
	for _, want := range []string{"tty 1 1 1", "same 1", "foreground 1", "canonical 1 echo 1", "size 91 x 33", "size 70 x 20", "line hello there", "interrupts 1"} {
		if !strings.Contains(traced, want+"\r\n") {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestTerminalCrash wants the terminal restored and everything shown after a crash.
func TestTerminalCrash(t *testing.T) {
	s := newScreen(t, 80, 25)
	before := s.termios()
	cmd, report := command(t, program(t, "segv.c"), nil, true)
	s.start(cmd)
	r := ended(t, cmd, report)
	if r.code != 128+11 || s.termios() != before {
		t.Errorf("status %d, terminal restored %v", r.code, s.termios() == before)
	}
	if got := s.rest(); got != "before\r\n" {
		t.Errorf("the screen shows %q", got)
	}
}

// TestTerminalTerminated kills the launcher with SIGTERM: the target gets it, and the terminal is restored.
func TestTerminalTerminated(t *testing.T) {
	s := newScreen(t, 80, 25)
	before := s.termios()
	cmd, report := command(t, program(t, "tty.c"), nil, true)
	s.start(cmd)
	s.expect("ready for a new size")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	r := ended(t, cmd, report)
	if r.code != 128+15 || s.termios() != before {
		t.Errorf("status %d, terminal restored %v", r.code, s.termios() == before)
	}
}

// TestTerminalGone closes the user's terminal window: the program is hung up, as it would have been.
func TestTerminalGone(t *testing.T) {
	s := newScreen(t, 80, 25)
	cmd, report := command(t, "/bin/sh", []string{"-c", "trap 'exit 44' HUP; echo ready; while :; do sleep 0.01; done"}, true)
	s.start(cmd)
	s.expect("ready\r\n")
	_ = unix.Close(s.slave)
	s.slave = -1
	_ = s.master.Close()
	if r := ended(t, cmd, report); r.code != 44 {
		t.Errorf("status %d", r.code)
	}
}

// TestTerminalBackgroundChild starts a child on the terminal that outlives its parent, a session leader only because of us:
// it must not be hung up.
func TestTerminalBackgroundChild(t *testing.T) {
	note := t.TempDir() + "/note"
	s := newScreen(t, 80, 25)
	cmd, report := command(t, "/bin/sh", []string{"-c", "(sleep 0.2; echo alive > " + note + ") & echo started"}, true)
	s.start(cmd)
	if r := ended(t, cmd, report); r.code != 0 {
		t.Fatalf("status %d", r.code)
	}
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if data, _ := os.ReadFile(note); string(data) == "alive\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the child was hung up")
		}
	}
}

// TestPartTerminal has stdout on a terminal and the rest elsewhere: the program must still find a terminal there, of the
// right size, and its output must not be processed twice.
func TestPartTerminal(t *testing.T) {
	run := func(traced bool) string {
		s := newScreen(t, 77, 11)
		cmd, report := command(t, "/bin/sh", []string{"-c", "test -t 1 && test ! -t 0 && test ! -t 2 && stty size <&1; printf 'a\\nb\\n'"}, traced)
		tty := os.NewFile(uintptr(mustDup(t, s.slave)), "tty")
		defer tty.Close()
		cmd.Stdout = tty
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if r := ended(t, cmd, report); r.code != 0 {
			t.Fatalf("status %d", r.code)
		}
		return s.rest()
	}
	alone, traced := run(false), run(true)
	if alone != traced || alone != "11 77\r\na\r\nb\r\n" {
		t.Errorf("traced %q, alone %q", traced, alone)
	}
}

// typing is how long a user waits before typing on, so that the shell has changed the terminal's mode.
const typing = 150 * time.Millisecond

// TestSuspend presses Ctrl-Z under a shell with job control, then continues the job: the shell must see it stop, and the
// program must go on. All streams are on the terminal, or only stdin and stderr.
func TestSuspend(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is needed for job control")
	}
	for _, redirect := range []string{"", " | /bin/cat"} {
		for _, traced := range []bool{false, true} {
			t.Run(fmt.Sprintf("traced %v%s", traced, redirect), func(t *testing.T) {
				s := newScreen(t, 80, 25)
				cmd, report := command(t, program(t, "cat.c"), nil, traced)
				job := strings.Join(cmd.Args, " ") + redirect
				shell := exec.Command("bash", "--norc", "--noprofile", "-i")
				shell.Env = append(cmd.Env, "PS1=ready> ", "HISTFILE=")
				if !traced {
					shell.Env = append(cleanEnv(), "PS1=ready> ", "HISTFILE=")
				}
				s.start(shell)
				s.expect("ready> ")
				s.keys(job + "\r")
				time.Sleep(typing)
				s.keys("one\r")
				s.expect("one\r\none\r\n")
				s.keys("\x1a")
				s.expect("Stopped")
				s.keys("echo in $((40+2)) the shell\r")
				s.expect("in 42 the shell")
				s.keys("fg\r")
				time.Sleep(typing)
				s.keys("two\r")
				s.expect("two\r\ntwo\r\n")
				s.keys("\x04")
				time.Sleep(typing)
				s.keys("echo status $((7+$?)); exit\r")
				s.expect("status 7")
				_ = shell.Wait()
				if traced {
					if _, err := os.Stat(report); err != nil {
						t.Errorf("the launcher did not come to its end: %v", err)
					}
				}
			})
		}
	}
}

// TestInterruptInGroup presses Ctrl-C where the target shares our process group (stdout is a pipe): it gets it once, and
// we do not die of it.
func TestInterruptInGroup(t *testing.T) {
	s := newScreen(t, 80, 25)
	cmd, report := command(t, "/bin/sh", []string{"-c", `trap 'echo trapped' INT; echo ready; read x; read x; echo end`}, true)
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	tty := os.NewFile(uintptr(mustDup(t, s.slave)), "tty")
	defer tty.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, out, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	content := func() string { data, _ := os.ReadFile(out.Name()); return string(data) }
	for deadline := time.Now().Add(5 * time.Second); content() != "ready\n"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("output %q", content())
		}
	}
	s.keys("\x03")
	time.Sleep(3 * forwardAfter)
	s.keys("x\nx\n")
	r := ended(t, cmd, report)
	if got := content(); r.code != 0 || strings.Count(got, "trapped") != 1 || !strings.HasSuffix(got, "end\n") {
		t.Errorf("status %d, output %q", r.code, got)
	}
}

// TestForwardedSignal sends a signal to us alone, as timeout or a supervisor does: the target gets it, once.
func TestForwardedSignal(t *testing.T) {
	cmd, report := command(t, "/bin/sh", []string{"-c", `n=0; trap 'n=$((n+1))' TERM; echo $$; sleep 0.4 & wait; wait; echo "terms $n"`}, true)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid, terms int
	lines := bufio.NewReader(pipe)
	if _, err := fmt.Fscanln(lines, &pid); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if _, err := fmt.Fscanf(lines, "terms %d\n", &terms); err != nil || terms != 1 {
		t.Errorf("the target got SIGTERM %d times (%v)", terms, err)
	}
	if r := ended(t, cmd, report); r.code != 0 {
		t.Errorf("status %d", r.code)
	}

}
