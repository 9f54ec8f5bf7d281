package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

func checkCommand() *cobra.Command {
	var only, opts, runtimes []string
	var jobs int
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Run every fault bare, in all variants, and compare how it ends with its label",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			faults, err := lab.Catalogue()
			if err != nil {
				return err
			}
			pg, err := lab.StartPostgres(cmd.Context())
			if err != nil {
				return err
			}
			defer pg.Stop()
			c := &checker{cmd: cmd, pg: pg, opts: opts, runtimes: runtimes, slots: make(chan struct{}, jobs)}
			for _, f := range faults {
				if len(only) > 0 && !matches(f.ID, only) {
					continue
				}
				c.fault(f)
			}
			return c.finish()
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "faults to check: ids or parts of ids (default: all)")
	cmd.Flags().StringSliceVar(&opts, "opt", []string{"O0", "O2"}, "optimisations to check")
	cmd.Flags().StringSliceVar(&runtimes, "runtime", []string{"release", "debug"}, "runtime profiles to check")
	cmd.Flags().IntVar(&jobs, "jobs", 2, "how many to run at the same time")
	return cmd
}

func matches(id string, only []string) bool {
	for _, part := range only {
		if strings.Contains(id, part) {
			return true
		}
	}
	return false
}

// checker runs checks side by side and counts.
type checker struct {
	cmd   *cobra.Command
	pg    *lab.Postgres
	slots chan struct{}

	opts, runtimes []string

	wg sync.WaitGroup

	mu          sync.Mutex
	right, skip int
	wrong       int
}

func (c *checker) fault(f lab.Fault) {
	for _, opt := range c.opts {
		for _, runtime := range c.runtimes {
			v := lab.Variant{Opt: opt, Runtime: runtime}
			if reason := f.Skipped(v); reason != "" {
				c.say(&c.skip, "skip   %-32s %s %-8s %s\n", f.ID, opt, runtime, reason)
				continue
			}
			c.slots <- struct{}{}
			c.wg.Go(func() {
				defer func() { <-c.slots }()
				c.one(f, v)
			})
		}
	}
}

func (c *checker) one(f lab.Fault, v lab.Variant) {
	wrong, r, err := lab.Check(c.cmd.Context(), f, v, c.pg)
	switch {
	case err != nil:
		c.say(&c.wrong, "ERROR  %-32s %s %-8s %v\n", f.ID, v.Opt, v.Runtime, err)
	case len(wrong) > 0:
		c.say(&c.wrong, "WRONG  %-32s %s %-8s %s\n%s", f.ID, v.Opt, v.Runtime, strings.Join(wrong, "; "), indent(r.Stderr))
	default:
		c.say(&c.right, "right  %-32s %s %-8s %s%d %.2fs\n", f.ID, v.Opt, v.Runtime, r.Signal, r.Exit, r.Duration.Seconds())
	}
}

func (c *checker) say(count *int, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*count++
	fmt.Fprintf(c.cmd.OutOrStdout(), format, args...)
}

func (c *checker) finish() error {
	c.wg.Wait()
	fmt.Fprintf(c.cmd.OutOrStdout(), "\n%d right, %d wrong, %d skipped\n", c.right, c.wrong, c.skip)
	if c.wrong > 0 {
		return errors.New("labels and runs disagree")
	}
	return nil
}

// indent shows the first lines of a text.
func indent(text string) string {
	lines := strings.SplitAfterN(text, "\n", 9)
	if len(lines) > 8 {
		lines = lines[:8]
	}
	return "         " + strings.TrimRight(strings.Join(lines, "         "), " ") + "\n"
}
