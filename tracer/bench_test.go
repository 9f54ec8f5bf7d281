package tracer

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// BenchmarkCrash is a small program's crash from launch to end, alone and traced.
func BenchmarkCrash(b *testing.B) {
	path := program(b, "segv.c")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			_ = exec.Command(path).Run()
		}
	})
	b.Run("traced", func(b *testing.B) {
		for b.Loop() {
			if _, err := Run(context.Background(), Options{Path: path, Stdin: null, Stdout: null, Stderr: null}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHandledFaults is a program that takes 500 faults and recovers from each.
func BenchmarkHandledFaults(b *testing.B) {
	path := program(b, "recover.c")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	for b.Loop() {
		if _, err := Run(context.Background(), Options{Path: path, Stdin: null, Stdout: null, Stderr: null}); err != nil {
			b.Fatal(err)
		}
	}
}
