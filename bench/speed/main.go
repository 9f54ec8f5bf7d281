// Command speed measures whole processes: the same crash under meshdiag, under gdb and untraced, and programs that do not
// crash with and without meshdiag. All figures come from one run, interleaved, so that a noisy machine is noisy for all.
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
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("speed: ")
	meshdiag := flag.String("meshdiag", "bin/meshdiag", "the meshdiag binary to measure")
	rounds := flag.Int("rounds", 11, "rounds of each crash command")
	slow := flag.Int("slow-rounds", 5, "rounds of each long-running program")
	flag.Parse()
	dir, err := os.MkdirTemp("", "meshdiag-bench-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe, err := filepath.Abs(*meshdiag)
	if err != nil {
		log.Fatal(err)
	}
	if err := crashes(exe, dir, *rounds); err != nil {
		log.Fatal(err)
	}
	if err := slowdown(exe, dir, *slow); err != nil {
		log.Fatal(err)
	}
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
