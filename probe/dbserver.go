package probe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"meshdiag/lazyregexp"
)

// What a person can type on this machine. Command lines must work as they are printed, so they depend on what is installed
// and who asks; what is said about one stands behind it as a shell's comment.

// machine is what decides how a local server is started and administered.
type machine struct {
	root     bool // whoever runs meshdiag is root
	sudo     bool // sudo is installed
	systemd  bool // it is the init process (sd_booted(3))
	server   bool // a PostgreSQL server is installed
	debian   bool // with Debian's tools for its clusters (postgresql-common)
	clusters []cluster
}

// cluster is a server with its data as Debian's tools know it.
type cluster struct {
	version, name string
	port          int
}

func thisMachine() machine {
	return machine{root: os.Geteuid() == 0, sudo: installed("sudo"), systemd: exists("/run/systemd/system"), server: serverInstalled(),
		debian: installed("pg_ctlcluster"), clusters: clusters("/etc/postgresql")}
}

func installed(name string) bool { _, err := exec.LookPath(name); return err == nil }

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// serverInstalled looks where distributions put the server's program.
func serverInstalled() bool {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/usr/bin/postgres",
		"/usr/local/bin/postgres", "/usr/local/pgsql/bin/postgres"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return true
		}
	}
	return false
}

var portSetting = lazyregexp.New(`(?m)^\s*port\s*=?\s*'?(\d+)`)

// clusters lists Debian's clusters: ROOT/VERSION/NAME/postgresql.conf.
func clusters(root string) (all []cluster) {
	found, _ := filepath.Glob(filepath.Join(root, "*", "*", "postgresql.conf"))
	for _, path := range found {
		c := cluster{version: filepath.Base(filepath.Dir(filepath.Dir(path))), name: filepath.Base(filepath.Dir(path)), port: 5432}
		if data, err := os.ReadFile(path); err == nil {
			if m := portSetting().FindSubmatch(data); m != nil {
				c.port, _ = strconv.Atoi(string(m[1]))
			}
		}
		all = append(all, c)
	}
	return all
}

// newest is the newest version of the server that Debian's layout has; "" for none.
func newest() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	best := ""
	for _, path := range found {
		v := filepath.Base(filepath.Dir(filepath.Dir(path)))
		if len(v) > len(best) || len(v) == len(best) && v > best {
			best = v
		}
	}
	return best
}

// as is the front of a command line that runs as a user.
func (m machine) as(user string) string {
	switch {
	case m.root && user == "root":
		return ""
	case user == "root":
		return "sudo "
	case m.root && !m.sudo:
		return "runuser -u " + user + " -- "
	}
	return "sudo -u " + user + " "
}

// start are the commands by which a server that listens on a port comes up, as far as this machine tells.
func (m machine) start(port int) []string {
	root := m.as("root")
	switch {
	case !m.server && m.debianLike():
		return []string{root + "apt-get install postgresql", root + "service postgresql start  # unless the installation did that"}
	case !m.server:
		return []string{"install your system's package of the PostgreSQL server, and start it"}
	case !m.debian && m.systemd:
		return []string{root + "systemctl start postgresql"}
	case !m.debian:
		return []string{m.as("postgres") + fmt.Sprintf("pg_ctl -D DATA_DIRECTORY -o '-p %d' start", port)}
	}
	for _, c := range m.clusters {
		if c.port == port {
			return []string{root + fmt.Sprintf("pg_ctlcluster %s %s start", shellQuote(c.version), shellQuote(c.name))}
		}
	}
	create := root + fmt.Sprintf("pg_createcluster %s main --start --port %d", shellQuote(newest()), port)
	if len(m.clusters) > 0 {
		c := m.clusters[0]
		return []string{fmt.Sprintf("no server of this machine is set to port %d (pg_lsclusters; %s/%s has %d): correct the port in the program's URL, or add a server:",
			port, c.version, c.name, c.port), strings.Replace(create, " main ", " mesh"+strconv.Itoa(port)+" ", 1)}
	}
	return []string{create}
}

func (m machine) debianLike() bool { return exists("/etc/debian_version") }
