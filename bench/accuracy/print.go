package main

import (
	"fmt"
	"math"
)

func print(results []result) {
	var n, graded, failed int
	var brier float64
	count := map[string]int{}
	add := func(name string, ok bool) {
		if ok {
			count[name]++
		}
	}
	for i := range results {
		r := &results[i]
		n++
		add("outcome", r.outcome)
		add("phase", r.phase)
		add("role", r.role)
		add("top1", r.top1)
		add("top3", r.top3)
		add("sure", r.wrongAndSure())
		if r.failed != "" {
			failed++
		}
		if r.graded {
			graded++
			add("blame", r.blame)
			add("thumb", r.thumb)
		}
		hit := 0.0
		if r.top1 {
			hit = 1
		}
		brier += math.Pow(r.sure-hit, 2)
	}
	share := func(name, label string, of int) {
		fmt.Printf("  %-34s %4d of %4d  %5.1f %%\n", label, count[name], of, 100*float64(count[name])/float64(max(of, 1)))
	}
	fmt.Printf("%d runs (%d without a report)\n", n, failed)
	share("outcome", "outcome right", n)
	share("phase", "phase right", n)
	share("role", "role of the thread right", n)
	share("top1", "cause right (top 1)", n)
	share("top3", "cause among the first three", n)
	share("blame", "blame right", graded)
	share("sure", "confident (0.8 or more) and wrong", n)
	share("thumb", "baseline: first frame outside libc and std blames right", graded)
	fmt.Printf("  %-34s %.3f\n", "Brier score of the first cause", brier/float64(max(n, 1)))
	reliability(results)
	misses(results)
}

// reliability holds confidence against the share of right answers.
func reliability(results []result) {
	fmt.Println("\nconfidence   runs  right")
	for _, bin := range [][2]float64{{0, .2}, {.2, .4}, {.4, .6}, {.6, .8}, {.8, 1.01}} {
		n, right := 0, 0
		for i := range results {
			if r := &results[i]; r.failed == "" && r.sure >= bin[0] && r.sure < bin[1] {
				n++
				if r.top1 {
					right++
				}
			}
		}
		if n > 0 {
			fmt.Printf("%.1f to %.1f  %6d  %4.0f %%\n", bin[0], min(bin[1], 1), n, 100*float64(right)/float64(n))
		}
	}
}

func misses(results []result) {
	fmt.Println("\nmisses (outcome | phase | cause | blame)")
	for i := range results {
		r := &results[i]
		switch {
		case r.failed != "":
			fmt.Printf("  %s: no report: %s\n", r.labelled, r.failed)
		case !r.outcome || !r.phase || !r.role || !r.top1 || r.graded && !r.blame:
			fmt.Printf("  %s: %s\n      said   %s\n      wanted %s\n", r.labelled, r.line(), r.said, r.wanted)
		}
	}
}
