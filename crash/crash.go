// Package crash is the observation of one process at the moment it died, hung or ended: threads, registers, signal
// information, mappings, readable memory, output lines and the way it ended.
//
// It is filled by package tracer (live) or package postmortem (core dump) and from then on only read. It must not read
// files, call ptrace or know any name of a function: what it holds is what was seen, nothing that was concluded.
// The same observation always yields the same report.
package crash

import "time"

// Crash is everything that was seen of one process. Fields that could not be observed are left at their documented
// "unknown" value; they are never filled with a guess.
type Crash struct {
	Target   Target
	Process  *Process // nil when nothing is known of it
	Outcome  Outcome
	Threads  []Thread // all threads at the freeze, the leader first, then by rising TID
	Focus    int      // index into Threads of the thread the report is about; -1 when there is none (it exited)
	Mappings []Mapping
	Auxv     map[uint64]uint64 // AT_* -> value; nil when unknown
	Memory   Memory            // never nil; reads what the process had mapped at the freeze
	Output   Output
	Panics   []Sighting // first-chance sightings before the last one (panics caught, signals handled), oldest first
	Warnings []string   // what could not be observed and why, in sentences

	Incomplete bool   // a core that is cut short or damaged: there was more to observe
	World      *World // nil when it was not asked: only where threads are seen waiting
}

// Source says where an observation came from.
type Source string

const (
	SourceLive Source = "live" // under the tracer
	SourceCore Source = "core" // an ELF core dump
)

// Target says which program was observed.
type Target struct {
	Source  Source
	Path    string   // path of the executable as launched or as the core names it
	Args    []string // argv, including argv[0]; secrets are not yet masked
	Env     []string // KEY=value as the process had them; nil when unknown; secrets are not yet masked
	PID     int
	Arch    string // "amd64"
	ExePath string // resolved path of the executable file (/proc/PID/exe), "" when unknown
	CWD     string
	// StdioShared is true when stdout and stderr ended in one channel, so that their order is known but not which is which.
	StdioShared bool
}

// Kind is the contract's outcome.kind.
type Kind string

const (
	Crashed      Kind = "crashed"       // died of a fault signal
	Panicked     Kind = "panicked"      // gave up by itself: panic, abort, uncaught exception
	Exited       Kind = "exited"        // exited by itself with a failure
	Hung         Kind = "hung"          // no progress; frozen by the watchdog
	Healthy      Kind = "healthy"       // exited cleanly or was ended by the user
	Killed       Kind = "killed"        // killed by a signal from outside
	LaunchFailed Kind = "launch-failed" // never ran
)

// Outcome is how the process ended, as the kernel told it. Whether an abort was a panic is interpretation and is decided
// later; the observer sets what it saw only.
type Outcome struct {
	End         End
	ExitCode    int     // valid when End == EndExit
	Signal      *Signal // the fatal signal; nil unless End == EndSignal
	CoreDumped  bool
	Elapsed     time.Duration // since launch; 0 when unknown
	LaunchError string        // one clear sentence; set when End == EndLaunchFailed
	LaunchKind  LaunchKind    // why, in one word
	LaunchNext  []string      // what to type or do
	// OOMKillSeen is true when the process ended by SIGKILL and the kernel's out-of-memory killer ended some process on this
	// machine while it ran; false also when that is not known.
	OOMKillSeen bool
	Sender      *OtherProcess // who sent the fatal signal; nil when nobody did, or it is not known
	Forwarded   bool          // the signal was sent to the observer, which passed it on
	Asked       int           // number of a signal that asks a program to end (SIGTERM, SIGINT, SIGHUP, SIGQUIT), that reached it before it exited; 0 none
	CPU         time.Duration // processor time of the whole process at its end; 0 unknown
	Limits      *Limits       // nil unknown; asked only where a signal may stem from one
	OOM         *OOMKills     // nil unless it ended by SIGKILL under observation
	Children    []DeadChild   // the last ones, oldest first
}

// End is the raw way a process ended.
type End string

const (
	EndExit         End = "exit"
	EndSignal       End = "signal"
	EndStalled      End = "stalled" // frozen by the watchdog, then ended by us
	EndLaunchFailed End = "launch-failed"
	EndRunning      End = "running" // a snapshot of a living process (save, attach)
)

// Signal is a siginfo_t in the parts that matter (linux/include/uapi/asm-generic/siginfo.h).
type Signal struct {
	Number int
	Code   int // si_code; 0x80 SI_KERNEL means that Address says nothing
	// CodeUnknown is true when only the number is known: a core without siginfo, or SIGKILL, whose
	// siginfo the kernel shows nobody. Code and Address then mean nothing.
	CodeUnknown bool
	Address     uint64 // si_addr of a fault signal
	PID         int    // si_pid for signals that were sent (SI_USER, SI_TKILL), else 0
	UID         int
}

