package main

import (
	"os"

	"github.com/spf13/cobra"

	"meshdiag/report"
)

func newRender() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "render [flags] REPORT.json",
		Short: "Show a saved report again, in any format",
		Long: `Show a report that was saved with --format json, as text, Markdown or JSON. Neither the
program nor its core is needed. "-" reads from stdin. The report goes to stdout.`,
		Example: `  meshdiag render report.json
  meshdiag render --format markdown report.json
  ssh host cat report.json | meshdiag render -v -`,
		Args: asUsage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check("render"); err != nil {
				return err
			}
			r, err := readReport(args[0])
			if err != nil {
				return errReadReport(args[0], err)
			}
			out, err := o.open()
			if err != nil {
				return err
			}
			defer out.discard()
			return out.write(r)
		},
	}
	o.register(cmd, os.Stdout)
	return cmd
}

func readReport(path string) (*report.Report, error) {
	if path == "-" {
		return report.ReadJSON(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return report.ReadJSON(f)
}
