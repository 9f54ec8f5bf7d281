package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/lab"
)

// at lets the program use another database.
func at(url string) func(*site) error {
	return func(s *site) error { s.database(url); return nil }
}

// as lets it log in to the sound server differently.
func as(role, password, db string) func(*site) error {
	return func(s *site) error { s.database(s.pg.URL(role, password, db)); return nil }
}

// spoilt is a copy of the sound database on which the superuser runs SQL.
func spoilt(sql string) func(*site) error {
	return func(s *site) error {
		db, err := s.pg.Copy(s.ctx, sql)
		s.database(s.pg.URL("mesh", "mesh", db))
		return err
	}
}

// storing sends the program an event to store once it serves.
func storing(world func(*site) error) func(*site) error {
	return func(s *site) error {
		s.Fault.Trigger = lab.Trigger{HTTP: []string{`POST /events {"project":"website","level":"info","message":"hello"}`}}
		s.stall = 2 * time.Second // the event comes on a silent server
		return world(s)
	}
}

// partitionDropped lets somebody drop a partition while the program runs, before it stores an event.
func partitionDropped(s *site) error {
	if err := storing(spoilt(""))(s); err != nil {
		return err
	}
	drive, db := s.Drive, "mesher"
	for _, e := range s.Env {
		if url, ok := strings.CutPrefix(e, "MESHER_DATABASE_URL="); ok {
			db = url[strings.LastIndexByte(url, '/')+1:]
		}
	}
	s.Drive = func(ctx context.Context, p *lab.Process) error {
		if err := p.WaitOutput(ctx, "HTTP server listening"); err != nil {
			return err
		}
		if err := s.pg.Exec(ctx, db, "DROP TABLE events_"+time.Now().UTC().Format("20060102")); err != nil {
			return err
		}
		return drive(ctx, p)
	}
	return nil
}

// served is a TCP server that is not PostgreSQL.
func served(serve func(net.Listener)) func(*site) error {
	return func(s *site) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.later(func() { l.Close() })
		go serve(l)
		s.database("postgres://mesh:mesh@" + l.Addr().String() + "/mesher")
		return nil
	}
}

// silent accepts and says nothing.
func silent(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
}

// mail greets as a mail server does.
func mail(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
		_ = c.Close()
	}
}

// unanswered is an address at which connection attempts get no answer: the queue of a server that accepts nobody is full,
// so the kernel drops further ones.
func unanswered(s *site) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.later(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 0); err != nil {
		return err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for range 4 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			break // full
		}
		s.later(func() { c.Close() })
	}
	s.database("postgres://mesh:mesh@" + addr + "/mesher")
	return nil
}

// startingUp is a server that recovers from an archive which takes its time.
func startingUp(s *site) error {
	return s.on("starting up", lab.Change{NeverReady: true, Settings: []string{"restore_command=sleep 600", "hot_standby=off"},
		Files: map[string][]byte{"recovery.signal": nil}})
}

func standby(s *site) error {
	return s.on("standby", lab.Change{Files: map[string][]byte{"standby.signal": nil}})
}

// on lets the program use a clone of the server.
func (s *site) on(name string, change lab.Change) error {
	pg, err := s.clone(s.ctx, name, func() (lab.Change, error) { return change, nil })
	if err != nil {
		return err
	}
	s.database(pg.URL("mesh", "mesh", "mesher"))
	return nil
}

// tlsWanted is a server that lets nobody in without TLS.
func tlsWanted(s *site) error {
	pg, err := s.clone(s.ctx, "TLS", func() (lab.Change, error) {
		cert, key, err := selfSigned()
		return lab.Change{Settings: []string{"ssl=on"}, Files: map[string][]byte{"server.crt": cert, "server.key": key,
			"pg_hba.conf": []byte("local all all trust\nhostssl all all all scram-sha-256\n")}}, err
	})
	if err != nil {
		return err
	}
	s.database(pg.URL("mesh", "mesh", "mesher") + "?sslmode=disable")
	return nil
}

// crowded is a server whose last connections somebody holds.
func crowded(s *site) error {
	pg, err := s.clone(s.ctx, "crowded", func() (lab.Change, error) {
		return lab.Change{Settings: []string{"max_connections=5", "superuser_reserved_connections=3", "max_wal_senders=0"}}, nil
	})
	if err != nil {
		return err
	}
	for held, begin := 0, time.Now(); held < 2; {
		release, err := hold(s, pg, "mesher", "SELECT 1")
		switch {
		case err == nil:
			held++
			s.later(release)
		case time.Since(begin) > 5*time.Second: // the session that saw the server come up may take a moment to end
			return err
		}
	}
	s.database(pg.URL("mesh", "mesh", "mesher"))
	return nil
}

// locked is a database in which somebody changes a table and does not finish.
func locked(s *site) error {
	db, err := s.pg.Copy(s.ctx, "")
	if err != nil {
		return err
	}
	release, err := hold(s, s.pg, db, "BEGIN; ALTER TABLE events ADD COLUMN half_done int")
	if err != nil {
		return err
	}
	s.later(release)
	s.database(s.pg.URL("mesh", "mesh", db))
	return nil
}

// full is a database in a tablespace on a small disk without any room left.
func full(s *site) error {
	// A server of its own: nobody can checkpoint while the disk is full.
	pg, err := s.clone(s.ctx, "full disk", func() (lab.Change, error) { return lab.Change{}, nil })
	if err != nil {
		return err
	}
	disk := filepath.Join(pg.Dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=24m,mode=0777"); err != nil {
		return errNotHere{"mounting a small disk: " + err.Error()}
	}
	s.later(func() {
		s.drop("full disk")
		_ = unix.Unmount(disk, unix.MNT_DETACH)
		_ = os.RemoveAll(pg.Dir)
	})
	place := filepath.Join(disk, "space")
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	st, err := os.Stat(filepath.Join(pg.Dir, "data"))
	if err != nil {
		return err
	}
	owner := st.Sys().(*unixStat)
	if err := os.Chown(place, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	for _, sql := range []string{"CREATE TABLESPACE small LOCATION '" + place + "'",
		"CREATE DATABASE full_disk OWNER mesh TEMPLATE mesher_template TABLESPACE small"} {
		if err := pg.Exec(s.ctx, "postgres", sql); err != nil {
			return err
		}
	}
	if err := pg.Exec(s.ctx, "full_disk", "SELECT 1"); err != nil { // the first session writes files, too
		return err
	}
	if err := fill(filepath.Join(disk, "filler")); err != nil {
		return err
	}
	s.database(pg.URL("mesh", "mesh", "full_disk"))
	return nil
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := bytes.Repeat([]byte{1}, 4096)
	for {
		if _, err := f.Write(block); err != nil {
			return nil // full, as wanted
		}
	}
}

// selfSigned is a server certificate and its key.
func selfSigned() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), nil
}

// overlapping is a partition that takes half of the coming days.
func overlapping(s *site) error {
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	return spoilt(strings.NewReplacer("FROM_DAY", day(1), "TO_DAY", day(4)).Replace(
		"SET ROLE mesh; CREATE TABLE events_by_hand PARTITION OF events FOR VALUES FROM ('FROM_DAY') TO ('TO_DAY')"))(s)
}
