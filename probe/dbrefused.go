package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// refused says why a connection could not be made.
func (t *dbTarget) refused(err error) Check {
	c := Check{ID: "database-login", Cause: causeDatabase}
	var server *pgconn.PgError
	var dns *net.DNSError
	switch {
	case errors.As(err, &server):
		t.serverRefused(&c, server)
	case errors.As(err, &dns):
		t.noName(&c, dns)
	case t.stranger.Load(), errors.As(err, new(tls.RecordHeaderError)):
		t.notPostgres(&c)
	case isTLS(err):
		t.noTLS(&c, err)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		t.nobody(&c)
	case isTimeout(err):
		t.silent(&c)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		c.Kind = kindUnreachable
		c.Detail = fmt.Sprintf("no route leads to the database server %s", t.address())
		c.Next = []string{"look at the route: ip route get " + shellQuote(t.config.Host)}
	case errors.Is(err, fs.ErrPermission):
		c.Kind = kindUnreachable
		c.Detail = fmt.Sprintf("this user may not open the database's socket %s", t.address())
		c.Next = []string{"ls -ld " + shellQuote(t.config.Host)}
	case t.connected.Load():
		t.notPostgres(&c)
	default:
		c.Kind = kindUnreachable
		c.Detail = fmt.Sprintf("the database at %s could not be reached", t.address())
		c.Next = []string{t.try()}
	}
	return c
}

// notPostgres is a service that answers in another language.
func (t *dbTarget) notPostgres(c *Check) {
	c.Kind = kindUnreachable
	c.Detail = fmt.Sprintf("something listens on %s, but it does not speak PostgreSQL's protocol", t.address())
	c.Next = []string{fmt.Sprintf("see who it is: ss -ltnp 'sport = :%d'", t.config.Port)}
}

// nobody is the answer of a machine on which nobody listens at the address.
func (t *dbTarget) nobody(c *Check) {
	c.Kind = kindUnreachable
	c.Detail = fmt.Sprintf("nobody listens on %s: the database server is not running, or it runs on another port", t.address())
	if !t.local() {
		c.Next = []string{fmt.Sprintf("start PostgreSQL on %s, and let it listen there (listen_addresses in postgresql.conf)", t.config.Host)}
		return
	}
	m := thisMachine()
	if !m.server {
		c.Detail = fmt.Sprintf("nobody listens on %s, and no PostgreSQL server seems to be installed on this machine", t.address())
	}
	c.Next = append(m.start(int(t.config.Port)), t.fromNothing()...)
}

// fromNothing are the commands from a fresh server to one that the program can use: the role, the database, what is in it.
func (t *dbTarget) fromNothing() []string {
	steps := []string{
		t.createRole() + "  # " + t.asks(),
		t.adminTool("createdb") + " -O " + shellQuote(t.config.User) + " " + operand(t.config.Database) + "  # unless the database is there",
	}
	for _, e := range t.want.Extensions {
		steps = append(steps, t.admin(t.config.Database, "CREATE EXTENSION IF NOT EXISTS "+identifier(e)))
	}
	if m := t.migrate(); m != "" {
		steps = append(steps, m)
	}
	return steps
}

// createRole makes the program's role with a password that is typed and not seen.
func (t *dbTarget) createRole() string {
	return t.adminTool("createuser") + " --pwprompt " + operand(t.config.User)
}

// setPassword changes it likewise.
func (t *dbTarget) setPassword() string { return t.admin("", `\password `+identifier(t.config.User)) }

// asks says which password to type.
func (t *dbTarget) asks() string {
	if t.variable != "" {
		return "it wants the password in $" + t.variable
	}
	return "it wants the URL's password"
}

func (t *dbTarget) noName(c *Check, err *net.DNSError) {
	c.Kind = kindUnreachable
	c.Detail = fmt.Sprintf("the name of the database server, %q, cannot be resolved", err.Name)
	if err.IsTimeout || err.IsTemporary {
		c.Detail += " at the moment: the name server did not answer"
	}
	c.Next = []string{"getent hosts " + shellQuote(t.config.Host), "correct the host in the program's database URL, or add it to /etc/hosts"}
}

