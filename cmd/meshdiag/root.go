package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
)

const rootLong = `meshdiag says why a native program died (x86-64 Linux).

It runs the program, freezes it at the first sight of a fatal signal, panic or stall, and
prints the cause, where the bad value came from, how sure that is, and where to look next.
The program behaves as if it ran alone: same output, same exit status.

Programs built with a runtime that meshdiag has a profile of (see "meshdiag profiles") are
explained in that runtime's own terms; all others in terms of C, C++ or Rust.`

const rootExample = `  meshdiag run ./server --port 8080          run it, and explain its end on stderr
  meshdiag run --format markdown ./server    the same, short, to paste into an issue
  meshdiag run --format json -o r.json ./server
  meshdiag core                              explain the newest core dump of this machine
  meshdiag render r.json                     show a saved report again
  meshdiag explain null-value                what a cause means and how it is recognised`

// execute runs meshdiag with the given arguments and returns its exit status.
func execute(args []string) (status int) {
	defer contain(&status)
	root := newRoot(&status)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return explainFailure(os.Stderr, err)
	}
	return status
}

// newRoot is the command tree. Commands that diagnose leave their exit status in status.
func newRoot(status *int) *cobra.Command {
	root := &cobra.Command{
		Use:           "meshdiag",
		Short:         "Say why a native program died",
		Long:          rootLong,
		Example:       rootExample,
		Version:       toolVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return errNoCommand
		},
	}
	root.Flags().Bool("version", false, "print the version") // without cobra's -v, which means verbose here
	root.SetVersionTemplate("meshdiag {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return errUsage(commandPath(cmd), err.Error()) })
	root.AddCommand(newRun(status), newVerify(status), newCore(status), newHandler(status), newSave(), newRender(), newExplain(), newProfiles(), newMan(), newVersion())
	root.InitDefaultCompletionCmd()
	return root
}

// errNoCommand is returned after the help text, for the exit status.
var errNoCommand = &failure{statusUsage, "no command given", "Most people want: meshdiag run PROGRAM"}

// commandPath is the name of a subcommand without "meshdiag".
func commandPath(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	return cmd.Name()
}

// asUsage makes cobra's complaints on arguments point to the help of their command.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var f *failure
		if err == nil || errors.As(err, &f) {
			return err
		}
		return errUsage(commandPath(cmd), err.Error())
	}
}
