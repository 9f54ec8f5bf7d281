package lab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// schema is the SQL of the sound database.
//
//go:embed schema.sql
var schema string

// Postgres is a private server in a temporary folder, with the role mesh (password mesh) and the sound database
// mesher. It is safe for concurrent use; databases made by World are independent of one another.
type Postgres struct {
	Port int    // TCP, on 127.0.0.1
	Dir  string // data, socket and log; removed by Stop

	cmd    *exec.Cmd
	exited chan error
	cred   *syscall.Credential // nil unless root runs the lab
	change Change
	psql   string
	worlds atomic.Int64

	backup    sync.Once
	backupErr error
}

const (
	template     = "mesher_template"
	startTimeout = 30 * time.Second
)

// StartPostgres initialises and starts a server on a free port and a Unix socket. Where root runs the lab the server
// runs as the unprivileged user postgres or nobody, as PostgreSQL demands.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	initdb, err := postgresTool("initdb")
	if err != nil {
		return nil, err
	}
	server, err := postgresTool("postgres")
	if err != nil {
		return nil, err
	}
	psql, err := postgresTool("psql")
	if err != nil {
		return nil, err
	}
	pg := &Postgres{psql: psql}
	if err := pg.prepare(); err != nil {
		return nil, err
	}
	if err := pg.boot(ctx, initdb, server); err != nil {
		pg.Stop()
		return nil, fmt.Errorf("start a private PostgreSQL: %w", err)
	}
	return pg, nil
}

// prepare makes the folder, for the user that the server will run as.
func (pg *Postgres) prepare() error {
	cred, err := serverUser()
	if err != nil {
		return err
	}
	pg.cred = cred
	if pg.Dir, err = os.MkdirTemp("", "meshdiag-pg-"); err != nil {
		return err
	}
	if cred != nil {
		return os.Chown(pg.Dir, int(cred.Uid), int(cred.Gid))
	}
	return nil
}

// serverUser is the unprivileged user of a server that root starts; nil for everybody else.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
}

// command prepares a program to run as the server's user, tied to this process's life.
func (pg *Postgres) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = pg.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.cred}
	return cmd
}

func (pg *Postgres) boot(ctx context.Context, initdb, server string) error {
	data := filepath.Join(pg.Dir, "data")
	auth := []string{"-D", data, "-U", "lab", "-A", "scram-sha-256", "--auth-local=trust", "--no-sync", "-E", "UTF8", "--no-locale"}
	pwfile := filepath.Join(pg.Dir, "pw")
	if err := os.WriteFile(pwfile, []byte("lab\n"), 0o644); err != nil {
		return err
	}
	if out, err := pg.command(ctx, initdb, append(auth, "--pwfile", pwfile)...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	pg.Port = port
	if err := pg.launch(server, data); err != nil {
		return err
	}
	if err := pg.await(ctx); err != nil {
		return err
	}
	return pg.populate(ctx)
}

// launch starts the server. It dies with this process (Pdeathsig), so that a killed test leaves nothing behind.
func (pg *Postgres) launch(server, data string) error {
	log, err := os.Create(filepath.Join(pg.Dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	settings := []string{"-D", data, "-k", pg.Dir, "-p", strconv.Itoa(pg.Port), "-h", "127.0.0.1"}
	for _, s := range []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200",
		"shared_buffers=32MB", "autovacuum=off", "logging_collector=off", "timezone=UTC", "wal_level=replica", "max_wal_senders=2"} {
		settings = append(settings, "-c", s)
	}
	for _, s := range pg.change.Settings {
		settings = append(settings, "-c", s)
	}
	pg.cmd = pg.command(context.Background(), server, settings...)
	pg.cmd.Stdout, pg.cmd.Stderr = log, log
	// The server's children form a group of their own, so that a Ctrl-C at the terminal reaches them through Stop only.
	pg.cmd.SysProcAttr.Setpgid = true
	pg.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	pg.exited = make(chan error, 1)
	started := make(chan error, 1)
	go superviseServer(pg.cmd, started, pg.exited)
	return <-started
}

// await returns when the server answers.
func (pg *Postgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if pg.answers(ctx) {
			return nil
		}
		select {
		case err := <-pg.exited:
			pg.exited <- err
			log, _ := os.ReadFile(filepath.Join(pg.Dir, "log"))
			return fmt.Errorf("the server ended at once: %w: %s", err, bytes.TrimSpace(log))
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s: %w", startTimeout, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers reports whether the server is as far as it is meant to come.
func (pg *Postgres) answers(ctx context.Context) bool {
	if !pg.change.NeverReady {
		return pg.exec(ctx, "postgres", "SELECT 1") == nil
	}
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", pg.Port), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// populate creates the role and the databases: the template that worlds are copied from, and mesher itself.
func (pg *Postgres) populate(ctx context.Context) error {
	if err := pg.exec(ctx, "postgres", "CREATE ROLE mesh LOGIN PASSWORD 'mesh'"); err != nil {
		return err
	}
	if err := pg.exec(ctx, "postgres", "CREATE DATABASE "+template+" OWNER mesh"); err != nil {
		return err
	}
	owned := "SET check_function_bodies = off;\n" + strings.Replace(schema, "CREATE TABLE", "SET ROLE mesh;\nCREATE TABLE", 1)
	if err := pg.exec(ctx, template, owned); err != nil {
		return err
	}
	return pg.exec(ctx, "postgres", "CREATE DATABASE mesher OWNER mesh TEMPLATE "+template)
}

// Exec runs SQL in a database as the superuser.
func (pg *Postgres) Exec(ctx context.Context, db, sql string) error { return pg.exec(ctx, db, sql) }

// exec runs SQL as the superuser, over the socket.
func (pg *Postgres) exec(ctx context.Context, db, sql string) error {
	cmd := pg.command(ctx, pg.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", pg.Dir, "-p", strconv.Itoa(pg.Port), "-U", "lab", "-d", db, "-f", "-")
	cmd.Stdin = strings.NewReader(sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Stop ends the server and removes its folder; a nil server is fine, so is a second call.
func (pg *Postgres) Stop() {
	if pg == nil {
		return
	}
	if pg.cmd != nil && pg.cmd.Process != nil {
		// SIGQUIT is PostgreSQL's immediate shutdown; nothing here is worth a checkpoint.
		_ = pg.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-pg.exited:
		case <-time.After(10 * time.Second):
			_ = pg.cmd.Process.Kill()
			<-pg.exited
		}
		pg.cmd = nil
	}
	_ = os.RemoveAll(pg.Dir)
}

// URL is a connection string for a database of this server.
func (pg *Postgres) URL(role, password, db string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", role, password, pg.Port, db)
}