func (t *dbTarget) silent(c *Check) {
	c.Kind = kindUnreachable
	if t.connected.Load() {
		c.Detail = fmt.Sprintf("%s accepts connections and then says nothing for %v: it hangs, or it is no PostgreSQL server", t.address(), connectTimeout)
		c.Next = []string{fmt.Sprintf("see who listens: ss -ltnp 'sport = :%d'", t.config.Port), "look into the server's log, then restart it: sudo systemctl restart postgresql"}
		return
	}
	c.Detail = fmt.Sprintf("no answer from %s within %v: the machine is off, or something on the way drops the packets", t.address(), connectTimeout)
	c.Next = []string{fmt.Sprintf("pg_isready -h %s -p %d", shellQuote(t.config.Host), t.config.Port)}
}

func (t *dbTarget) noTLS(c *Check, err error) {
	c.Kind = kindUnreachable
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case strings.Contains(err.Error(), "refused TLS"):
		c.Detail = fmt.Sprintf("the program's URL demands TLS (sslmode), and the database server %s offers none", t.address())
		c.Next = []string{"let the server offer it: ssl = on in postgresql.conf, with a certificate", "or, on a trusted network, use sslmode=prefer in the program's URL"}
		return
	case errors.As(err, &unknown):
		c.Detail = "the certificate of the database server is signed by nobody whom this machine trusts"
		c.Next = []string{"give its certificate authority in the URL: sslrootcert=FILE"}
	case errors.As(err, &host):
		c.Detail = fmt.Sprintf("the certificate of the database server is not made out to %q", t.config.Host)
		c.Next = []string{"use the host name of the certificate in the program's URL"}
	case errors.As(err, &invalid):
		c.Detail = "the certificate of the database server is not valid (expired, or not for this use)"
		c.Next = []string{"renew the server's certificate"}
	default:
		c.Detail = fmt.Sprintf("the TLS handshake with the database server %s failed", t.address())
	}
	c.Next = append(c.Next, fmt.Sprintf("openssl s_client -starttls postgres -connect %s", shellQuote(t.address())))
}

func isTLS(err error) bool {
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &cert) || errors.As(err, &alert) || strings.Contains(err.Error(), "refused TLS") ||
		strings.Contains(err.Error(), "tls: ")
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// SQLSTATE codes (PostgreSQL's manual, appendix A).
const (
	stateInvalidPassword   = "28P01"
	stateInvalidAuth       = "28000"
	stateNoDatabase        = "3D000"
	stateTooMany           = "53300"
	stateDiskFull          = "53100"
	stateOutOfMemory       = "53200"
	stateCannotConnectNow  = "57P03"
	stateAdminShutdown     = "57P01"
	stateForbidden         = "42501"
	stateNotAccepting      = "55000"
	stateUndefinedTable    = "42P01"
	stateUndefinedColumn   = "42703"
	stateUndefinedFunction = "42883"
	stateStatementCanceled = "57014"
)