// Thread is one thread at the freeze.
type Thread struct {
	TID     int
	Name    string // comm, at most 15 bytes
	Regs    Regs
	RegsOK  bool    // false when the registers could not be read; Regs is then meaningless
	FP      []byte  // XSAVE or FXSAVE area; nil when not read
	Signal  *Signal // the signal this thread is about to receive or received, nil if none
	State   string  // R, S, D, Z, T as in /proc/PID/stat; "" unknown
	Syscall *Syscall
	Wchan   string
	// Alternate signal stack; Size 0 when there is none or it is unknown.
	AltStack Range
	// CPU is the processor time the thread used during the last CPUWindow before the freeze, so that spinning can be told
	// from waiting. CPUWindow is 0 when it was not measured (it is for a stall).
	CPU       time.Duration
	CPUWindow time.Duration
	Activity  *Activity // over the same window; nil when it was not measured
	Motion    *Motion   // of a thread that ran; nil otherwise
}

// compatCS is the code segment selector of 32-bit code in a user process (__USER32_CS, linux/arch/x86/include/asm/segment.h).
const compatCS = 0x23

// Runs32 reports whether the thread ran 32-bit code, whose bytes mean other instructions and whose stack has other frames.
func (t *Thread) Runs32() bool { return t.RegsOK && t.Regs.CS == compatCS }

// Syscall is the system call a thread was stopped in.
type Syscall struct {
	Number int64
	Args   [6]uint64
}

// Range is a half-open interval of addresses.
type Range struct{ Start, End uint64 }

// Contains reports whether addr lies in r.
func (r Range) Contains(addr uint64) bool { return addr >= r.Start && addr < r.End }

// Size is End - Start.
func (r Range) Size() uint64 { return r.End - r.Start }

// Mapping is one line of /proc/PID/maps, or the same fact from a core's PT_LOAD and NT_FILE.
type Mapping struct {
	Range
	Perms    Perms
	PermsOK  bool   // false when a core did not tell the permissions
	Offset   uint64 // file offset in bytes
	Path     string // file path, "[heap]", "[stack]", "[vdso]" or ""
	Deleted  bool   // the file was deleted or replaced after it was mapped
	FileSize int64  // size of the file at the freeze; -1 unknown
	Traits   Traits // what decides whether it goes into a core
}

// Traits are what /proc/PID/smaps tells of a mapping beyond maps, as far as it matters for core dumps.
type Traits uint8

const (
	TraitsKnown Traits = 1 << iota // the other bits were read
	OwnPages                       // private pages that the process has written, in memory or in swap
	DontDump                       // not to be dumped: madvise(MADV_DONTDUMP), or memory of a device
	HugePages                      // of hugetlbfs
)

// Perms is a set of mapping permissions.
type Perms uint8

const (
	Read Perms = 1 << iota
	Write
	Exec
	Shared
)

// String prints like /proc/PID/maps: rwxp.
func (p Perms) String() string {
	b := []byte("---p")
	if p&Read != 0 {
		b[0] = 'r'
	}
	if p&Write != 0 {
		b[1] = 'w'
	}
	if p&Exec != 0 {
		b[2] = 'x'
	}
	if p&Shared != 0 {
		b[3] = 's'
	}
	return string(b)
}

// Output is what the target wrote while it was watched.
type Output struct {
	Lines     []OutputLine // the head (start-up) and the tail; the middle may be missing, see Dropped
	Dropped   int          // lines that were not kept between head and tail
	Observed  bool         // false for a core: nothing was watched, which differs from "printed nothing"
	FirstTail int          // index in Lines of the first line after the gap; len(Lines) when nothing was dropped
}

// OutputLine is one line as written, without its newline, cut at 4096 bytes. Its text is hostile.
type OutputLine struct {
	At     time.Duration // since launch
	Stream Stream
	Text   string
	Whole  bool // ended with a newline; false for a last unfinished line
}

// Stream names where a line was written.
type Stream string

const (
	Stdout        Stream = "stdout"
	Stderr        Stream = "stderr"
	UnknownStream Stream = "" // both went through one channel
)

// Sighting is one first-chance event before the end: a panic at its start, or a fault signal that a handler may take.
// Its memory is what was saved at that moment: stack pages and the pages the registers pointed to.
type Sighting struct {
	At      time.Duration
	Why     string // "breakpoint" or "signal"
	Symbol  string // for a breakpoint: the symbol it stood on
	Thread  Thread
	Memory  Memory
	Signal  *Signal
	Handled bool // the process had a handler for the signal
	Final   bool // the process died in consequence of this one: the report should start from here, not from the abort
}
