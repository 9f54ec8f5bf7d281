package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

func runCommand() *cobra.Command {
	var v lab.Variant
	cmd := &cobra.Command{
		Use:   "run FAULT|healthy [-- WRAPPER...]",
		Short: "Run one fault with its world and its trigger, bare or under a wrapper such as `meshdiag run`",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fault := lab.Healthy()
			if args[0] != fault.ID {
				var err error
				if fault, err = lab.Find(args[0]); err != nil {
					return err
				}
			}
			pg, err := lab.StartPostgres(cmd.Context())
			if err != nil {
				return err
			}
			defer pg.Stop()
			s, err := lab.NewScenario(cmd.Context(), fault, v, pg)
			if err != nil {
				return err
			}
			defer s.Cleanup()
			r, err := lab.Run(cmd.Context(), s, args[1:])
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s%s\n", r.Stdout, r.Stderr)
			fmt.Fprintf(out, "path: %s\nended: exit %d signal %q timed out %v after %.2fs; trigger: %v\n", s.Path, r.Exit, r.Signal, r.TimedOut, r.Duration.Seconds(), r.DriveErr)
			fmt.Fprintf(out, "truth: %s (%s)\n", s.Label.Truth, s.Label.Cause)
			return nil
		},
	}
	variantFlags(cmd, &v)
	return cmd
}