// serverRefused says why a server that answered did not let the program in.
func (t *dbTarget) serverRefused(c *Check, e *pgconn.PgError) {
	role, db := t.config.User, t.config.Database
	switch e.Code {
	case stateInvalidPassword:
		c.Kind = kindAuth
		c.Detail = fmt.Sprintf("the database server %s refuses the password of role %q (it says the same when there is no such role)", t.address(), role)
		c.Next = []string{
			t.admin("", `\du `+identifier(role)) + "  # is the role there?",
			t.setPassword() + "  # if it is; " + t.asks(),
			t.createRole() + "  # if it is not"}
	case stateInvalidAuth:
		t.authRefused(c, e)
	case stateNoDatabase:
		c.Kind = kindNoDatabase
		c.Detail = fmt.Sprintf("the database server %s has no database %q", t.address(), db)
		c.Next = append([]string{t.adminTool("createdb") + " -O " + shellQuote(role) + " " + operand(db)}, t.fromNothing()[2:]...)
	case stateTooMany:
		c.Kind = kindOther
		c.Detail = fmt.Sprintf("the database server %s has no free connection for role %q: %s", t.address(), role, e.Message)
		c.Next = []string{"who holds them: " + t.admin("", "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC"),
			"raise max_connections, or the role's or database's CONNECTION LIMIT"}
	case stateCannotConnectNow, stateAdminShutdown:
		c.Kind = kindUnreachable
		c.Detail = fmt.Sprintf("the database server %s is not ready, and says %q", t.address(), e.Message)
		c.Next = []string{fmt.Sprintf("wait until it is, then start the program again: pg_isready -h %s -p %d", shellQuote(t.config.Host), t.config.Port)}
	case stateForbidden:
		c.Kind = kindAuth
		c.Detail = fmt.Sprintf("role %q may not connect to database %q: %s", role, db, e.Message)
		c.Next = []string{t.admin("", "GRANT CONNECT ON DATABASE "+identifier(db)+" TO "+identifier(role))}
	case stateNotAccepting:
		c.Kind = kindOther
		c.Detail = fmt.Sprintf("database %q takes no connections: %s", db, e.Message)
		c.Next = []string{t.admin("", "ALTER DATABASE "+identifier(db)+" ALLOW_CONNECTIONS true")}
	case stateDiskFull, stateOutOfMemory:
		c.Kind = kindOther
		c.Detail = fmt.Sprintf("the database server %s lacks room: %s", t.address(), e.Message)
		c.Next = []string{"df -h; free -m (on the server's machine)"}
	default:
		c.Kind = kindOther
		c.Detail = fmt.Sprintf("the database server %s refused: %s (SQLSTATE %s)", t.address(), e.Message, e.Code)
		c.Next = []string{t.try()}
	}
}

// hbaLine is the rule of pg_hba.conf that lets the program in.
func (t *dbTarget) hbaLine() string {
	db, role := identifier(t.config.Database), identifier(t.config.User)
	switch {
	case t.socket():
		return fmt.Sprintf("local %s %s scram-sha-256", db, role)
	case t.local():
		return fmt.Sprintf("host %s %s samehost scram-sha-256", db, role)
	}
	return fmt.Sprintf("host %s %s ADDRESS_OF_THIS_MACHINE/32 scram-sha-256", db, role)
}

// authRefused tells the reasons behind 28000 apart by the routine in the server that raised it: its words are translated,
// the routine's name is not (src/backend/utils/init/miscinit.c, libpq/auth.c).
func (t *dbTarget) authRefused(c *Check, e *pgconn.PgError) {
	role := t.config.User
	c.Kind = kindAuth
	switch e.Routine {
	case "InitializeSessionUserId":
		if strings.Contains(e.Message, "not permitted to log in") {
			c.Detail = fmt.Sprintf("role %q exists, but may not log in", role)
			c.Next = []string{t.admin("", "ALTER ROLE "+identifier(role)+" LOGIN")}
			return
		}
		c.Detail = fmt.Sprintf("the database server %s has no role %q", t.address(), role)
		c.Next = []string{t.createRole() + "  # " + t.asks()}
	case "ClientAuthentication":
		c.Detail = fmt.Sprintf("no rule in the server's pg_hba.conf lets role %q into database %q from here: %s", role, t.config.Database, e.Message)
		c.Next = []string{"add to the file that " + t.admin("", "SHOW hba_file") + " names: " + t.hbaLine(), t.admin("", "SELECT pg_reload_conf()")}
		if t.config.TLSConfig == nil {
			c.Next = append([]string{"the program offered no TLS, and the server may demand it: use sslmode=require in the program's URL"}, c.Next...)
		}
	default:
		c.Detail = fmt.Sprintf("the database server %s refuses role %q: %s", t.address(), role, e.Message)
		c.Next = []string{t.try()}
	}
}
