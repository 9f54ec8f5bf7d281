package crash

import "time"

// Activity is what a thread did during the CPUWindow before the freeze, as the kernel counts it. A count is -1 when it is
// not known.
type Activity struct {
	Wakes int64 // voluntary context switches: how often it went to sleep
	Calls int64 // read and write system calls
	Bytes int64 // that it read and wrote
}

// Motion is what a thread that was found running did when it was looked at again and again, oldest look first. It is only
// asked of a process that stalls or is saved alive.
type Motion struct {
	Looks []Look
	Every time.Duration // about the time between two looks
	// Steps is how many single instructions it was made to execute, all other threads standing still; 0 when that was not
	// tried. Loop holds the addresses of one round when it then ran in a circle: in two rounds one after the other every
	// general register and flag had the same values at every instruction, and the vector registers had at their ends. Shallow
	// is the step at which the stack was lowest (the stack pointer highest): calls that are deeper now had not begun then.
	Steps   int
	Loop    []uint64
	Shallow Look
}

// Look is one of them.
type Look struct {
	PC, SP uint64
}
