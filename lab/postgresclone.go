package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Change is what a clone of a server does differently from it.
type Change struct {
	Settings   []string          // of postgresql.conf, name=value
	Files      map[string][]byte // in the data folder, by name; signal files are empty ones
	NeverReady bool              // it is not expected to let anybody in
}

// Backup takes the base backup that clones are copies of; the first call counts. Taken early it is small: it has every
// database of the server.
func (pg *Postgres) Backup(ctx context.Context) error {
	pg.backup.Do(func() {
		tool, err := postgresTool("pg_basebackup")
		if err != nil {
			pg.backupErr = err
			return
		}
		take := pg.command(ctx, tool, "-D", pg.base(), "-X", "fetch", "-c", "fast", "--no-sync", "--no-manifest",
			"-h", pg.Dir, "-p", strconv.Itoa(pg.Port), "-U", "lab")
		if out, err := take.CombinedOutput(); err != nil {
			pg.backupErr = fmt.Errorf("pg_basebackup: %w: %s", err, bytes.TrimSpace(out))
		}
	})
	return pg.backupErr
}

func (pg *Postgres) base() string { return filepath.Join(pg.Dir, "base") }

// Clone starts a second server from the base backup of this one, on a port of its own, with the roles and databases that
// were there. Its life is independent: it has a Stop of its own.
func (pg *Postgres) Clone(ctx context.Context, change Change) (*Postgres, error) {
	if err := pg.Backup(ctx); err != nil {
		return nil, err
	}
	server, err := postgresTool("postgres")
	if err != nil {
		return nil, err
	}
	clone := &Postgres{psql: pg.psql, change: change}
	if err := clone.prepare(); err != nil {
		return nil, err
	}
	data := filepath.Join(clone.Dir, "data")
	if out, err := clone.command(ctx, "cp", "-a", pg.base(), data).CombinedOutput(); err != nil {
		clone.Stop()
		return nil, fmt.Errorf("copy the base backup: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := clone.begin(ctx, server, data); err != nil {
		clone.Stop()
		return nil, fmt.Errorf("start a clone of PostgreSQL: %w", err)
	}
	return clone, nil
}

// begin writes the files that differ and starts the server.
func (pg *Postgres) begin(ctx context.Context, server, data string) error {
	for name, content := range pg.change.Files {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if pg.cred != nil {
			if err := os.Chown(path, int(pg.cred.Uid), int(pg.cred.Gid)); err != nil {
				return err
			}
		}
	}
	var err error
	if pg.Port, err = FreePort(); err != nil {
		return err
	}
	if err := pg.launch(server, data); err != nil {
		return err
	}
	return pg.await(ctx)
}
