package crash

import "time"

// OtherProcess is another process as it was when it was looked at.
type OtherProcess struct {
	PID  int
	Name string   // comm, at most 15 bytes; "" when it was gone already
	Args []string // argv; nil unknown, or a thread of the kernel; secrets are not yet masked
	Kin  bool     // the target had started it, or a process that the target had started
}

// DeadChild is a process that the target had started, or one of its children had, and that died of a signal while it was
// watched.
type DeadChild struct {
	OtherProcess
	Signal Signal        // PID and UID of the sender where its delivery was seen
	Core   bool          // it dumped core
	At     time.Duration // since launch
	OOM    *OOMKills     // nil unless it died of SIGKILL
}

// Limits are those resource limits whose excess the kernel answers with a signal (setrlimit(2)). NoLimit stands for none.
type Limits struct {
	CPUSoft, CPUHard time.Duration // of processor time
	FileSize         uint64        // bytes
}

// NoLimit is a limit of bytes that does not exist; NoTimeLimit one of time.
const (
	NoLimit     = ^uint64(0)
	NoTimeLimit = time.Duration(1<<63 - 1)
)

// OOMKills is what the kernel's out-of-memory killer did while the target ran, as far as it tells.
type OOMKills struct {
	Machine    int    // processes that it ended on this machine; -1 unknown
	Group      int    // of these in the target's own control group; -1 unknown
	GroupPath  string // that group, "" unknown
	GroupLimit uint64 // bytes of memory that it may use; NoLimit when there is no limit or it is unknown
	Log        bool   // the kernel's log could be read
	Record     string // the log's line on the target; "" none
	ByName     bool   // the record names a process of the target's name, not its id: the log counts in another PID namespace
}
