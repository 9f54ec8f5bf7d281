package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"meshdiag/report"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of meshdiag and of its report",
		Args:  asUsage(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "meshdiag %s (%s, %s/%s, report %s)\n", toolVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, report.SchemaID)
		},
	}
}
