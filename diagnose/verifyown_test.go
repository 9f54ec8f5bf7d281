package diagnose

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/lab"
)

// ownServer is a program of somebody's own: an HTTP server with a worker, which ends in silence when OWN_DIES is set.
const ownServer = `
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
const char *sql = "SELECT name FROM organizations WHERE slug = $1", *more = "SELECT name FROM widgets WHERE id = $1";
static void *work(void *arg) {
	if (getenv("OWN_DIES")) { usleep(100000); return 0; }
	for (;;) pause();
}
int main(void) {
	setvbuf(stdout, 0, _IONBF, 0);
	if (getenv("OWN_DATABASE_URL")) printf("own: %s, %s\n", sql, more);
	if (!getenv("OWN_SILENT")) puts("own: configured");
	pthread_t t;
	pthread_create(&t, 0, work, 0);
	pthread_setname_np(t, "worker");
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	struct sockaddr_in a = {AF_INET, htons(atoi(getenv("OWN_PORT"))), {htonl(INADDR_LOOPBACK)}};
	if (bind(l, (void *)&a, sizeof a) || listen(l, 8)) { perror("own: listen"); return 1; }
	puts("own: ready");
	for (int n = 0;; n++) {
		int c = accept(l, 0, 0);
		char in[1024];
		read(c, in, sizeof in);
		const char *out = strstr(in, "GET /healthz ") ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
		write(c, out, strlen(out));
		close(c);
		printf("own: %d answered\n", n + 1);
	}
}`

// ownProfile is all that verify needs to know of it.
const ownProfile = `
id = "own"
[[startup]]
id = "own"
[[startup.phases]]
id = "configured"
message = '^own: configured$'
literal = "own: configured"
[[startup.phases]]
id = "ready"
message = '^own: ready$'
literal = "own: ready"
[[servers]]
id = "web"
kind = "http"
title = "web server"
env = "OWN_PORT"
path = "/healthz"
[verify]
threads_stay = true
`

// ownProgram builds it, and gives it a free port.
func ownProgram(t *testing.T) VerifyOptions {
	t.Helper()
	dir := t.TempDir()
	exe, src, prof := filepath.Join(dir, "own"), filepath.Join(dir, "own.c"), filepath.Join(dir, "own.toml")
	for path, text := range map[string]string{src: ownServer, prof: ownProfile} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("gcc", "-pthread", "-w", "-o", exe, src).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("OWN_PORT", fmt.Sprint(port))
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return VerifyOptions{Options: Options{Profile: prof}, Path: exe, Boot: 10 * time.Second, Settle: 400 * time.Millisecond, Stdout: null}
}

func TestVerifyOwnProgram(t *testing.T) {
	tests := []struct {
		name, variable string
		failed, says   string // of the only check that fails
	}{
		{"well", "", "", ""},
		{"a message missing", "OWN_SILENT", "startup-configured", "never printed: own: configured"},
		{"a worker that ends", "OWN_DIES", "threads", "1 of the 2 threads of its start-up ended while it ran"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := ownProgram(t)
			if tt.variable != "" {
				t.Setenv(tt.variable, "1")
			}
			v, err := Verify(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			f := failures(v)
			if tt.failed == "" && len(f) > 0 || tt.failed != "" && (len(f) != 1 || !strings.Contains(f[tt.failed], tt.says)) {
				t.Errorf("%v", f)
			}
			had, _ := json.Marshal(v.Checks)
			for _, id := range []string{"startup-ready", "server-web", "threads", "port-", "alive"} {
				if !strings.Contains(string(had), `"id":"`+id) {
					t.Errorf("%s was not checked", id)
				}
			}
		})
	}
}

// TestVerifyKeep checks that a program which is well is left, untraced and at work, and that one which is not is ended.
func TestVerifyKeep(t *testing.T) {
	o := ownProgram(t)
	o.Keep = true
	v, err := Verify(t.Context(), o)
	if err != nil || !v.OK() || v.Kept == 0 {
		t.Fatalf("%v, kept %d: %v", err, v.Kept, failures(v))
	}
	defer func() {
		_ = unix.Kill(v.Kept, unix.SIGKILL)
		_, _ = unix.Wait4(v.Kept, nil, 0, nil)
	}()
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.Kept)); err != nil || !strings.Contains(string(status), "TracerPid:\t0\n") {
		t.Errorf("%v\n%s", err, status)
	}
	for range 50 { // each prints a line, to a reader that must be there
		resp, err := http.Get("http://127.0.0.1:" + os.Getenv("OWN_PORT") + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	t.Setenv("OWN_SILENT", "1")
	bad := ownProgram(t)
	bad.Keep = true
	v2, err := Verify(t.Context(), bad)
	if err != nil || v2.OK() || v2.Kept != 0 {
		t.Fatalf("%v, kept %d: %v", err, v2.Kept, failures(v2))
	}
	if resp, err := http.Get("http://127.0.0.1:" + os.Getenv("OWN_PORT") + "/healthz"); err == nil {
		resp.Body.Close()
		t.Error("it still answers")
	}
}
