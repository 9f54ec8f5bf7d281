// Command meshc is the stand-in for the Mesh compiler's migration tool: "DATABASE_URL=... meshc migrate" gives a database
// the tables of the stand-in Mesher, as the real one does for a real program.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"meshdiag/lab"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] != "migrate" || os.Getenv("DATABASE_URL") == "" {
		fmt.Fprintln(os.Stderr, "usage: DATABASE_URL=postgres://... meshc migrate")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := lab.Migrate(ctx, os.Getenv("DATABASE_URL")); err != nil {
		fmt.Fprintln(os.Stderr, "meshc:", err)
		os.Exit(1)
	}
	fmt.Println("1 migration applied")
}
