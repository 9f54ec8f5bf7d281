package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"meshdiag/profile"
)

// The cause of every failed check of a database, and its kinds (report contract).
const (
	causeDatabase   = "database"
	kindUnreachable = "unreachable"
	kindAuth        = "auth"
	kindNoDatabase  = "missing-database"
	kindNoSchema    = "missing-schema"
	kindNoExtension = "missing-extension"
	kindOther       = "other"
)

// Limits of a database probe. A server on the same machine answers in milliseconds.
const (
	connectTimeout   = 2 * time.Second
	statementTimeout = time.Second
)

// Use is how a program uses its database.
type Use struct {
	URL       string
	Variable  string            // environment variable from which the program has the URL; "" another place
	Want      *profile.Database // what must be there; nil for nothing
	Days      time.Time         // from when on partitions must exist; the zero time leaves them out
	Constants *Constants        // its SQL is held against the tables; nil leaves that out
}

// Database asks a PostgreSQL server what a program that uses it so would meet: first whether it is let in, then, in one
// read-only transaction, whether everything is there. It writes nothing, and the answers hold no password.
func Database(ctx context.Context, use Use) []Check {
	t, err := newDBTarget(use.URL)
	if err != nil {
		return []Check{{ID: "database-url", Detail: "the program's database URL cannot be read: " + err.Error(),
			Cause: causeDatabase, Kind: kindUnreachable, Next: []string{"write it as postgres://ROLE:PASSWORD@HOST:PORT/DATABASE"}}}
	}
	t.variable = use.Variable
	if use.Want != nil {
		t.want = *use.Want
	}
	begin := time.Now()
	conn, err := t.connect(ctx)
	if err != nil {
		return []Check{t.refused(err)}
	}
	defer t.leave(conn)
	checks := []Check{passed("database-login", "PostgreSQL %s at %s lets role %q into database %q (%d ms)",
		conn.ParameterStatus("server_version"), t.address(), t.config.User, t.config.Database, time.Since(begin).Milliseconds())}
	in := inside{target: t, conn: conn, days: use.Days, constants: use.Constants}
	return append(checks, in.checks(ctx)...)
}

// dbTarget is where the program connects to.
type dbTarget struct {
	config    *pgconn.Config
	want      profile.Database
	variable  string      // that holds the URL
	connected atomic.Bool // a TCP or socket connection was made: somebody listens
	stranger  atomic.Bool // the first byte of an answer was none of PostgreSQL's
}

// newDBTarget reads a connection URL. Its errors do not quote it: it may hold a password.
func newDBTarget(rawURL string) (*dbTarget, error) {
	if !strings.HasPrefix(rawURL, "postgres://") && !strings.HasPrefix(rawURL, "postgresql://") {
		return nil, errors.New("it does not begin with postgres://")
	}
	if _, err := url.Parse(rawURL); err != nil {
		var e *url.Error
		if errors.As(err, &e) && !strings.Contains(e.Err.Error(), "invalid port") {
			return nil, errors.New("it is no valid URL")
		}
		return nil, errors.New("it is no valid URL (an unescaped character, or a port that is no number)")
	}
	config, err := pgconn.ParseConfig(rawURL)
	if err != nil {
		return nil, errors.New("a setting in it is not valid")
	}
	t := &dbTarget{config: config}
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams["application_name"] = "meshdiag"
	dialer := &net.Dialer{Timeout: connectTimeout}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err == nil {
			t.connected.Store(true)
			c = &listener{Conn: c, stranger: &t.stranger}
		}
		return c, err
	}
	return t, nil
}

// listener looks at the first byte that a server sends: in PostgreSQL's protocol (message formats) it is S or N after a
// request for TLS, else R (authentication), E (error), N (notice) or v (older version).
type listener struct {
	net.Conn
	stranger *atomic.Bool
	heard    bool
}

func (l *listener) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 && !l.heard {
		l.heard = true
		if !strings.ContainsRune("SNREv", rune(b[0])) {
			l.stranger.Store(true)
		}
	}
	return n, err
}

func (t *dbTarget) connect(ctx context.Context) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout) // a name may stand for two addresses
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, t.config)
	if err != nil {
		return nil, err
	}
	begin := fmt.Sprintf("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d",
		statementTimeout.Milliseconds(), statementTimeout.Milliseconds()/2)
	if _, err := conn.Exec(ctx, begin).ReadAll(); err != nil {
		t.leave(conn)
		return nil, err
	}
	return conn, nil
}

// leave ends the session; the server rolls back the transaction, which had nothing to keep.
func (t *dbTarget) leave(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// socket reports whether the server is reached over a Unix socket.
func (t *dbTarget) socket() bool { return strings.HasPrefix(t.config.Host, "/") }

// local reports whether the server runs on this machine.
func (t *dbTarget) local() bool {
	ip := net.ParseIP(t.config.Host)
	return t.socket() || t.config.Host == "localhost" || ip != nil && ip.IsLoopback()
}

// address is host and port for a sentence.
func (t *dbTarget) address() string {
	if t.socket() {
		return filepath.Join(t.config.Host, fmt.Sprintf(".s.PGSQL.%d", t.config.Port))
	}
	return net.JoinHostPort(t.config.Host, strconv.Itoa(int(t.config.Port)))
}

// url is the connection URL with a placeholder instead of the password.
func (t *dbTarget) url(password string) string {
	u := url.URL{Scheme: "postgres", Host: t.address(), Path: "/" + t.config.Database, User: url.User(t.config.User)}
	if password != "" {
		u.User = url.UserPassword(t.config.User, password)
	}
	if t.socket() {
		u.Host, u.RawQuery = "", url.Values{"host": {t.config.Host}, "port": {strconv.Itoa(int(t.config.Port))}}.Encode()
	}
	return u.String()
}

// admin is a command line that runs one statement, or one of psql's commands, as the server's superuser.
func (t *dbTarget) admin(database, sql string) string {
	line := t.adminTool("psql")
	if database != "" {
		line += " -d " + shellQuote(database)
	}
	return line + " -c " + "'" + strings.ReplaceAll(sql, "'", `'\''`) + "'"
}

// adminTool begins a command line of one of PostgreSQL's programs that runs as the server's superuser.
func (t *dbTarget) adminTool(program string) string {
	line := program + " -h " + shellQuote(t.config.Host) + " -U postgres"
	if t.local() {
		line = thisMachine().as("postgres") + program
	}
	if t.config.Port != 5432 {
		line += fmt.Sprintf(" -p %d", t.config.Port)
	}
	return line
}

// try is a command line by which a person sees the same as the program.
func (t *dbTarget) try() string { return "psql " + shellQuote(t.url("")) + " -c 'select 1'" }

// migrate is the command that creates the tables; "" unknown. Where the program has its URL from a variable the shell fills
// it in, else PASSWORD stands for the password.
func (t *dbTarget) migrate() string {
	line := t.want.Migrate
	if t.variable != "" {
		line = strings.ReplaceAll(line, "'{url}'", `"$`+t.variable+`"`)
	}
	return strings.ReplaceAll(line, "{url}", t.url("PASSWORD"))
}
