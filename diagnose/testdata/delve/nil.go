// Dies of a nil pointer, as Go programs do: the runtime takes the signal, prints its panic and aborts (GOTRACEBACK=crash).
package main

import "os"

type shape struct{ width, height int }

//go:noinline
func area(s *shape) int { return s.height * s.width }

//go:noinline
func total(n int) int {
	var s *shape
	if n > 9 {
		s = &shape{1, 2}
	}
	return area(s) + 1
}

func main() { os.Exit(total(len(os.Args))) }
