// Command accuracy runs every labelled fault of the lab under meshdiag, in every build variant, and grades the reports
// against the labels. It prints shares, a reliability table, the misses, and what the usual rule of thumb ("the first frame
// outside libc and std") would have blamed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"meshdiag/lab"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("accuracy: ")
	meshdiag := flag.String("meshdiag", "bin/meshdiag", "the meshdiag binary to grade")
	only := flag.String("fault", "", "comma-separated fault ids; empty for all")
	variants := flag.String("variants", "O0-release,O2-release,O0-debug,O2-debug", "comma-separated OPT-RUNTIME")
	keep := flag.String("keep", "", "folder that keeps every report as FAULT-VARIANT.json")
	jobs := flag.Int("j", 2, "runs at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *meshdiag, *only, *variants, *keep, *jobs); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, meshdiag, only, variants, keep string, jobs int) error {
	exe, err := filepath.Abs(meshdiag)
	if err != nil {
		return err
	}
	cases, err := list(only, variants)
	if err != nil {
		return err
	}
	if keep == "" {
		if keep, err = os.MkdirTemp("", "meshdiag-accuracy-"); err != nil {
			return err
		}
		defer os.RemoveAll(keep)
	} else if err := os.MkdirAll(keep, 0o755); err != nil {
		return err
	}
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer pg.Stop()
	results := make([]result, len(cases))
	next := make(chan int)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for i := range next {
				results[i] = cases[i].run(ctx, exe, keep, pg)
				fmt.Fprintf(os.Stderr, "%3d/%d %-46s %s\n", i+1, len(cases), cases[i], results[i].line())
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()
	print(results)
	return ctx.Err()
}

// list is every fault in every variant in which it exists.
func list(only, variants string) ([]labelled, error) {
	faults, err := lab.Catalogue()
	if err != nil {
		return nil, err
	}
	wanted := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	var cases []labelled
	for _, f := range faults {
		if len(wanted) > 0 && !slices.Contains(wanted, f.ID) {
			continue
		}
		for _, name := range strings.Split(variants, ",") {
			opt, runtime, ok := strings.Cut(name, "-")
			v, err := lab.Variant{Opt: opt, Runtime: runtime, Sequence: f.Sequence}.Complete()
			if !ok || err != nil {
				return nil, fmt.Errorf("variant %q: want OPT-RUNTIME such as O2-release (%v)", name, err)
			}
			if f.Skipped(v) == "" {
				cases = append(cases, labelled{f, v})
			}
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("no fault is named %q: `go run ./lab/cmd/lab list` prints all", only)
	}
	return cases, nil
}
