package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

func postgresCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "postgres",
		Short: "Run the private PostgreSQL in the foreground until Ctrl-C, and print its URL",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pg, err := lab.StartPostgres(cmd.Context())
			if err != nil {
				return err
			}
			defer pg.Stop()
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", pg.URL("mesh", "mesh", "mesher"))
			<-cmd.Context().Done()
			return nil
		},
	}
}
