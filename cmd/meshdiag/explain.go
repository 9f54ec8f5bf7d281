package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"meshdiag/heuristics"
)

// explainWidth is the columns of explanations: they are prose.
const explainWidth = 88

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CAUSE[/KIND]]",
		Short: "Say what a cause means and how it is recognised",
		Long: `Print the documentation of a cause: what it is, what speaks for and against it, when
meshdiag is known to be wrong about it, and what usually helps. Without an argument, list
all causes.`,
		Example: `  meshdiag explain
  meshdiag explain abi-mismatch
  meshdiag explain null-value/missing-key`,
		Args: asUsage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return causeIDs(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				listCauses(cmd.OutOrStdout())
				return nil
			}
			id, kind, _ := strings.Cut(args[0], "/")
			doc, ok := heuristics.Explain(id)
			if !ok {
				return errUnknownCause(id, causeIDs())
			}
			if _, ok := doc.Kinds[kind]; kind != "" && !ok {
				return errUnknownKind(id, kind, slices.Sorted(maps.Keys(doc.Kinds)))
			}
			explain(cmd.OutOrStdout(), doc, kind)
			return nil
		},
	}
}

func causeIDs() []string {
	var ids []string
	for _, h := range heuristics.Registry() {
		ids = append(ids, h.Doc.ID)
	}
	return ids
}

func listCauses(w io.Writer) {
	for _, h := range heuristics.Registry() {
		fmt.Fprintf(w, "%-22s%s\n", h.Doc.ID, h.Doc.Title)
	}
}

// explain prints doc; with a kind, only that kind of it is listed.
func explain(w io.Writer, doc heuristics.Doc, kind string) {
	fmt.Fprintf(w, "%s: %s\n", doc.ID, doc.Title)
	for _, paragraph := range strings.Split(strings.TrimSpace(doc.Text), "\n\n") {
		fmt.Fprintln(w)
		wrap(w, "", paragraph)
	}
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(doc.Kinds)) {
		if kind == "" || k == kind {
			kinds = append(kinds, k+": "+doc.Kinds[k])
		}
	}
	explainList(w, "Kinds", kinds)
	explainList(w, "Speaks for it", doc.For)
	explainList(w, "Speaks against it", doc.Against)
	explainList(w, "Known to be wrong when", doc.FalsePositives)
	explainList(w, "What usually helps", doc.Fix)
}

func explainList(w io.Writer, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, item := range items {
		wrap(w, "  - ", item)
	}
}

// wrap writes text in lines of explainWidth columns, the first after lead and the others under it.
func wrap(w io.Writer, lead, text string) {
	line := lead
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > explainWidth {
			fmt.Fprintln(w, line)
			line, empty = strings.Repeat(" ", len(lead)), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}
