package probe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestStart(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"15/main": "# port = 1\nport = 5433\t# (change requires restart)\n", "9.6/old": "listen_addresses = '*'\n"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "postgresql.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := clusters(dir)
	debian := machine{sudo: true, server: true, debian: true, clusters: all}
	tests := []struct {
		name string
		m    machine
		port int
		want string // first command
	}{
		{"the cluster of that port", debian, 5433, "sudo pg_ctlcluster 15 main start"},
		{"the default port", debian, 5432, "sudo pg_ctlcluster 9.6 old start"},
		{"as root", machine{root: true, server: true, debian: true, clusters: all}, 5433, "pg_ctlcluster 15 main start"},
		{"another port", debian, 6000, "no server of this machine is set to port 6000 (pg_lsclusters; 15/main has 5433): correct the port in the program's URL, or add a server:"},
		{"no cluster", machine{root: true, server: true, debian: true}, 5432, "pg_createcluster " + newest() + " main --start --port 5432"},
		{"another system", machine{sudo: true, server: true, systemd: true}, 5432, "sudo systemctl start postgresql"},
		{"without an init process", machine{root: true, server: true}, 5432, "runuser -u postgres -- pg_ctl -D DATA_DIRECTORY -o '-p 5432' start"},
	}
	for _, tt := range tests {
		if got := tt.m.start(tt.port); got[0] != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	if got := debian.start(6000); !slices.Contains(got, "sudo pg_createcluster "+newest()+" mesh6000 --start --port 6000") {
		t.Errorf("another port: %q", got)
	}
	if none := (machine{root: true}).start(5432); exists("/etc/debian_version") && none[0] != "apt-get install postgresql" {
		t.Errorf("no server: %q", none)
	}
}
