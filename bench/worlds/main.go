// Command worlds runs the sound stand-in Mesher in worlds that are broken, and ten sick ones in a world that is sound, and
// prints what meshdiag says of each as the table of the README. It ends with status 1 when one verdict is wrong. The same
// worlds are run by this package's test.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("worlds: ")
	meshdiag := flag.String("meshdiag", "bin/meshdiag", "the meshdiag binary to ask")
	only := flag.String("world", "", "run only worlds whose name contains this")
	runs := flag.Int("runs", 3, "runs of each world; the times are of the middle one")
	keep := flag.String("keep", "", "folder that keeps every report as NAME.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *runs < 1 {
		log.Fatal("-runs must be at least 1")
	}
	ok, err := run(ctx, *meshdiag, *only, *keep, *runs)
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

// run goes through the worlds one after the other, so that the times are those of a machine that does nothing else.
func run(ctx context.Context, meshdiag, only, keep string, runs int) (ok bool, err error) {
	exe, err := filepath.Abs(meshdiag)
	if err != nil {
		return false, err
	}
	if keep != "" {
		if err := os.MkdirAll(keep, 0o755); err != nil {
			return false, err
		}
	}
	s, err := newStage(ctx, exe)
	if err != nil {
		return false, err
	}
	defer s.close()
	s.keep = keep
	ok = true
	fmt.Println("| world | cause reported | sure | the program ended after | the report came after |\n|---|---|---|---|---|")
	for i := range worlds {
		w := &worlds[i]
		if !strings.Contains(w.name, only) {
			continue
		}
		a, err := middle(runs, func() (*answer, error) { return s.ask(ctx, w) })
		if err != nil {
			fmt.Fprintf(os.Stderr, "WRONG %s: %v\n", w.name, err)
			ok = false
			continue
		}
		ok = a.row(w) && ok
	}
	sick, err := sickPrograms()
	if err != nil {
		return false, err
	}
	fmt.Println("\n| sick program, sound world | cause reported | sure | the program ended after | the report came after |\n|---|---|---|---|---|")
	for _, f := range sick {
		if !strings.Contains(f.ID, only) {
			continue
		}
		a, err := middle(runs, func() (*answer, error) { return s.askSick(ctx, f) })
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.ID, err)
		}
		ok = a.row(&world{name: f.Title}) && ok
	}
	return ok, ctx.Err()
}

// middle asks several times and gives the answer that took neither longest nor shortest, or the first one that is wrong.
func middle(runs int, ask func() (*answer, error)) (*answer, error) {
	var all []*answer
	for range runs {
		a, err := ask()
		if err != nil || len(a.wrong) > 0 || a.unmade != "" {
			return a, err
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *answer) int { return cmp.Compare(a.took, b.took) })
	return all[len(all)/2], nil
}

// row prints one line of the table, and on stderr what is wrong with it.
func (a *answer) row(w *world) bool {
	if a.unmade != "" {
		fmt.Printf("| %s | not made here: %s | | | |\n", w.name, a.unmade)
		return true
	}
	c := a.report.Causes[0]
	ended := 0.0
	if e := a.report.Outcome.ElapsedS; e != nil {
		ended = *e
	}
	fmt.Printf("| %s | %s | %.0f %% | %.2f s | %.2f s |\n", w.name, causeOf(&c), 100*c.Confidence, ended, a.took.Seconds())
	for _, p := range a.wrong {
		fmt.Fprintf(os.Stderr, "WRONG %s: %s\n", w.name, p)
	}
	return len(a.wrong) == 0
}
