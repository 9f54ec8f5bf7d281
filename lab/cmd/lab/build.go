package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

// variantFlags binds the flags that choose a variant.
func variantFlags(cmd *cobra.Command, v *lab.Variant) {
	cmd.Flags().StringVar(&v.Opt, "opt", "O0", "optimisation of Mesh code: O0 or O2")
	cmd.Flags().StringVar(&v.Runtime, "runtime", "release", "profile of the runtime: release or debug")
	cmd.Flags().StringVar(&v.Prefix, "prefix", "mesh", "prefix of runtime symbols: mesh or snow")
	cmd.Flags().StringVar(&v.Sequence, "sequence", "", "start-up sequence: plan or current (default: what the fault needs, or plan)")
}

func buildCommand() *cobra.Command {
	var v lab.Variant
	var fault string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build one Mesher and print its path",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := lab.Build(cmd.Context(), v, fault)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		},
	}
	variantFlags(cmd, &v)
	cmd.Flags().StringVar(&fault, "fault", "", "fault to build in (default: none, the sound program)")
	return cmd
}
