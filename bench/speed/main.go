// Command speed measures whole processes: the same crash under meshdiag, under gdb and untraced, programs that do not crash
// with and without meshdiag, and the readers of core dumps on the same cores. All figures come from one run, interleaved, so
// that a noisy machine is noisy for all.
//
// It asserts nothing: it prints medians and ratios.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// parts is what --only chooses from, in the order of the output.
var parts = []string{"crash", "slowdown", "cores"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("speed: ")
	meshdiag := flag.String("meshdiag", "bin/meshdiag", "the meshdiag binary to measure")
	rounds := flag.Int("rounds", 11, "rounds of each crash command")
	slow := flag.Int("slow-rounds", 5, "rounds of each long-running program")
	coreRounds := flag.Int("core-rounds", 7, "rounds of each reader of cores")
	only := flag.String("only", strings.Join(parts, ","), "comma-separated parts to run")
	flag.Parse()
	wanted := strings.Split(*only, ",")
	for _, name := range wanted {
		if !slices.Contains(parts, name) {
			log.Fatalf("--only %q: the parts are %s", name, strings.Join(parts, ", "))
		}
	}
	if err := run(*meshdiag, wanted, *rounds, *slow, *coreRounds); err != nil {
		log.Fatal(err)
	}
}

// run measures the wanted parts, in a folder that is gone afterwards.
func run(meshdiag string, wanted []string, rounds, slow, coreRounds int) error {
	dir, err := os.MkdirTemp("", "meshdiag-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe, err := filepath.Abs(meshdiag)
	if err != nil {
		return err
	}
	measures := map[string]func() error{
		"crash":    func() error { return crashes(exe, dir, rounds) },
		"slowdown": func() error { return slowdown(exe, dir, slow) },
		"cores":    func() error { return cores(exe, dir, coreRounds) },
	}
	for _, name := range parts {
		if !slices.Contains(wanted, name) {
			continue
		}
		if err := measures[name](); err != nil {
			return err
		}
	}
	return nil
}

// crashes compares tools on one small C crash.
func crashes(meshdiag, dir string, rounds int) error {
	victim, err := compile(dir, "diagnose/testdata/victims/null.c", "-g", "-O1")
	if err != nil {
		return err
	}
	commands := []command{
		{"untraced", []string{victim}},
		{"meshdiag run", []string{meshdiag, "run", "--", victim}},
	}
	if _, err := exec.LookPath("gdb"); err == nil {
		commands = append(commands, command{"gdb -batch -ex run -ex bt", []string{"gdb", "-batch", "-ex", "run", "-ex", "bt", victim}})
	} else {
		fmt.Println("gdb is not installed: no comparison with it")
	}
	figures, err := measure(commands, rounds)
	if err != nil {
		return err
	}
	fmt.Printf("A small C crash (null.c, gcc -g -O1), %d interleaved rounds, medians\n", rounds)
	table(commands, figures)
	base, ours := figures[0], figures[1]
	fmt.Printf("meshdiag over untraced: %+.1f ms\n", (ours.wall()-base.wall()).Seconds()*1000)
	if len(figures) > 2 {
		fmt.Printf("gdb / meshdiag: %.1f times the time, %.1f times the memory\n",
			figures[2].wall().Seconds()/ours.wall().Seconds(), float64(figures[2].peak())/float64(ours.peak()))
	}
	return nil
}

// slowdown compares programs that run for seconds with and without meshdiag.
func slowdown(meshdiag, dir string, rounds int) error {
	fmt.Printf("\nPrograms that do not crash, %d interleaved rounds, medians\n", rounds)
	for _, name := range []string{"cpu.c", "alloc.c"} {
		program, err := compile(dir, filepath.Join("bench/speed/testdata", name), "-O2")
		if err != nil {
			return err
		}
		commands := []command{
			{name + " untraced", []string{program}},
			{name + " meshdiag run", []string{meshdiag, "run", "--", program}},
		}
		figures, err := measure(commands, rounds)
		if err != nil {
			return err
		}
		table(commands, figures)
		base, ours := figures[0], figures[1]
		fmt.Printf("slowdown: %+.2f %% by the medians, %+.2f %% by the best rounds, %+.2f %% by processor time\n",
			slower(base.wall(), ours.wall()), slower(base.best(), ours.best()), slower(base.cpu(), ours.cpu()))
	}
	return nil
}

// slower is by how many percent b took longer than a.
func slower(a, b time.Duration) float64 { return 100 * (b.Seconds()/a.Seconds() - 1) }

func compile(dir, source string, flags ...string) (string, error) {
	exe := filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), filepath.Ext(source)))
	args := append(flags, "-o", exe, source)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc %v: %w\n%s", args, err, out)
	}
	return exe, nil
}
