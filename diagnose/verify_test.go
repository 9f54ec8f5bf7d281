package diagnose

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"meshdiag/lab"
)

// verifyWorld boots a stand-in in a world and returns the result.
func verifyWorld(t *testing.T, exe, url string, hold string) *Verification {
	t.Helper()
	t.Setenv("MESHER_DATABASE_URL", url)
	for _, name := range []string{"MESHER_HTTP_PORT", "MESHER_WS_PORT"} {
		port, err := lab.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, fmt.Sprint(port))
		if name == hold {
			l, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v, err := Verify(ctx, VerifyOptions{Path: exe, Boot: 10 * time.Second, Settle: 300 * time.Millisecond, Stdout: null})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// failures are the checks that failed, "id: detail".
func failures(v *Verification) map[string]string {
	out := map[string]string{}
	for _, c := range v.Checks {
		if !c.OK {
			out[c.ID] = c.Detail
		}
	}
	return out
}

func TestVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database server")
	}
	exe, err := lab.Build(t.Context(), lab.Variant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	pg, err := lab.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	sound := pg.URL("mesh", "mesh", "mesher")

	t.Run("healthy", func(t *testing.T) {
		begin := time.Now()
		v := verifyWorld(t, exe, sound, "")
		took := time.Since(begin)
		if f := failures(v); len(f) > 0 || !v.OK() {
			t.Errorf("%v", f)
		}
		had := map[string]bool{}
		for _, c := range v.Checks {
			had[c.ID] = true
		}
		for _, id := range []string{"startup-connecting", "startup-http", "no-error", "no-panic", "server-http", "server-websocket",
			"database-login", "database-tables", "database-migrations", "database-partitions", "database-extensions", "alive"} {
			if !had[id] {
				t.Errorf("%s was not checked", id)
			}
		}
		if rest := took.Seconds() - v.BootS; rest > 3 {
			t.Errorf("%.1f s beyond the boot of %.1f s", rest, v.BootS)
		}
	})
	t.Run("HTTP port taken", func(t *testing.T) {
		f := failures(verifyWorld(t, exe, sound, "MESHER_HTTP_PORT"))
		if !strings.Contains(f["server-http"], fmt.Sprintf("process %d ", os.Getpid())) {
			t.Errorf("the holder is not named: %v", f)
		}
		if _, bad := f["server-websocket"]; bad || f["no-error"] == "" {
			t.Errorf("%v", f)
		}
	})
	t.Run("own program, database by its variable", func(t *testing.T) {
		o := ownProgram(t)
		t.Setenv("OWN_DATABASE_URL", sound)
		v, err := Verify(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		f := failures(v)
		if len(f) != 1 || !strings.Contains(f["database-statements"], `"SELECT name FROM widgets WHERE id = $1": relation "widgets" does not exist`) {
			t.Errorf("%v", f)
		}
	})
	t.Run("no database", func(t *testing.T) {
		f := failures(verifyWorld(t, exe, "postgres://mesh:mesh@127.0.0.1:1/mesher", ""))
		if !strings.Contains(f["database-login"], "nobody listens on 127.0.0.1:1") || !strings.Contains(f["alive"], "it ended by itself") {
			t.Errorf("%v", f)
		}
		if f["startup-connecting"] != "" || f["startup-http"] == "" {
			t.Errorf("%v", f)
		}
	})
}

// TestVerifyNoProgram checks that a program that cannot be launched is a failed check, not a failure.
func TestVerifyNoProgram(t *testing.T) {
	v, err := Verify(t.Context(), VerifyOptions{Path: "/nonexistent/program", Boot: time.Second, Stdout: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	if v.OK() || failures(v)["alive"] == "" {
		t.Errorf("%+v", v.Checks)
	}
}
