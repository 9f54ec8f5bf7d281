// Command lab builds, lists, runs and checks the fault lab, and runs its private PostgreSQL.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:   "lab",
		Short: "The fault lab: a stand-in Mesher that breaks in known ways",
		Example: `  lab list
  lab build --fault missing-map-key --opt O2
  lab run service-null-handler
  lab run service-null-handler -- meshdiag run
  lab check`,
		SilenceUsage: true,
	}
	root.AddCommand(buildCommand(), listCommand(), runCommand(), checkCommand(), demoCommand(), postgresCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}
