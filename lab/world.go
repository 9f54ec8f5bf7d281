package lab

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// World is what is wrong outside the program. The zero value is a sound world.
type World struct {
	Database string            `toml:"database"` // "" sound; else one of the Database constants
	SQL      string            `toml:"sql"`      // run on a copy of the sound database
	Hold     []string          `toml:"hold"`     // ports that somebody else listens on: "http", "ws"
	Env      map[string]string `toml:"env"`      // added to the environment
	Unset    []string          `toml:"unset"`    // taken out of the environment
}

// What may be wrong with the database.
const (
	DatabaseNone     = "none"     // nothing listens on the port
	DatabasePassword = "password" // the role's password is another one
	DatabaseMissing  = "missing"  // the server has no such database
	DatabaseSilent   = "silent"   // the port accepts connections and never answers
)

func (w World) validate() error {
	known := []string{"", DatabaseNone, DatabasePassword, DatabaseMissing, DatabaseSilent}
	if !slices.Contains(known, w.Database) {
		return fmt.Errorf("world: unknown state %q of the database", w.Database)
	}
	for _, h := range w.Hold {
		if h != "http" && h != "ws" {
			return fmt.Errorf("world: no port %q to hold", h)
		}
	}
	return nil
}

// databaseURL arranges the database and returns its URL and what undoes it.
func (w World) databaseURL(ctx context.Context, pg *Postgres) (url string, undo func(), err error) {
	nothing := func() {}
	switch w.Database {
	case DatabaseNone:
		port, err := FreePort()
		return fmt.Sprintf("postgres://mesh:mesh@127.0.0.1:%d/mesher", port), nothing, err
	case DatabasePassword:
		return pg.URL("mesh", "other", "mesher"), nothing, nil
	case DatabaseMissing:
		return pg.URL("mesh", "mesh", "mesher_of_last_week"), nothing, nil
	case DatabaseSilent:
		return silentURL()
	}
	if w.SQL == "" {
		return pg.URL("mesh", "mesh", "mesher"), nothing, nil
	}
	db, err := pg.Copy(ctx, w.SQL)
	if err != nil {
		return "", nothing, err
	}
	drop := func() {
		_ = pg.exec(context.WithoutCancel(ctx), "postgres", "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)")
	}
	return pg.URL("mesh", "mesh", db), drop, nil
}

// silentURL is a server that lets anyone connect and says nothing.
func silentURL() (url string, undo func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", func() {}, err
	}
	return fmt.Sprintf("postgres://mesh:mesh@%s/mesher", l.Addr()), func() { l.Close() }, nil
}

// Copy makes a copy of the sound database, runs SQL in it as the superuser (with {db} for its name), and returns its name.
func (pg *Postgres) Copy(ctx context.Context, sql string) (string, error) {
	db := "mesher_world_" + strconv.FormatInt(pg.worlds.Add(1), 10)
	if err := pg.exec(ctx, "postgres", "CREATE DATABASE "+db+" OWNER mesh TEMPLATE "+template); err != nil {
		return "", err
	}
	return db, pg.exec(ctx, db, strings.ReplaceAll(sql, "{db}", db))
}

// hold listens on a port that the program will want.
func hold(port int) (release func(), err error) {
	l, err := net.Listen("tcp", "0.0.0.0:"+strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	return func() { l.Close() }, nil
}
