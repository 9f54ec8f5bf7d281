package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meshdiag/profile"
)

func newProfiles() *cobra.Command {
	return &cobra.Command{
		Use:   "profiles",
		Short: "List the runtimes that meshdiag has a profile of",
		Long: `List the built-in profiles. A profile is what is known of a runtime, as data: names,
signatures, start-up messages, stack sizes. It is recognised from the binary; --profile
chooses one by name or file, or none.`,
		Args: asUsage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range profile.Names() {
				line, err := describeProfile(name)
				if err != nil {
					return errDiagnose(err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
}

func describeProfile(name string) (string, error) {
	p, err := profile.Load(name)
	if err != nil {
		return "", err
	}
	externs, err := p.Externs()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%-10s%s (version %s, %d runtime functions)", name, p.Title, p.Version, len(externs)), nil
}

// checkProfile loads a profile that was asked for, so that a mistake in its name or file is told before anything runs.
func checkProfile(name string) error {
	if name == "" {
		return nil
	}
	if _, err := profile.Load(name); err != nil {
		return errProfile(err)
	}
	return nil
}
