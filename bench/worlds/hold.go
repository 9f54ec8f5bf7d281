package main

import (
	"context"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"meshdiag/lab"
)

type unixStat = syscall.Stat_t

// hold opens a session as the role mesh that runs SQL and stays.
func hold(s *site, pg *lab.Postgres, db, sql string) (release func(), err error) {
	conn, err := pgconn.Connect(s.ctx, pg.URL("mesh", "mesh", db))
	if err != nil {
		return nil, err
	}
	leave := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}
	if _, err := conn.Exec(s.ctx, sql).ReadAll(); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// taken lets this process listen on a port that the program wants.
func taken(network, host string, port func(*site) string) func(*site) error {
	return func(s *site) error {
		l, err := net.Listen(network, net.JoinHostPort(host, port(s)))
		if err != nil {
			return err
		}
		s.later(func() { l.Close() })
		return nil
	}
}
