package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// command is one thing to measure.
type command struct {
	name string
	argv []string
}

// figure holds what was measured of one command, a value per round.
type figure struct {
	walls []time.Duration
	cpus  []time.Duration // user and system time of the command and all it waited for
	peaks []int64         // bytes, the largest process of the command (rusage; never below this bench's own size at the fork)
}

func (f *figure) wall() time.Duration { return median(f.walls) }
func (f *figure) best() time.Duration { return slices.Min(f.walls) }
func (f *figure) cpu() time.Duration  { return median(f.cpus) }
func (f *figure) peak() int64         { return median(f.peaks) }

func median[T int64 | time.Duration](v []T) T {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// measure runs the commands in turn, a round of all before the next round, after one round that is not counted.
func measure(commands []command, rounds int) ([]figure, error) {
	figures := make([]figure, len(commands))
	for round := -1; round < rounds; round++ {
		for i, c := range commands {
			cmd := exec.Command(c.argv[0], c.argv[1:]...)
			cmd.Stdout, cmd.Stderr = io.Discard, io.Discard // a pipe with a reader, as a log or a shell pipeline has
			start := time.Now()
			err := cmd.Run()
			wall := time.Since(start)
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				return nil, err
			}
			if round < 0 {
				continue
			}
			figures[i].walls = append(figures[i].walls, wall)
			figures[i].cpus = append(figures[i].cpus, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
			figures[i].peaks = append(figures[i].peaks, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss*1024)
		}
	}
	return figures, nil
}

func table(commands []command, figures []figure) {
	for i, c := range commands {
		f := &figures[i]
		fmt.Printf("  %-28s %9.1f ms  (%.1f to %.1f)  cpu %9.1f ms  %7.1f MiB\n", c.name, f.wall().Seconds()*1000,
			f.best().Seconds()*1000, slices.Max(f.walls).Seconds()*1000, f.cpu().Seconds()*1000, float64(f.peak())/(1<<20))
	}
}

// floor is the most memory that this bench has held: what rusage says of a smaller child may be that.
func floor() int64 {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0
	}
	return own.Maxrss * 1024
}
