package lab

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"
)

// Migrate gives the database at url the sound tables, as the program's own role. They must not be there yet.
func Migrate(ctx context.Context, url string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "BEGIN; "+schema+"; COMMIT").ReadAll()
	return err
}
