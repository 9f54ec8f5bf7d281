package heuristics

var docHang = Doc{
	ID:    idHang,
	Title: "It lives and makes no progress",
	Kinds: map[string]string{
		kindDeadlock:   "threads wait for each other in a ring, or a thread for itself",
		kindAbandoned:  "a thread waits for a lock whose owner has ended without giving it back",
		kindBlockedIO:  "a thread in the middle of work waits for input, output, a connection or a child process",
		kindSpin:       "a thread runs and gets nowhere",
		kindSlow:       "a thread is at work: its calls begin and end, or it reads and writes all the time",
		kindNoProgress: "every thread waits, and who should end that is not known, or nobody has anything to do",
	},
	Text: `Nothing was seen of the program for the time that --stall-after allows; then all its threads were frozen and looked at. In the
core of a living process ("meshdiag save") it is said where the threads themselves prove it.

For each thread the report says what it waits for: the system call's arguments, the lock in memory and the functions
between the kernel and the program tell. glibc's mutexes, write locks and robust mutexes record the thread that has
them, and a thread that is joined is known; Rust's Mutex and RwLock record nobody, so that their owner is looked for on the
stacks and is likely at most. From this follows who waits for whom. A ring of recorded owners without a time limit is a
proof of a deadlock; one with a likely owner is called probable. A chain that leads to a thread which reads, runs or sleeps
ends there: that thread is the cause, and those behind it are its victims.

A thread that runs is looked at several times, and then made to execute single instructions: when two rounds of a loop are the
same in every register, it goes in a circle until somebody else changes what it reads. Otherwise a loop without end and a
long one look the same as long as they stay in one call; calls that begin and end, and data that is moved, speak for work.

A thread counts as in the middle of work when the program's own code is on its stack. Waiting in accept, on connections
that clients made, in a timer or in the loop of a scheduler is a server's rest and tells nothing.

Example: transfer(a, b) has a's mutex and waits for b's, while transfer(b, a) has b's and waits for a's.`,
	For: []string{
		"the watchdog froze it alive",
		"a ring of threads that wait for each other; an owner that has ended",
		"what the thread that others wait for does: read, connect, run, or nothing",
		"every thread waits for another one, and none is left",
	},
	Against: []string{
		"all threads rest: a server that nobody asks looks the same",
		"its start-up was complete",
		"it had said before why it cannot do its job",
		"a core of a living process shows one moment only",
	},
	FalsePositives: []string{"a long computation without output", "an idle server whose protocol keeps connections open to the outside"},
	Fix: []string{
		"for a deadlock take the locks in one order, and hold none while waiting for a thread or an answer",
		"unlock on every way out of a function",
		"give input and output a time limit",
		"freeze it twice: a thread that stands at the same place both times is stuck there",
	},
}
