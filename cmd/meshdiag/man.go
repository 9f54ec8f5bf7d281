package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the manual page",
		Long:  `Print the manual page in roff, made from the same words as --help.`,
		Example: `  meshdiag man | man -l -
  meshdiag man > /usr/local/share/man/man1/meshdiag.1`,
		Args: asUsage(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) {
			writeMan(cmd.OutOrStdout(), cmd.Root())
		},
	}
}

// writeMan writes one page for all commands, in man(7) macros.
func writeMan(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH MESHDIAG 1 \"\" \"meshdiag %s\"\n", roff(root.Version))
	fmt.Fprintf(w, ".SH NAME\nmeshdiag \\- %s\n", roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	fmt.Fprint(w, ".SH SYNOPSIS\n")
	for _, c := range manCommands(root) {
		fmt.Fprintf(w, ".B meshdiag\n%s\n.br\n", roff(c.Use))
	}
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	manText(w, root.Long)
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range manCommands(root) {
		fmt.Fprintf(w, ".SS %s\n", roff(c.Use))
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		manText(w, text)
		manFlags(w, c.LocalFlags())
		manExample(w, c.Example)
	}
	fmt.Fprint(w, ".SH EXAMPLES\n")
	manExample(w, root.Example)
	fmt.Fprint(w, ".SH SEE ALSO\n.BR gdb (1),\n.BR strace (1),\n.BR core (5)\n")
}

func manCommands(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			all = append(all, c)
		}
	}
	return all
}

func manText(w io.Writer, text string) {
	for _, paragraph := range strings.Split(text, "\n\n") {
		fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
	}
}

func manFlags(w io.Writer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(w, ".TP\n\\fB%s\\fR %s\n%s\n", roff(name), roff(value), roff(usage))
	})
}

func manExample(w io.Writer, example string) {
	if example != "" {
		fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(example))
	}
}

// roff escapes what the formatter would act upon: backslashes, hyphens (which are to stay hyphens when copied), and dots and
// quotes at the start of a line.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
