package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the faults with their labels",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			faults, err := lab.Catalogue()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "FAULT\tOUTCOME\tEND\tROLE\tPHASE\tCAUSE\tTITLE")
			signals, onActors := 0, 0
			for _, f := range faults {
				l := f.Label
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.ID, l.Outcome, ending(l), l.Role, l.Phase[0], l.Cause, f.Title)
				if l.DiesBySignal() {
					signals++
					if l.OnActor() {
						onActors++
					}
				}
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "\n%d faults, %d deaths by signal, %d of them on an actor, service, HTTP or WebSocket thread\n",
				len(faults), signals, onActors)
			return err
		},
	}
}

// ending is the expected end in a word.
func ending(l lab.Label) string {
	switch {
	case l.Signal != "":
		return l.Signal
	case l.Outcome == "hung":
		return "-"
	default:
		return fmt.Sprint(l.Exit)
	}
}
